# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a file, in words: key, value, rule and a good example of every problem."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ValidationError

Location = tuple[int | str, ...]


def explain(
    what: str,
    error: ValidationError,
    model: type[BaseModel],
    example_file: str = "config/tasks/ram_insertion.yaml",
) -> str:
    """One text of all problems; for an unknown key with the nearest good one.

    Args:
        what: the file, e.g. `task file a.yaml`.
        model: schema of the whole file.
        example_file: one that has all required keys.
    """
    lines = []
    for problem in _own_problems(error.errors()):
        key = ".".join(str(part) for part in problem["loc"]) or what.split()[0]
        if problem["type"] == "extra_forbidden":
            known = _fields_at(model, problem["loc"][:-1])
            close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}"
            lines.append(f"{key}: unknown key; {hint}")
        elif problem["type"] == "missing":
            lines.append(f"{key}: required key is missing; example: see {example_file}")
        else:
            rule = problem["msg"].removeprefix("Value error, ")
            value = "" if isinstance(problem["input"], dict) else f" got {problem['input']!r}"
            lines.append(f"{key}: {rule}{';' + value if value else ''}{_example(model, problem['loc'])}")
    return f"{what}: " + "; ".join(lines)


def _own_problems(problems: list[Any]) -> list[Any]:
    """Without those that only follow: a list whose items are wrong is also called too short."""
    inside = {problem["loc"][:depth] for problem in problems for depth in range(1, len(problem["loc"]))}
    return [problem for problem in problems if problem["type"] != "too_short" or problem["loc"] not in inside]


def _example(model: type[BaseModel], location: Location) -> str:
    """The default of a field as an example, where it has one; of a list's item there is none."""
    section, field = _walk(model, location)
    if section is None or field not in section.model_fields or isinstance(location[-1], int):
        return ""
    default = section.model_fields[field].default
    shown = isinstance(default, int | float | str | tuple | bool) and not isinstance(default, BaseModel)
    return f"; example: {field}: {default}" if shown else ""


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    """Known keys of the section at a location."""
    section, _ = _walk(model, (*location, ""))
    return sorted(section.model_fields) if section is not None else []


def _walk(model: type[BaseModel], location: Location) -> tuple[type[BaseModel] | None, str]:
    """The section that holds the last part of a location, and that part."""
    section: type[BaseModel] | None = model
    parts = [part for part in location if isinstance(part, str)]
    for part in parts[:-1]:
        if section is None or part not in section.model_fields:
            return None, parts[-1]
        section = _section_in(section.model_fields[part].annotation)
    return section, parts[-1] if parts else ""


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The section class inside an annotation such as `tuple[ArmSpec, ...]` or `CropSpec | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _section_in(argument)
        if found is not None:
            return found
    return None
