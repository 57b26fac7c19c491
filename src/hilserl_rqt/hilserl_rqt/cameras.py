# SPDX-License-Identifier: Apache-2.0
"""Live pictures: as policy and reward see them, or whole with the crop drawn in."""

from __future__ import annotations

from hilserl_rqt import words
from hilserl_rqt.panels import Panel
from hilserl_rqt.qt import Qt, QtCore, QtGui, QtWidgets
from hilserl_rqt.state import STALE_S, GraphState, Picture
from hilserl_rqt.theme import LINE, MUTED, ORANGE, TEXT, YELLOW

Crop = tuple[int, int, int, int]


class CameraView(QtWidgets.QWidget):
    """One picture, scaled to the room there is, with its name, age and crop."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self._text = name, ""
        self._image: QtGui.QImage | None = None
        self._at_s = -1.0
        self._crop: Crop | None = None
        self._stale = False
        self.setMinimumSize(120, 100)

    def show_picture(self, picture: Picture | None, crop: Crop | None, kind: str, now_s: float) -> None:
        """Draws a picture; an old one stays visible, greyed, with its age."""
        age = None if picture is None else now_s - picture.at_s
        self._stale = age is None or age > STALE_S
        self._crop = crop
        self._text = f"{self._name}  {kind}"
        if picture is not None and picture.error:
            self._image, self._text = None, f"{self._name}: {picture.error}"
        elif picture is not None and picture.pixels is not None and picture.at_s != self._at_s:
            height, width, _ = picture.pixels.shape
            data = picture.pixels.tobytes()
            self._image = QtGui.QImage(
                data, width, height, 3 * width, QtGui.QImage.Format.Format_RGB888
            ).copy()
        self._at_s = picture.at_s if picture is not None else -1.0
        if self._stale:
            self._text += f"  STALE: {words.age(age)}" if picture is not None else "  no picture"
        elif self._image is not None:
            self._text += f"  {self._image.width()} × {self._image.height()}"
        self.update()

    def paintEvent(self, event: object) -> None:
        """Draws the picture, the crop and one line of text."""
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        line = 18
        area = QtCore.QRect(0, line, self.width(), self.height() - line)
        if self._image is not None:
            fitted = self._image.size().scaled(area.size(), Qt.AspectRatioMode.KeepAspectRatio)
            left, top = (area.width() - fitted.width()) // 2, area.top()
            target = QtCore.QRect(QtCore.QPoint(left, top), fitted)
            painter.setOpacity(0.35 if self._stale else 1.0)
            painter.drawImage(target, self._image)
            painter.setOpacity(1.0)
            self._draw_crop(painter, target)
        else:
            painter.setPen(QtGui.QColor(LINE))
            painter.drawRect(area.adjusted(0, 0, -1, -1))
        painter.setPen(QtGui.QColor(ORANGE if self._stale and self._image is not None else TEXT))
        font = QtGui.QFont(self.font())
        font.setPixelSize(12)
        painter.setFont(font)
        text = painter.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(QtCore.QRect(0, 0, self.width(), line), Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()

    def _draw_crop(self, painter: QtGui.QPainter, target: QtCore.QRect) -> None:
        if self._crop is None or self._image is None:
            return
        left, top, right, bottom = self._crop
        x, y = target.width() / self._image.width(), target.height() / self._image.height()
        pen = QtGui.QPen(QtGui.QColor(YELLOW))
        pen.setWidth(2)
        painter.setPen(pen)
        box = QtCore.QRectF(left * x, top * y, (right - left) * x, (bottom - top) * y)
        painter.drawRect(box.translated(target.left(), target.top()))


class CameraPanel(Panel):
    """All cameras of a graph. `raw_wanted` is emitted when a person wants whole pictures or no longer."""

    raw_wanted = QtCore.Signal(bool)

    def __init__(self) -> None:
        super().__init__("CAMERAS")
        self._views: dict[str, CameraView] = {}
        self._grid = QtWidgets.QGridLayout()
        self._grid.setSpacing(6)
        self._empty = QtWidgets.QLabel("no camera yet")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setStyleSheet(f"color: {MUTED};")
        self.body.addWidget(self._empty, 1)
        self.body.addLayout(self._grid, 1)
        self.whole = QtWidgets.QCheckBox("whole picture")
        self.whole.setToolTip("Raw camera pictures with the crop drawn in, instead of what the policy sees")
        self.whole.toggled.connect(self.raw_wanted)
        self.head.addWidget(self.whole)

    def refresh(self, state: GraphState, now_s: float) -> None:
        """Shows pictures of the observation while it is fresh, else the cameras' own."""
        live = any(now_s - picture.at_s < STALE_S for picture in state.raw.values())
        raw = self.whole.isChecked() or (state.observation.stale(now_s) and live)
        pictures = state.raw if raw else state.seen
        names = self._names(state, pictures)
        if list(self._views) != names:
            self._arrange(names)
        for name, view in self._views.items():
            kind = "camera" if raw else "policy input"
            view.show_picture(pictures.get(name), self._crop(state, name) if raw else None, kind, now_s)

    def _names(self, state: GraphState, pictures: dict[str, Picture]) -> list[str]:
        """In task-file order where the task is known."""
        if state.task is not None:
            return [camera.name for camera in state.task.cameras]
        if pictures:
            return list(pictures)
        return [camera.name for camera in state.graph.cameras] if state.graph is not None else []

    def _crop(self, state: GraphState, name: str) -> Crop | None:
        if state.task is None:
            return None
        crops = {camera.name: camera.crop for camera in state.task.cameras}
        crop = crops.get(name)
        return None if crop is None else (crop.left, crop.top, crop.right, crop.bottom)

    def _arrange(self, names: list[str]) -> None:
        """One column for one camera, two for more, three from seven on."""
        for view in self._views.values():
            self._grid.removeWidget(view)
            view.deleteLater()
        self._views = {name: CameraView(name) for name in names}
        columns = 1 if len(names) < 2 else 2 if len(names) < 7 else 3
        for place, view in enumerate(self._views.values()):
            self._grid.addWidget(view, place // columns, place % columns)
        self._empty.setVisible(not names)
