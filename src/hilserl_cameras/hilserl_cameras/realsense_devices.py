# SPDX-License-Identifier: Apache-2.0
"""The RealSense cameras of this host, by serial number. Whether pyrealsense2 is there is decided here.

Devices are known from two sides: the list of those connected, read whenever one is opened, and librealsense's
notices of changes. Neither is enough: notices get lost (librealsense's issue 9512), and software devices (the
tests' cameras) are announced but never listed.
"""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import Any

from hilserl_cameras.frame import CameraLost
from hilserl_task import TaskError

HAS_REALSENSE = find_spec("pyrealsense2") is not None


def require_realsense() -> None:
    """Raises TaskError where pyrealsense2 is not installed."""
    if not HAS_REALSENSE:
        raise TaskError(
            "driver realsense: pyrealsense2 is not installed; example: pip install pyrealsense2, or driver: "
            "external with the stock realsense2_camera node"
        )


class RealSenseDevices:
    """Connected devices. One for all cameras of a process: librealsense wants one context.

    Args:
        context: a rs.context; a new one if None.
    """

    def __init__(self, context: Any = None) -> None:
        import pyrealsense2 as rs

        self._rs = rs
        self._context = context if context is not None else rs.context()
        self._lock = threading.Lock()
        self._devices: dict[str, Any] = {}
        self._context.set_devices_changed_callback(self._changed)
        self._look()

    def find(self, serial: str | None) -> Any:
        """The device (rs.device) of a serial number, or the only one.

        Raises:
            CameraLost: not connected; the text names those that are.
        """
        self._look()
        with self._lock:
            if serial is None and len(self._devices) == 1:
                return next(iter(self._devices.values()))
            if serial is not None and serial in self._devices:
                return self._devices[serial]
            found = ", ".join(sorted(self._devices)) or "none"
        wanted = f"RealSense '{serial}' is not connected" if serial else "one RealSense is needed"
        raise CameraLost(f"{wanted}; connected: {found}")

    def lost(self, serial: str) -> bool:
        """Whether librealsense said that the device of this serial number is gone."""
        with self._lock:
            return serial not in self._devices

    def table(self) -> list[tuple[str, str, str]]:
        """Serial number, name and USB type of every connected device."""
        self._look()
        with self._lock:
            devices = dict(self._devices)
        info = self._rs.camera_info
        return [
            (serial, self._info(device, info.name), self._info(device, info.usb_type_descriptor))
            for serial, device in sorted(devices.items())
        ]

    def _look(self) -> None:
        """Adds the connected ones to those announced; a listed one is newer than one known."""
        for device in self._context.query_devices():
            with self._lock:
                self._devices[self._serial(device)] = device

    def _changed(self, event: Any) -> None:
        """Runs in a thread of librealsense."""
        added = {self._serial(device): device for device in event.get_new_devices()}
        with self._lock:
            gone = [serial for serial, device in self._devices.items() if event.was_removed(device)]
            for serial in gone:
                del self._devices[serial]
            self._devices.update(added)

    def _serial(self, device: Any) -> str:
        return self._info(device, self._rs.camera_info.serial_number)

    @staticmethod
    def _info(device: Any, what: Any) -> str:
        return str(device.get_info(what)) if device.supports(what) else "?"
