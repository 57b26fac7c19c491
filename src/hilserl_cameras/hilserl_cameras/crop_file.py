# SPDX-License-Identifier: Apache-2.0
"""Writes a crop into a task file and leaves every other character as it is: comments, order, alignment.

ruamel.yaml says where the nodes of the file stand; only those places of the text are changed. The result is
read back as a task before it takes the place of the file, all at once.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hilserl_task import Task, TaskError, load_task
from hilserl_task.camera_spec import CropSpec

EDGES = ("left", "top", "right", "bottom")


def write_crop(path: Path, camera: str, crop: CropSpec) -> None:
    """Sets `crop` of a camera.

    Args:
        path: task file; a link is followed, so that the file it stands for changes.
        camera: its name in the file.
        crop: pixels of the raw picture.

    Raises:
        TaskError: no such camera, a file that is no task before or after, or not writable. The file is then
            as it was.
    """
    path = path.resolve()
    before = load_task(str(path))
    if camera not in [spec.name for spec in before.cameras]:
        known = ", ".join(spec.name for spec in before.cameras)
        raise TaskError(f"camera: '{camera}' is not in {path}; known cameras: {known}")
    try:
        text = path.read_bytes().decode("utf-8")
        changed = _with_crop(text, camera, crop)
        _replace(path, changed, before, camera, crop)
    except (OSError, YAMLError) as error:
        raise TaskError(f"task file {path}: not writable: {error}; nothing was changed") from error


def _with_crop(text: str, camera: str, crop: CropSpec) -> str:
    """The text of a task file with the crop of one camera set."""
    entry = _camera_node(YAML().compose(io.StringIO(text)), camera)
    keys = {key.value: (key, value) for key, value in entry.value}
    shown = "{" + ", ".join(f"{edge}: {getattr(crop, edge)}" for edge in EDGES) + "}"
    if "crop" not in keys:
        return _with_new_crop(text, entry, keys["name"], shown)
    value = keys["crop"][1]
    if not isinstance(value.value, list):  # null
        return _spliced(text, value, shown)
    edges = {key.value: node for key, node in value.value}
    for edge in sorted(EDGES, key=lambda name: edges[name].start_mark.index, reverse=True):
        text = _spliced(text, edges[edge], str(getattr(crop, edge)))
    return text


def _with_new_crop(text: str, entry: Any, name: tuple[Any, Any], shown: str) -> str:
    """Adds the key: inside the braces, or as a line below the name."""
    if entry.flow_style:
        end = len(text[: entry.end_mark.index - 1].rstrip().rstrip(","))
        return f"{text[:end]}, crop: {shown}{text[end:]}"
    key, value = name
    newline = "\r\n" if "\r\n" in text else "\n"
    end = text.find("\n", value.end_mark.index)
    if end < 0:
        end = len(text)
    elif text[end - 1] == "\r":
        end -= 1
    return f"{text[:end]}{newline}{' ' * key.start_mark.column}crop: {shown}{text[end:]}"


def _spliced(text: str, node: Any, new: str) -> str:
    return text[: node.start_mark.index] + new + text[node.end_mark.index :]


def _camera_node(root: Any, camera: str) -> Any:
    cameras = next(value for key, value in root.value if key.value == "cameras")
    return next(
        entry
        for entry in cameras.value
        if any(key.value == "name" and value.value == camera for key, value in entry.value)
    )


def _replace(path: Path, text: str, before: Task, camera: str, crop: CropSpec) -> None:
    """Puts a checked text in the place of the file: either all of it or nothing."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".yaml")
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        after = load_task(name)
        wanted = tuple(
            spec.model_copy(update={"crop": crop}) if spec.name == camera else spec for spec in before.cameras
        )
        if after != before.model_copy(update={"cameras": wanted}):
            raise TaskError(
                f"task file {path}: the crop of '{camera}' cannot be set without changing more (anchors?); "
                f"nothing was changed; write it by hand: crop: {crop.model_dump()}"
            )
        new.chmod(path.stat().st_mode & 0o777)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
