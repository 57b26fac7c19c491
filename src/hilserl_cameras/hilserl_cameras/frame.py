# SPDX-License-Identifier: Apache-2.0
"""What a camera driver hands on, and what it may fail with. No ROS in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class CameraLost(RuntimeError):
    """The device is not there, went away or fell silent. It may come back: try again."""


@dataclass(frozen=True)
class Calibration:
    """Pinhole model in pixels; distortion as sensor_msgs/CameraInfo names it."""

    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    model: str
    coefficients: tuple[float, ...]


@dataclass(frozen=True)
class Frame:
    """One picture.

    Attributes:
        rgb: (H, W, 3) uint8, the frame's own memory.
        device_ms: when it was taken, milliseconds of `clock`.
        clock: `system` is the host's UNIX time; `device` has an epoch of its own.
        number: the device's counter, or None where it has none. Gaps are frames that the driver never saw.
        exposure: in the device's unit, where it tells.
    """

    rgb: Pixels
    device_ms: float
    clock: Literal["system", "device"]
    number: int | None = None
    exposure: float | None = None


class Source(Protocol):
    """A camera that can be opened, read and closed any number of times, from one thread."""

    def open(self) -> str:
        """Starts streaming. Returns what is open, in words: device and profile.

        Raises:
            CameraLost: not there (yet).
            TaskError: the device will never do what the task file asks; the text lists what it offers.
        """

    def read(self, timeout_s: float) -> Frame:
        """The next picture, the newest if several wait.

        Raises:
            CameraLost: none within the time, or the device is gone.
        """

    def calibration(self) -> Calibration | None:
        """Of the open stream; None where the device has none."""

    def close(self) -> None:
        """Stops streaming; harmless when closed."""
