# SPDX-License-Identifier: Apache-2.0
"""Numbers of a scene: a dataclass of defaults in SI units, which the task file changes by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from hilserl_task import TaskError

Numbers = TypeVar("Numbers")
Bounds = Mapping[str, tuple[float, float]]


def read_dimensions(kind: type[Numbers], bounds: Bounds, parameters: Mapping[str, float]) -> Numbers:
    """Defaults of `kind`, a dataclass of floats, changed by the task.

    Args:
        bounds: (lowest, highest) of every field.

    Raises:
        TaskError: unknown name or value out of bounds.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name, value in parameters.items():
        if name not in known:
            raise TaskError(f"scene.parameters.{name}: unknown; known: {', '.join(known)}")
        low, high = bounds[name]
        if not low <= value <= high:
            raise TaskError(
                f"scene.parameters.{name}: {value} must be within [{low}, {high}]; "
                f"example: {name}: {getattr(kind, name)}"
            )
    changed: dict[str, Any] = dict(parameters)
    return kind(**changed)
