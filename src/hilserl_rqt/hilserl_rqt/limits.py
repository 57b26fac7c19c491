# SPDX-License-Identifier: Apache-2.0
"""Controller limits in words: which axis or joint touches which rule, now and a moment ago."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hilserl_msgs.msg import CartesianControllerState as State

AXES = ("x", "y", "z", "rx", "ry", "rz")
# Flag, column title, what the rule is.
AXIS_RULES: tuple[tuple[int, str, str], ...] = (
    (State.LIMIT_CLIP, "clip", "error clipped: pushes as hard as it may"),
    (State.LIMIT_WORKSPACE, "box", "target outside of the workspace box"),
    (State.LIMIT_WALL, "wall", "a soft workspace wall pushes back"),
    (State.LIMIT_SPEED, "speed", "reference at its speed limit"),
    (State.LIMIT_WRENCH_CAP, "cap", "wrench of the law capped"),
    (State.LIMIT_WRENCH, "cmd", "commanded wrench at its limit"),
    (State.LIMIT_WRENCH_RATE, "ramp", "commanded wrench still on its way"),
    (State.LIMIT_INVALID_TARGET, "bad", "target refused: not a number or no pose"),
)
JOINT_RULES: tuple[tuple[int, str, str], ...] = (
    (State.JOINT_LIMIT_EFFORT, "effort", "torque capped"),
    (State.JOINT_LIMIT_RATE, "rate", "torque changes as fast as it may"),
    (State.JOINT_LIMIT_POSITION, "position", "near the end of its range"),
)
RECENT_S = 3.0  # a touch stays visible for so long: people do not see one of a tenth of a second


@dataclass(frozen=True)
class Touch:
    """A limit that was touched.

    Attributes:
        where: axis ("z") or joint ("joint 4").
        rule: column title of the rule.
        age_s: since it was last seen; 0: now.
    """

    where: str
    rule: str
    age_s: float

    def __str__(self) -> str:
        return f"{self.where} {self.rule}"


class LimitMemory:
    """When each limit was last touched."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], float] = {}
        self.joints = 0

    def update(self, axis_flags: Sequence[int], joint_flags: Sequence[int], now_s: float) -> None:
        """Takes the flags of one controller state; bits that no rule knows are left out."""
        self.joints = len(joint_flags)
        named = [(axis, flags, AXIS_RULES) for axis, flags in zip(AXES, axis_flags, strict=False)]
        named += [(f"joint {i}", flags, JOINT_RULES) for i, flags in enumerate(joint_flags, start=1)]
        for where, flags, rules in named:
            for bit, rule, _ in rules:
                if int(flags) & bit:
                    self._seen[where, rule] = now_s

    def age_s(self, where: str, rule: str, now_s: float) -> float | None:
        """Since the last touch; None when it is not recent."""
        at = self._seen.get((where, rule))
        return now_s - at if at is not None and now_s - at <= RECENT_S else None

    def touches(self, now_s: float) -> list[Touch]:
        """The recent ones, axes before joints, newest first."""
        found = [
            Touch(where, rule, now_s - at)
            for (where, rule), at in self._seen.items()
            if now_s - at <= RECENT_S
        ]
        return sorted(found, key=lambda touch: (touch.where.startswith("joint"), touch.age_s))
