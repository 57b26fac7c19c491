# SPDX-License-Identifier: Apache-2.0
"""Which /dev/hidraw* are 6-axis devices, as sysfs describes them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from hilserl_task import TaskError
from hilserl_task.device_spec import DeviceSpec
from hilserl_teleop.driver import DeviceGone
from hilserl_teleop.hid_models import CONNEXION, MODELS, model_of

SYS, DEV = Path("/sys/class/hidraw"), Path("/dev")
# Report descriptor: usage page Generic Desktop, usage Multi-axis Controller. A wireless receiver has several
# interfaces, and only this one moves.
MULTI_AXIS = bytes((0x05, 0x01, 0x09, 0x08))
_BUSES = {3: "USB", 5: "Bluetooth"}
UDEV_RULE = "60-hilserl-spacemouse.rules"


@dataclass(frozen=True)
class HidDevice:
    """A 6-axis device that is plugged in.

    Attributes:
        path: of the device file, e.g. /dev/hidraw3. Changes from plug to plug.
        port: where it is plugged in, e.g. usb-0000:00:14.0-1/input0. Stays.
        serial: empty on most models.
        bus: USB or Bluetooth.
    """

    path: Path
    vendor: int
    product: int
    name: str
    serial: str
    port: str
    bus: str


def find(sys_folder: Path = SYS, dev_folder: Path = DEV) -> list[HidDevice]:
    """All 6-axis devices, by their path."""
    found = []
    for folder in sorted(sys_folder.glob("hidraw*"), key=lambda path: (len(path.name), path.name)):
        try:
            uevent = (folder / "device" / "uevent").read_text(errors="replace")
            descriptor = (folder / "device" / "report_descriptor").read_bytes()
        except OSError:
            continue  # unplugged meanwhile
        device = _describe(dict(re.findall(r"^(\w+)=(.*)$", uevent, re.M)), dev_folder / folder.name)
        if device is not None and MULTI_AXIS in descriptor and _is_spacemouse(device):
            found.append(device)
    return found


def _describe(facts: dict[str, str], path: Path) -> HidDevice | None:
    parts = facts.get("HID_ID", "").split(":")
    if len(parts) != 3:
        return None
    bus, vendor, product = (int(part, 16) for part in parts)
    return HidDevice(
        path,
        vendor,
        product,
        facts.get("HID_NAME", "") or model_of(vendor, product).name,
        facts.get("HID_UNIQ", ""),
        facts.get("HID_PHYS", ""),
        _BUSES.get(bus, f"bus {bus}"),
    )


def _is_spacemouse(device: HidDevice) -> bool:
    return device.vendor == CONNEXION or (device.vendor, device.product) in MODELS


def choose(devices: list[HidDevice], spec: DeviceSpec) -> HidDevice:
    """The device the task file means.

    Raises:
        DeviceGone: it is not plugged in.
        TaskError: several fit.
    """
    fitting = [device for device in devices if _fits(device, spec)]
    wanted = ", ".join(f"{key} '{value}'" for key, value in _selection(spec) if value)
    if not fitting:
        there = "; ".join(f"{device.name} at {device.path}" for device in devices) or "none"
        raise DeviceGone(f"no SpaceMouse{f' with {wanted}' if wanted else ''}; plugged in: {there}")
    if len(fitting) > 1:
        lines = "; ".join(f"{d.name}: path: {d.port or d.path}" for d in fitting)
        raise TaskError(
            f"driver: hidraw: {len(fitting)} devices fit {wanted or 'any SpaceMouse'}: {lines}; "
            f"choose one in the task file; example: path: {fitting[0].port or fitting[0].path}"
        )
    return fitting[0]


def _selection(spec: DeviceSpec) -> tuple[tuple[str, str | None], ...]:
    return ("serial", spec.serial), ("path", spec.path), ("product", spec.product)


def _fits(device: HidDevice, spec: DeviceSpec) -> bool:
    if spec.serial is not None and spec.serial != device.serial:
        return False
    if spec.product is not None and spec.product.lower() not in device.name.lower():
        return False
    if spec.path is None:
        return True
    return spec.path == device.port or os.path.realpath(spec.path) == os.path.realpath(device.path)
