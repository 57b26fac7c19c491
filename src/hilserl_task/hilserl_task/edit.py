# SPDX-License-Identifier: Apache-2.0
"""Changes a task file in place: one place of its text, all at once, never into one that does not load.

ruamel.yaml says where things stand; comments, order and alignment of everything else stay.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hilserl_task.errors import TaskError
from hilserl_task.loader import load_task
from hilserl_task.schema import Task


def edit_task_file(
    path: Path, change: Callable[[str], str], wanted: Callable[[Task], bool], by_hand: str
) -> None:
    """Replaces a task file by a changed text: either all of it or nothing.

    Args:
        path: a link is followed, so that the file it stands for changes.
        change: old text to new text.
        wanted: whether the task that comes of it is what it should be.
        by_hand: what to write where the change cannot be made without changing more (anchors).

    Raises:
        TaskError: no task before or after, or not writable. The file is then as it was.
    """
    path = path.resolve()
    load_task(str(path))
    try:
        _replace(path, change(path.read_bytes().decode("utf-8")), wanted, by_hand)
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise TaskError(f"task file {path}: not writable: {error}; nothing was changed") from error


def _replace(path: Path, text: str, wanted: Callable[[Task], bool], by_hand: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".yaml")
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        if not wanted(load_task(name)):
            raise TaskError(
                f"task file {path}: cannot be changed there without changing more (anchors?); "
                f"nothing was changed; write it by hand: {by_hand}"
            )
        new.chmod(path.stat().st_mode & 0o777)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def with_value(text: str, keys: Sequence[str], value: Any) -> str:
    """The text with a plain value (numbers, texts, lists, mappings) at `keys`; levels that lack are added."""
    node = compose(text)
    for depth, key in enumerate(keys):
        found = value_of(node, key)
        if found is None or (depth < len(keys) - 1 and (_is_null(found) or not found.value)):
            return _with_new(text, node, keys[: depth + 1], _nested(keys[depth + 1 :], value), found)
        node = found
    return spliced(text, node.start_mark.index, end_of(node), flow(value))


def _nested(keys: Sequence[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _with_new(text: str, mapping: Any, keys: Sequence[str], value: Any, empty: Any) -> str:
    """Adds `keys[-1]: value` to a mapping, as its first entry; or fills an empty one."""
    entry = f"{keys[-1]}: {flow(value)}"
    if empty is not None and _is_null(empty):
        name = next(name for name, value in mapping.value if value is empty)
        colon = text.index(":", name.end_mark.index)
        return spliced(text, colon + 1, max(colon + 1, _end_of_null(text, empty)), " " + flow(value))
    if empty is not None:  # {}
        return spliced(text, empty.start_mark.index, empty.end_mark.index, flow(value))
    if len(keys) == 1:
        return (text if text.endswith("\n") or not text else text + "\n") + f"\n{entry}\n"
    if mapping.flow_style:
        start = mapping.start_mark.index + 1
        return spliced(text, start, start, entry + (", " if mapping.value else ""))
    first = mapping.value[0][0].start_mark
    return spliced(text, first.index, first.index, f"{entry}\n{' ' * first.column}")


def _is_null(node: Any) -> bool:
    return str(node.tag).endswith("null")


def _end_of_null(text: str, node: Any) -> int:
    """Of a written `null` or `~`; an absent one ends where the parser happened to look next."""
    written = text[node.start_mark.index : node.end_mark.index].strip()
    return int(node.end_mark.index) if written else 0


def compose(text: str) -> Any:
    """The nodes of a YAML text."""
    return YAML().compose(io.StringIO(text))


def value_of(mapping: Any, key: str) -> Any:
    """Node of a key, or None."""
    return next((value for name, value in mapping.value if name.value == key), None)


def end_of(node: Any) -> int:
    """Where a node's text ends. The parser lets block nodes reach up to the next key, over comments."""
    if isinstance(node.value, str) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return end_of(last[1] if isinstance(last, tuple) else last)


def spliced(text: str, start: int, end: int, new: str) -> str:
    """The text with another one in the place of [start, end)."""
    return text[:start] + new + text[end:]


def flow(value: Any) -> str:
    """A plain value as YAML on one line."""
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = True
    yaml.width = 100_000
    yaml.dump(value, text)
    return text.getvalue().removesuffix("...\n").strip()
