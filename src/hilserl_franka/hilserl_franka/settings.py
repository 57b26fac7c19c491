# SPDX-License-Identifier: Apache-2.0
"""What a robot file says about a Franka arm, checked."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hilserl_task import TaskError

JOINTS, AXES = 7, 6


@dataclass(frozen=True)
class CollisionThresholds:
    """Contact (lower) and collision (upper) thresholds, of libfranka's setCollisionBehavior.

    A torque in Nm per joint, or a force in N (Nm for the last three) per base axis, above `upper` is a
    reflex: the robot stops. The same numbers hold in the acceleration and the constant-velocity phases.
    """

    lower_torque: Sequence[float]
    upper_torque: Sequence[float]
    lower_force: Sequence[float]
    upper_force: Sequence[float]

    def __post_init__(self) -> None:
        for kind, size in (("torque", JOINTS), ("force", AXES)):
            lower, upper = (getattr(self, f"{side}_{kind}") for side in ("lower", "upper"))
            for name, values in ((f"lower_{kind}", lower), (f"upper_{kind}", upper)):
                _check_thresholds(f"collision.{name}", values, size)
            if any(low > high for low, high in zip(lower, upper, strict=True)):
                raise TaskError(
                    f"collision.lower_{kind}: {list(lower)} must be at most collision.upper_{kind} "
                    f"{list(upper)}, axis by axis"
                )

    def fill(self, request: Any) -> Any:
        """Sets the fields of a franka_msgs SetFullCollisionBehavior request; returns it."""
        for side in ("lower", "upper"):
            for kind in ("torque", "force"):
                values = [float(value) for value in getattr(self, f"{side}_{kind}")]
                for phase in ("nominal", "acceleration"):
                    setattr(request, f"{side}_{kind}_thresholds_{phase}", values)
        return request


def _check_thresholds(name: str, values: Sequence[float], size: int) -> None:
    if len(values) != size or not all(math.isfinite(value) and value > 0.0 for value in values):
        raise TaskError(
            f"{name}: {list(values)} must be {size} finite numbers above 0; example: {[40.0] * size}"
        )


class RecoveryBudget:
    """How many automatic recoveries are left: at most `count` within `window_s`.

    An arm that stops again and again needs a person, not another try.
    """

    def __init__(self, count: int, window_s: float) -> None:
        if count < 0 or not (math.isfinite(window_s) and window_s > 0.0):
            raise TaskError(
                f"automatic_recoveries, window: {count}, {window_s} must be at least 0 and above 0 s; "
                "example: automatic_recoveries:=3 window:=60.0"
            )
        self._count, self._window_s = count, window_s
        self._used: deque[float] = deque()

    def take(self, now_s: float) -> bool:
        """Uses one up, if there is one."""
        while self._used and now_s - self._used[0] >= self._window_s:
            self._used.popleft()
        if len(self._used) >= self._count:
            return False
        self._used.append(now_s)
        return True
