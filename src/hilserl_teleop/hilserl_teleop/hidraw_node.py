# SPDX-License-Identifier: Apache-2.0
"""A SpaceMouse directly, without a daemon: /dev/hidraw*.

ros2 run hilserl_teleop hidraw
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from hilserl_ros.node import run
from hilserl_task.device_spec import DeviceSpec
from hilserl_task.frames import Array
from hilserl_teleop import hid_find
from hilserl_teleop.device_node import DeviceNode
from hilserl_teleop.driver import DeviceGone, Driver
from hilserl_teleop.hid_models import Model, model_of
from hilserl_teleop.hid_reports import ButtonBits, Deflection, parse

FULL_SCALE = 350.0  # logical range of the report descriptors
STUCK_S = (
    0.15  # neutral within 0.2 s; reports come every 8 ms (three axes each) or 16 ms (all six) while deflected
)
LONGEST_REPORT = 64
MOST_REPORTS = 1000


class HidrawDriver(Driver):
    """One SpaceMouse.

    Args:
        spec: which, and its full scale.
        sys_folder, dev_folder: where the kernel describes and offers devices.
    """

    stuck_s = STUCK_S
    deadband = 0.02  # at rest some models report a few counts

    def __init__(
        self, spec: DeviceSpec, sys_folder: Path = hid_find.SYS, dev_folder: Path = hid_find.DEV
    ) -> None:
        super().__init__()
        self._spec, self._folders = spec, (sys_folder, dev_folder)
        self._full_scale = spec.full_scale or FULL_SCALE
        self._counts = np.zeros(6)
        self._model: Model = model_of(0, 0)
        self._file = -1
        self.title = "SpaceMouse"

    def open(self) -> None:
        """Finds the device and opens it."""
        super().open()
        self._counts = np.zeros(6)
        device = hid_find.choose(hid_find.find(*self._folders), self._spec)
        try:
            self._file = os.open(device.path, os.O_RDONLY | os.O_NONBLOCK)
        except PermissionError as error:
            raise DeviceGone(
                f"{device.path}: no permission; install the udev rule of this package: sudo cp "
                f"{udev_rule()} /etc/udev/rules.d/ && sudo udevadm control --reload, then plug the device "
                "in again"
            ) from error
        except OSError as error:
            raise DeviceGone(f"{device.path}: {error.strerror}") from error
        self._model = model_of(device.vendor, device.product)
        self.known_buttons, self.usual_buttons = self._model.known, self._model.usual
        self.title = f"{device.name} ({device.bus}, {device.path})"

    def poll(self, now_s: float) -> bool:
        """Takes in all reports."""
        self.tapped = frozenset()
        reported = False
        for _ in range(MOST_REPORTS):
            try:
                report = os.read(self._file, LONGEST_REPORT)
            except BlockingIOError:
                break
            except OSError as error:
                raise DeviceGone(f"{self.title}: unplugged ({error.strerror})") from error
            if not report:
                raise DeviceGone(f"{self.title}: unplugged")
            reported |= self._take(report)
        return reported

    def _take(self, report: bytes) -> bool:
        """False for reports that say nothing about the hand, such as the battery's."""
        said = parse(report)
        if isinstance(said, Deflection):
            self._counts[said.first : said.first + len(said.counts)] = said.counts
            self.axes = stock_axes(self._counts) / self._full_scale
        elif isinstance(said, ButtonBits):
            self._press(self._model.pressed(said.bits))
        return said is not None

    def close(self) -> None:
        """Closes the device file."""
        if self._file != -1:
            os.close(self._file)
            self._file = -1


def stock_axes(counts: Array) -> Array:
    """(6,) x forward, y left, z up of the device's x right, y towards the person, z down.

    Both frames are right-handed, so rotations turn as translations do. The same as spacenavd and the stock
    driver give together.
    """
    x, y, z, rx, ry, rz = counts
    return -np.array([y, x, z, ry, rx, rz])


def udev_rule() -> str:
    """Where the udev rule of this package is installed."""
    prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    for prefix in prefixes:
        path = Path(prefix, "share", "hilserl_teleop", hid_find.UDEV_RULE)
        if path.is_file():
            return str(path)
    return f"src/hilserl_teleop/udev/{hid_find.UDEV_RULE}"


class HidrawNode(DeviceNode):
    """SpaceMouse through hidraw."""

    def __init__(self) -> None:
        super().__init__("hidraw")

    def make_driver(self, spec: DeviceSpec) -> Driver:
        """Directly."""
        return HidrawDriver(spec)


def main() -> None:
    """Entry point of the executable `hidraw`."""
    run(HidrawNode)


if __name__ == "__main__":
    main()
