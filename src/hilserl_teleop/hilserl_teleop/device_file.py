# SPDX-License-Identifier: Apache-2.0
"""Writes a device into a task file and leaves the rest as it is: comments, order, alignment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hilserl_task import TaskError, load_task
from hilserl_task.device_spec import DeviceSpec
from hilserl_task.edit import compose, edit_task_file, end_of, flow, spliced, value_of

_LONG = 100


def write_device(path: Path, index: int, device: DeviceSpec) -> None:
    """Sets operator.devices[index], or adds it where index is their number.

    Args:
        path: task file; a link is followed.
        index: of the device; comments inside an entry that is replaced are lost.
        device: what the file shall say.

    Raises:
        TaskError: no task before or after, or not writable. The file is then as it was.
    """
    devices = load_task(str(path)).operator.devices
    if index > len(devices):
        raise TaskError(f"device: {index}, but operator.devices has {len(devices)}; example: {len(devices)}")
    wanted = (*devices[:index], device, *devices[index + 1 :])
    edit_task_file(
        path,
        lambda text: _with_device(text, index, device),
        lambda task: task.operator.devices == wanted,
        device_yaml(device),
    )


def device_yaml(device: DeviceSpec, indent: int = 0) -> str:
    """The device as YAML in braces, without what is as by default; long ones over several lines."""
    parts = [f"{key}: {flow(value)}" for key, value in _chosen(device.model_dump(mode="json")).items()]
    line = "{" + ", ".join(parts) + "}"
    if len(line) + indent <= _LONG:
        return line
    sections = [part for part in parts if "{" in part]
    plain = ", ".join(part for part in parts if "{" not in part)
    return "{" + (",\n" + " " * (indent + 1)).join([plain, *sections]) + "}"


def _chosen(dump: dict[str, Any]) -> dict[str, Any]:
    default = DeviceSpec(driver="external").model_dump(mode="json")
    chosen: dict[str, Any] = {}
    for key, value in dump.items():
        if key != "driver" and value == default[key]:
            continue
        if isinstance(value, dict):
            known = default[key] or {}
            value = {k: v for k, v in value.items() if v is not None and v != known.get(k)}
        chosen[key] = value
    return chosen


def _with_device(text: str, index: int, device: DeviceSpec) -> str:
    root = compose(text)
    operator = value_of(root, "operator")
    if operator is None:
        start = text if text.endswith("\n") or not text else text + "\n"
        return f"{start}\noperator:\n  devices:\n    - {device_yaml(device, 6)}\n"
    devices = value_of(operator, "devices")
    if devices is None:
        return _with_devices(text, operator, device)
    if not isinstance(devices.value, list) or not devices.value:  # null or []
        return spliced(text, devices.start_mark.index, devices.end_mark.index, f"[{device_yaml(device, 12)}]")
    if index < len(devices.value):
        entry = devices.value[index]
        return spliced(
            text, entry.start_mark.index, end_of(entry), device_yaml(device, entry.start_mark.column)
        )
    last = devices.value[-1]
    column = last.start_mark.column
    if devices.flow_style:
        return spliced(text, end_of(last), end_of(last), f", {device_yaml(device, column)}")
    dash = text.rfind("-", 0, last.start_mark.index) - text.rfind("\n", 0, last.start_mark.index) - 1
    return spliced(text, end_of(last), end_of(last), f"\n{' ' * dash}- {device_yaml(device, dash + 2)}")


def _with_devices(text: str, operator: Any, device: DeviceSpec) -> str:
    """Adds the key as the first of the operator section."""
    if operator.flow_style or not operator.value:
        start = operator.start_mark.index
        rest = text[start + 1 : operator.end_mark.index] if operator.flow_style else "}"
        comma = "" if rest.strip() == "}" else ", "
        new = "{devices: [" + device_yaml(device, 12) + "]" + comma + rest
        return spliced(text, start, operator.end_mark.index, new)
    first = operator.value[0][0]
    column = " " * first.start_mark.column
    new = f"devices:\n{column}  - {device_yaml(device, len(column) + 4)}\n{column}"
    return spliced(text, first.start_mark.index, first.start_mark.index, new)
