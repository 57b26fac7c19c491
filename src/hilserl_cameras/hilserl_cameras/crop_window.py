# SPDX-License-Identifier: Apache-2.0
"""The crop window: raw picture with the region, and beside it what the policy will see."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

from hilserl_cameras.crop_view import CropView
from hilserl_cameras.frame import Pixels
from hilserl_cameras.qt import QtCore, QtGui, QtWidgets
from hilserl_ros.pictures import prepared
from hilserl_task import TaskError
from hilserl_task.camera_spec import CameraSpec, CropSpec

PREVIEW = 320
REFRESH_MS = 50


class CropWindow(QtWidgets.QWidget):
    """Chooses the crop of one or several cameras.

    Args:
        cameras: of the task, with the crops they have.
        image_size: of the policy's input, pixels.
        newest: gives a camera's newest raw picture, or None.
        save: takes camera and region; raises TaskError where it cannot.
        file: name of the task file, for the title.
    """

    def __init__(
        self,
        cameras: Sequence[CameraSpec],
        image_size: int,
        newest: Callable[[str], Pixels | None],
        save: Callable[[str, CropSpec], None],
        file: str,
    ) -> None:
        super().__init__()
        self.setWindowTitle(f"Crop - {file}")
        self.saved: dict[str, CropSpec] = {}
        self._size, self._newest, self._save = image_size, newest, save
        self._regions = {camera.name: camera.crop for camera in cameras}
        self._shown: Pixels | None = None
        self.view = CropView()
        self.cameras = QtWidgets.QComboBox()
        self.cameras.addItems([camera.name for camera in cameras])
        self.preview = QtWidgets.QLabel()
        self.preview.setFixedSize(PREVIEW, PREVIEW)
        self.numbers = QtWidgets.QLabel()
        self.numbers.setMinimumHeight(2 * self.numbers.fontMetrics().lineSpacing())
        self.message = QtWidgets.QLabel()
        self.message.setWordWrap(True)
        self.square = QtWidgets.QCheckBox("square (the policy's input is)")
        self.square.setChecked(True)
        self.whole_button = QtWidgets.QPushButton("Whole picture")
        self.save_button = QtWidgets.QPushButton("Save")
        self.close_button = QtWidgets.QPushButton("Close")
        self._lay_out()
        self._connect()
        self._choose_camera(self.cameras.currentText())
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(REFRESH_MS)

    def refresh(self) -> None:
        """Shows the newest picture."""
        picture = self._newest(self.camera)
        if picture is not None and picture is not self._shown:
            self._shown = picture
            self.view.set_picture(picture)

    @property
    def camera(self) -> str:
        """Name of the camera on show."""
        return str(self.cameras.currentText())

    def save(self) -> None:
        """Writes the region into the task file."""
        region = self.view.region
        if region is None:
            self.message.setText("Draw a region first: press and drag on the picture.")
            return
        try:
            self._save(self.camera, region)
        except TaskError as error:
            self.message.setText(str(error))
            return
        self.saved[self.camera] = region
        self.message.setText(f"Saved the crop of '{self.camera}'.")

    def _choose_camera(self, name: str) -> None:
        self._shown = None
        self.view.set_region(self._regions[name])
        self.refresh()

    def _region_changed(self) -> None:
        region = self._regions[self.camera] = self.view.region
        picture = self.view.picture
        if picture is None:
            return
        height, width, _ = picture.shape
        if region is None:
            self.numbers.setText(f"whole picture, {width} x {height}")
        else:
            size = f"{region.right - region.left} x {region.bottom - region.top} of {width} x {height}"
            edges = f"left {region.left}, top {region.top}, right {region.right}, bottom {region.bottom}"
            self.numbers.setText(f"{edges}\n{size}")
        try:
            self._show_preview(prepared(picture, region, self._size))
        except ValueError as error:
            self.message.setText(str(error))
            self.preview.clear()

    def _show_preview(self, rgb: Pixels) -> None:
        pixels = rgb.copy()
        image = QtGui.QImage(
            pixels.data, self._size, self._size, 3 * self._size, QtGui.QImage.Format.Format_RGB888
        )
        pixmap = QtGui.QPixmap.fromImage(image)  # copies the pixels
        self.preview.setPixmap(pixmap.scaled(PREVIEW, PREVIEW))  # nearest: every pixel of the policy's shows

    def _lay_out(self) -> None:
        side = QtWidgets.QVBoxLayout()
        side.addWidget(self.cameras)
        side.addWidget(QtWidgets.QLabel(f"What the policy sees, {self._size} x {self._size}:"))
        for widget in (self.preview, self.numbers, self.square, self.whole_button):
            side.addWidget(widget)
        side.addStretch()
        side.addWidget(self.message)
        side.addWidget(self.save_button)
        side.addWidget(self.close_button)
        row = QtWidgets.QHBoxLayout(self)
        row.addWidget(self.view, stretch=1)
        row.addLayout(side)

    def _connect(self) -> None:
        self.view.changed.connect(self._region_changed)
        self.cameras.currentTextChanged.connect(self._choose_camera)
        self.square.toggled.connect(self._set_square)
        self.whole_button.clicked.connect(self._choose_whole)
        self.save_button.clicked.connect(self.save)
        self.close_button.clicked.connect(self.close)
        for keys, act in (("Ctrl+S", self.save), ("Return", self.save), ("Escape", self.close)):
            QtGui.QShortcut(QtGui.QKeySequence(keys), self).activated.connect(act)

    def _set_square(self, on: bool) -> None:
        self.view.square = on

    def _choose_whole(self) -> None:
        """As a region with the size of the picture: the same, and it can be saved."""
        picture = self.view.picture
        if picture is not None:
            height, width, _ = picture.shape
            self.view.set_region(CropSpec(left=0, top=0, right=width, bottom=height))


def show_window(make: Callable[[], CropWindow]) -> CropWindow:
    """Runs the window until it is closed, or Ctrl-C."""
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["crop"])
    window = make()
    window.resize(1100, 640)
    window.show()
    signal.signal(signal.SIGINT, lambda *_: window.close())  # runs at the next tick of the refresh timer
    application.exec()
    return window
