# SPDX-License-Identifier: Apache-2.0
"""Writes a device into a task file and leaves the rest as it is: comments, order, alignment.

ruamel.yaml says where things stand in the text; only that place is changed. The result is read back as a task
before it takes the place of the file, all at once.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hilserl_task import TaskError, load_task
from hilserl_task.device_spec import DeviceSpec

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
    path = path.resolve()
    devices = list(load_task(str(path)).operator.devices)
    if index > len(devices):
        raise TaskError(f"device: {index}, but operator.devices has {len(devices)}; example: {len(devices)}")
    try:
        text = path.read_bytes().decode("utf-8")
        changed = _with_device(text, index, device)
        _replace(path, changed, (*devices[:index], device, *devices[index + 1 :]))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise TaskError(f"task file {path}: not writable: {error}; nothing was changed") from error


def device_yaml(device: DeviceSpec, indent: int = 0) -> str:
    """The device as YAML in braces, without what is as by default; long ones over several lines."""
    parts = [f"{key}: {_flow(value)}" for key, value in _chosen(device.model_dump(mode="json")).items()]
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


def _flow(value: Any) -> str:
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = True
    yaml.width = 100_000
    yaml.dump(value, text)
    return text.getvalue().removesuffix("...\n").strip()


def _with_device(text: str, index: int, device: DeviceSpec) -> str:
    root = YAML().compose(io.StringIO(text))
    operator = _value(root, "operator")
    if operator is None:
        start = text if text.endswith("\n") or not text else text + "\n"
        return f"{start}\noperator:\n  devices:\n    - {device_yaml(device, 6)}\n"
    devices = _value(operator, "devices")
    if devices is None:
        return _with_devices(text, operator, device)
    if not isinstance(devices.value, list) or not devices.value:  # null or []
        return _spliced(
            text, devices.start_mark.index, devices.end_mark.index, f"[{device_yaml(device, 12)}]"
        )
    if index < len(devices.value):
        entry = devices.value[index]
        return _spliced(
            text, entry.start_mark.index, _end(entry), device_yaml(device, entry.start_mark.column)
        )
    last = devices.value[-1]
    column = last.start_mark.column
    if devices.flow_style:
        return _spliced(text, _end(last), _end(last), f", {device_yaml(device, column)}")
    dash = text.rfind("-", 0, last.start_mark.index) - text.rfind("\n", 0, last.start_mark.index) - 1
    return _spliced(text, _end(last), _end(last), f"\n{' ' * dash}- {device_yaml(device, dash + 2)}")


def _with_devices(text: str, operator: Any, device: DeviceSpec) -> str:
    """Adds the key as the first of the operator section."""
    if operator.flow_style or not operator.value:
        start = operator.start_mark.index
        rest = text[start + 1 : operator.end_mark.index] if operator.flow_style else "}"
        comma = "" if rest.strip() == "}" else ", "
        new = "{devices: [" + device_yaml(device, 12) + "]" + comma + rest
        return _spliced(text, start, operator.end_mark.index, new)
    first = operator.value[0][0]
    column = " " * first.start_mark.column
    new = f"devices:\n{column}  - {device_yaml(device, len(column) + 4)}\n{column}"
    return _spliced(text, first.start_mark.index, first.start_mark.index, new)


def _value(mapping: Any, key: str) -> Any:
    return next((value for name, value in mapping.value if name.value == key), None)


def _end(node: Any) -> int:
    """Where a node's text ends. The parser lets block nodes reach up to the next key, over comments."""
    if node.end_mark is None or isinstance(node.value, str) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _spliced(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]


def _replace(path: Path, text: str, wanted: tuple[DeviceSpec, ...]) -> None:
    """Puts a checked text in the place of the file: either all of it or nothing."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".yaml")
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        if load_task(name).operator.devices != wanted:
            raise TaskError(
                f"task file {path}: the device cannot be written without changing more; nothing was changed; "
                f"write it by hand: {device_yaml(wanted[-1])}"
            )
        new.chmod(path.stat().st_mode & 0o777)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
