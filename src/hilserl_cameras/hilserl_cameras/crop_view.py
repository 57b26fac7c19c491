# SPDX-License-Identifier: Apache-2.0
"""Where the region is drawn in the crop window: press and drag for a new one, drag inside to move it."""

from __future__ import annotations

from hilserl_cameras.frame import Pixels
from hilserl_cameras.qt import QtCore, QtGui, QtWidgets
from hilserl_task.camera_spec import CropSpec

SMALLEST = 8  # pixels of the raw picture; a click that trembles is no region
SHADE = QtGui.QColor(0, 0, 0, 130)
LINE = QtGui.QColor(255, 140, 0)
STEPS = {
    QtCore.Qt.Key.Key_Left: (-1, 0),
    QtCore.Qt.Key.Key_Right: (1, 0),
    QtCore.Qt.Key.Key_Up: (0, -1),
    QtCore.Qt.Key.Key_Down: (0, 1),
}


class CropView(QtWidgets.QWidget):
    """Shows a raw picture as large as there is room, with the region on it.

    Attributes:
        changed: signal, the region is another one.
        square: a new region is square, as the policy's input is.
    """

    changed = QtCore.Signal()

    def __init__(self) -> None:
        super().__init__()
        self.square = True
        self._rgb: Pixels | None = None
        self._image = QtGui.QImage()
        self._region: CropSpec | None = None
        self._anchor: tuple[int, int] | None = None  # where a new region began
        self._grip: tuple[int, int, CropSpec] | None = None  # where an old one was taken
        self.setMinimumSize(480, 360)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.setCursor(QtCore.Qt.CursorShape.CrossCursor)

    @property
    def region(self) -> CropSpec | None:
        """The chosen region; None is the whole picture."""
        return self._region

    @property
    def picture(self) -> Pixels | None:
        """The raw picture, (H, W, 3) uint8 RGB."""
        return self._rgb

    def set_region(self, region: CropSpec | None) -> None:
        """Shows a region; None is the whole picture."""
        self._region = region
        self.update()
        self.changed.emit()

    def set_picture(self, rgb: Pixels) -> None:
        """Shows another picture below the region."""
        height, width, _ = rgb.shape
        self._rgb = rgb.copy()
        self._image = QtGui.QImage(
            self._rgb.data, width, height, 3 * width, QtGui.QImage.Format.Format_RGB888
        )
        self.update()
        self.changed.emit()

    def to_widget(self, x: float, y: float) -> QtCore.QPointF:
        """Place of a raw pixel corner on the widget."""
        scale, left, top = self._placement()
        return QtCore.QPointF(left + x * scale, top + y * scale)

    # -- mouse and keys -------------------------------------------------------------------------------

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Takes hold of the region, or begins a new one."""
        if self._rgb is None or event.button() != QtCore.Qt.MouseButton.LeftButton:
            return
        x, y = self._pixel(event.position())
        region = self._region
        if region and region.left < x < region.right and region.top < y < region.bottom:
            self._grip = (x, y, region)
        else:
            self._anchor = (x, y)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Moves the region or draws the new one."""
        x, y = self._pixel(event.position())
        if self._grip is not None:
            from_x, from_y, region = self._grip
            self.set_region(self._moved(region, x - from_x, y - from_y))
        elif self._anchor is not None:
            drawn = self._drawn(self._anchor, (x, y))
            if drawn is not None:
                self.set_region(drawn)

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """Lets go."""
        self._anchor = self._grip = None

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Arrow keys move the region by a pixel, with Shift by ten."""
        step = STEPS.get(QtCore.Qt.Key(event.key()))
        if step is None or self._region is None or self._rgb is None:
            super().keyPressEvent(event)
            return
        pace = 10 if event.modifiers() & QtCore.Qt.KeyboardModifier.ShiftModifier else 1
        self.set_region(self._moved(self._region, pace * step[0], pace * step[1]))

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """The picture, darker outside the region."""
        painter = QtGui.QPainter(self)
        if self._rgb is None:
            painter.drawText(self.rect(), QtCore.Qt.AlignmentFlag.AlignCenter, "waiting for a picture")
            painter.end()
            return
        height, width, _ = self._rgb.shape
        whole = QtCore.QRectF(self.to_widget(0, 0), self.to_widget(width, height))
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(whole, self._image)
        if self._region is not None:
            chosen = QtCore.QRectF(
                self.to_widget(self._region.left, self._region.top),
                self.to_widget(self._region.right, self._region.bottom),
            )
            outside = QtGui.QPainterPath()
            outside.addRect(whole)
            inside = QtGui.QPainterPath()
            inside.addRect(chosen)
            painter.fillPath(outside.subtracted(inside), SHADE)
            painter.setPen(QtGui.QPen(LINE, 2))
            painter.drawRect(chosen)
        painter.end()

    # -- geometry -------------------------------------------------------------------------------------

    def _placement(self) -> tuple[float, float, float]:
        """Scale and offset of the picture on the widget."""
        if self._rgb is None:
            return 1.0, 0.0, 0.0
        height, width, _ = self._rgb.shape
        scale = min(self.width() / width, self.height() / height)
        return scale, (self.width() - scale * width) / 2, (self.height() - scale * height) / 2

    def _pixel(self, position: QtCore.QPointF) -> tuple[int, int]:
        """Nearest pixel corner of the raw picture."""
        assert self._rgb is not None
        height, width, _ = self._rgb.shape
        scale, left, top = self._placement()
        x, y = round((position.x() - left) / scale), round((position.y() - top) / scale)
        return min(max(x, 0), width), min(max(y, 0), height)

    def _drawn(self, one: tuple[int, int], other: tuple[int, int]) -> CropSpec | None:
        """Region between two corners; None while it is too small."""
        assert self._rgb is not None
        (x0, y0), (x1, y1) = one, other
        if self.square:
            height, width, _ = self._rgb.shape
            room_x = width - x0 if x1 >= x0 else x0
            room_y = height - y0 if y1 >= y0 else y0
            side = min(max(abs(x1 - x0), abs(y1 - y0)), room_x, room_y)
            x1, y1 = x0 + (side if x1 >= x0 else -side), y0 + (side if y1 >= y0 else -side)
        if abs(x1 - x0) < SMALLEST or abs(y1 - y0) < SMALLEST:
            return None
        return CropSpec(left=min(x0, x1), top=min(y0, y1), right=max(x0, x1), bottom=max(y0, y1))

    def _moved(self, region: CropSpec, dx: int, dy: int) -> CropSpec:
        """The region shifted, as far as the picture goes."""
        assert self._rgb is not None
        height, width, _ = self._rgb.shape
        dx = min(max(dx, -region.left), width - region.right)
        dy = min(max(dy, -region.top), height - region.bottom)
        return CropSpec(
            left=region.left + dx,
            top=region.top + dy,
            right=region.right + dx,
            bottom=region.bottom + dy,
        )
