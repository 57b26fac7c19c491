# SPDX-License-Identifier: Apache-2.0
"""Writes a crop into a task file and leaves every other character as it is: comments, order, alignment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hilserl_task import Task, TaskError, load_task
from hilserl_task.camera_spec import CropSpec
from hilserl_task.edit import compose, edit_task_file, spliced, value_of

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
    before = load_task(str(path))
    if camera not in [spec.name for spec in before.cameras]:
        known = ", ".join(spec.name for spec in before.cameras)
        raise TaskError(f"camera: '{camera}' is not in {path}; known cameras: {known}")
    wanted = tuple(
        spec.model_copy(update={"crop": crop}) if spec.name == camera else spec for spec in before.cameras
    )

    def nothing_else_changed(after: Task) -> bool:
        return after == before.model_copy(update={"cameras": wanted})

    by_hand = f"crop: {crop.model_dump()} of camera '{camera}'"
    edit_task_file(path, lambda text: _with_crop(text, camera, crop), nothing_else_changed, by_hand)


def _with_crop(text: str, camera: str, crop: CropSpec) -> str:
    """The text of a task file with the crop of one camera set."""
    entry = _camera_node(compose(text), camera)
    keys = {key.value: (key, value) for key, value in entry.value}
    shown = "{" + ", ".join(f"{edge}: {getattr(crop, edge)}" for edge in EDGES) + "}"
    if "crop" not in keys:
        return _with_new_crop(text, entry, keys["name"], shown)
    value = keys["crop"][1]
    if not isinstance(value.value, list):  # null
        return _replaced(text, value, shown)
    edges = {key.value: node for key, node in value.value}
    for edge in sorted(EDGES, key=lambda name: edges[name].start_mark.index, reverse=True):
        text = _replaced(text, edges[edge], str(getattr(crop, edge)))
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


def _replaced(text: str, node: Any, new: str) -> str:
    return spliced(text, node.start_mark.index, node.end_mark.index, new)


def _camera_node(root: Any, camera: str) -> Any:
    cameras = value_of(root, "cameras")
    return next(
        entry
        for entry in cameras.value
        if any(key.value == "name" and value.value == camera for key, value in entry.value)
    )
