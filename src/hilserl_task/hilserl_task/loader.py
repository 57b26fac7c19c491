# SPDX-License-Identifier: Apache-2.0
"""Finds, reads, overrides and validates a task file."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hilserl_task.errors import TaskError
from hilserl_task.explain import explain
from hilserl_task.schema import Task
from hilserl_task.spaces import state_names


def config_folders() -> list[Path]:
    """Folders searched for `tasks/<name>.yaml`, first match wins.

    `HILSERL_CONFIG`, then `config/` of the working directory and its parents, then what
    hilserl_bringup installed.
    """
    folders = [Path(os.environ["HILSERL_CONFIG"])] if os.environ.get("HILSERL_CONFIG") else []
    folders += [base / "config" for base in (Path.cwd(), *Path.cwd().parents)]
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if prefix]
    folders += [prefix / "share" / "hilserl_bringup" / "config" for prefix in prefixes]
    return [folder for folder in folders if (folder / "tasks").is_dir()]


def available_tasks() -> list[str]:
    """Names of all tasks that `load_task` finds, sorted."""
    return available("task")


def find_task_file(name_or_path: str) -> Path:
    """Path of a task given by name (`ram_insertion`) or path (`my/task.yaml`).

    Raises:
        TaskError: there is none; the text lists the known names.
    """
    return find_config_file("task", name_or_path, "config/tasks/ram_insertion.yaml")


def available(kind: str) -> list[str]:
    """Names of all files of a kind (`task`: those in `tasks/`) in the configuration folders, sorted."""
    return sorted({path.stem for folder in config_folders() for path in (folder / f"{kind}s").glob("*.yaml")})


def find_config_file(kind: str, name_or_path: str, example: str) -> Path:
    """Path of a file of a kind, given by name or path.

    Raises:
        TaskError: there is none; the text lists the known names, or the example of a path.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise TaskError(f"{kind}: file '{name_or_path}' does not exist; example: {example}")
    for folder in config_folders():
        candidate = folder / f"{kind}s" / f"{name_or_path}.yaml"
        if candidate.is_file():
            return candidate
    names = available(kind)
    close = difflib.get_close_matches(name_or_path, names, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else "."
    raise TaskError(
        f"{kind}: '{name_or_path}' is unknown{hint} Known {kind}s: {', '.join(names) or 'none found'}"
    )


def load_task(name_or_path: str, overrides: Iterable[str] = ()) -> Task:
    """Reads and validates a task.

    Args:
        name_or_path: task name, or path of a YAML file.
        overrides: strings `section.key=value`; values are YAML; list items by index (`arms.0.action...`).

    Raises:
        TaskError: names the key, the value, the rule and an example.
    """
    path = find_task_file(name_or_path)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise TaskError(f"task file {path}: not readable as YAML: {error}") from error
    if not isinstance(data, dict):
        raise TaskError(
            f"task file {path}: must be a mapping with a key 'name'; example: name: ram_insertion"
        )
    for override in overrides:
        if override:
            _apply_override(data, override)
    try:
        task = Task.model_validate(data)
    except ValidationError as error:
        raise TaskError(explain(f"task file {path}", error, Task)) from error
    _check_gates(path, task)
    return task


def _check_gates(path: Path, task: Task) -> None:
    """Gates of the reward name entries of the state, which the schema does not know."""
    if task.reward.gates:
        known = state_names(task)
        for number, gate in enumerate(task.reward.gates):
            if gate.entry not in known:
                close = difflib.get_close_matches(gate.entry, known, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known entries: {', '.join(known)}"
                key = f"reward.gates.{number}.entry"
                raise TaskError(f"task file {path}: {key}: '{gate.entry}' is not in the state; {hint}")


def _apply_override(data: Any, override: str) -> None:
    """Sets one `a.b.0.c=value` in nested dicts and lists."""
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise TaskError(f"override '{override}': must be key=value; example: episode.max_steps=80")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TaskError(f"override '{override}': value is not YAML: {error}") from error
    node, parts = data, key.split(".")
    for part in parts[:-1]:
        if isinstance(node, list):
            node = _list_item(node, part, override)
        else:
            node = node.setdefault(part, {})
            if not isinstance(node, dict | list):
                raise TaskError(f"override '{override}': '{part}' is a value, not a section")
    if isinstance(node, list):
        _list_item(node, parts[-1], override)
        node[int(parts[-1])] = value
    else:
        node[parts[-1]] = value


def _list_item(items: list[Any], part: str, override: str) -> Any:
    if not part.isdigit() or int(part) >= len(items):
        raise TaskError(
            f"override '{override}': '{part}' is not an index below {len(items)}; "
            "example: arms.0.action.translation_scale_m=0.01"
        )
    return items[int(part)]
