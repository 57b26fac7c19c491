# SPDX-License-Identifier: Apache-2.0
"""One V4L2 (UVC) camera, or a video file in its place, through OpenCV's VideoCapture.

A file plays at its own speed; its end is what unplugging is for a camera, and it then plays again: a way to
try a task's cameras without any.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import cv2

from hilserl_cameras.frame import Calibration, CameraLost, Frame
from hilserl_task import TaskError
from hilserl_task.camera_spec import CameraSpec, Setting

# Seconds that OpenCV waits for a frame before read() fails; its own default is ten.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
# V4L2_CID_EXPOSURE_AUTO (linux/v4l2-controls.h): OpenCV hands these numbers through.
MANUAL_EXPOSURE, APERTURE_PRIORITY = 1.0, 3.0
# OpenCV cannot list what a device offers, but tells what it made of a wish.
COMMON_SIZES = (
    (160, 120), (320, 240), (424, 240), (640, 360), (640, 480), (800, 600), (848, 480), (960, 540),
    (1024, 768), (1280, 720), (1280, 960), (1920, 1080), (2560, 1440), (3840, 2160),
)  # fmt: skip


class V4l2Source:
    """A Source (see frame.py) for one device path."""

    def __init__(self, spec: CameraSpec) -> None:
        assert spec.device is not None  # CameraSpec asks for it
        self._spec = spec
        self._path = Path(spec.device).expanduser()
        self._capture: cv2.VideoCapture | None = None
        self._is_file = False
        self._started_s = 0.0

    def open(self) -> str:
        """Opens the path and sets the device up."""
        if not self._path.exists():
            there = ", ".join(v4l2_paths()) or "none"
            raise CameraLost(f"{self._path} does not exist; there are: {there}")
        self._is_file = self._path.is_file()
        backend = cv2.CAP_ANY if self._is_file else cv2.CAP_V4L2
        # A resolved path: OpenCV's V4L2 takes /dev/videoN only for some of its controls.
        capture = cv2.VideoCapture(str(self._path.resolve()), backend)
        if not capture.isOpened():
            capture.release()
            raise CameraLost(f"{self._path} cannot be opened: in use, no rights (group video), or no camera")
        self._capture = capture
        try:
            self._choose_profile(capture)
            self._apply_settings(capture)
        except TaskError:
            self.close()
            raise
        self._started_s = time.monotonic()
        width, height = _size(capture)
        return f"{self._path}, {width} x {height} at {capture.get(cv2.CAP_PROP_FPS):g} Hz"

    def read(self, timeout_s: float) -> Frame:
        """The next frame. V4L2 waits for OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT, whatever the argument says."""
        assert self._capture is not None
        done, bgr = self._capture.read()
        if not done or bgr is None:
            what = "ended" if self._is_file else "gives no pictures: unplugged?"
            raise CameraLost(f"{self._path} {what}")
        device_ms = float(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        if self._is_file:
            self._pace(device_ms)
        told = self._capture.get(cv2.CAP_PROP_EXPOSURE)
        exposure = None if self._is_file or told < 0 else float(told)  # -1: no such control
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        # V4L2: CLOCK_MONOTONIC of the kernel's buffer; a driver that gives none says 0.
        if device_ms <= 0 and not self._is_file:
            return Frame(rgb, time.time() * 1e3, "system", exposure=exposure)
        return Frame(rgb, device_ms, "device", exposure=exposure)

    def calibration(self) -> Calibration | None:
        """None: UVC has no factory calibration."""
        return None

    def close(self) -> None:
        """Lets the device go."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _choose_profile(self, capture: cv2.VideoCapture) -> None:
        """Asks for format, size and rate, and checks what the device made of it.

        Raises:
            TaskError: it gives something else; the text lists the sizes it offers.
        """
        spec = self._spec
        if spec.pixel_format is not None:
            code = cv2.VideoWriter.fourcc(*spec.pixel_format)
            if not capture.set(cv2.CAP_PROP_FOURCC, code) or round(capture.get(cv2.CAP_PROP_FOURCC)) != code:
                raise TaskError(
                    f"camera '{spec.name}': {self._path} offers no {spec.pixel_format}; v4l2-ctl "
                    f"--list-formats-ext -d {self._path} shows its formats, or leave pixel_format out"
                )
        if spec.width is not None and spec.height is not None:
            _ask_for_size(capture, spec.width, spec.height)
            if _size(capture) != (spec.width, spec.height):
                raise TaskError(
                    f"camera '{spec.name}': {self._path} offers no {spec.width} x {spec.height}; it offers "
                    f"{_offered_sizes(capture)}"
                )
        if spec.fps is not None:
            capture.set(cv2.CAP_PROP_FPS, spec.fps)
            got = capture.get(cv2.CAP_PROP_FPS)
            if abs(got - spec.fps) > 0.5:
                raise TaskError(
                    f"camera '{spec.name}': {self._path} offers no {spec.fps} Hz at this size; "
                    f"it gives {got:g} Hz"
                )
        if not self._is_file:
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)  # old frames in a longer queue would only be late

    def _apply_settings(self, capture: cv2.VideoCapture) -> None:
        spec = self._spec
        automatic: list[tuple[str, Setting | None, int, float, float]] = [
            ("exposure", spec.exposure, cv2.CAP_PROP_AUTO_EXPOSURE, APERTURE_PRIORITY, MANUAL_EXPOSURE),
            ("white_balance", spec.white_balance, cv2.CAP_PROP_AUTO_WB, 1.0, 0.0),
        ]
        for key, value, switch, on, off in automatic:
            if value is not None:
                self._set(capture, key, switch, on if value == "auto" else off, "its automatic")
        values = (
            ("exposure", spec.exposure, cv2.CAP_PROP_EXPOSURE),
            ("gain", spec.gain, cv2.CAP_PROP_GAIN),
            ("white_balance", spec.white_balance, cv2.CAP_PROP_WB_TEMPERATURE),
        )
        for key, value, prop in values:
            if value is not None and value != "auto":
                self._set(capture, key, prop, float(value), f"{value:g}")

    def _set(self, capture: cv2.VideoCapture, key: str, prop: int, value: float, words: str) -> None:
        if not capture.set(prop, value):
            raise TaskError(
                f"camera '{self._spec.name}': {key}: {self._path} does not take {words}; "
                f"v4l2-ctl --list-ctrls -d {self._path} shows its controls and ranges, or leave {key} out"
            )

    def _pace(self, position_ms: float) -> None:
        """Waits until it is a frame's turn."""
        ahead_s = self._started_s + position_ms * 1e-3 - time.monotonic()
        if ahead_s > 0:
            time.sleep(ahead_s)


def v4l2_paths() -> list[str]:
    """Cameras of this host, by the names that survive a reboot where there are such."""
    by_id = sorted(str(path) for path in Path("/dev/v4l/by-id").glob("*-video-index0"))
    return by_id or sorted(str(path) for path in Path("/dev").glob("video*"))


def _size(capture: cv2.VideoCapture) -> tuple[int, int]:
    return round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def _ask_for_size(capture: cv2.VideoCapture, width: int, height: int) -> None:
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)


def _offered_sizes(capture: cv2.VideoCapture) -> str:
    """What the device makes of the common sizes, without doubles."""
    sizes = {_size(capture)}
    for width, height in COMMON_SIZES:
        _ask_for_size(capture, width, height)
        sizes.add(_size(capture))
    return ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
