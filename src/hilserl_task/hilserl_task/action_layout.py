# SPDX-License-Identifier: Apache-2.0
"""Which value of an action means what. The only place that counts them.

Per arm, in task-file order: translation xyz and rotation xyz in the tcp frame, then, where the gripper is
learned, its command (original: [6] or [6 | g | 6 | g], sac_hybrid_dual.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TWIST_VALUES = 6


@dataclass(frozen=True)
class ArmValues:
    """Where one arm's values are.

    Attributes:
        twist: its six values.
        gripper: index of its gripper command; None where the gripper is fixed.
    """

    twist: slice
    gripper: int | None

    @property
    def all(self) -> slice:
        """All values of the arm."""
        return slice(self.twist.start, self.twist.stop + (self.gripper is not None))


@dataclass(frozen=True)
class ActionLayout:
    """Values of an action, arm by arm; `size` of them altogether."""

    arms: tuple[ArmValues, ...]
    size: int

    @staticmethod
    def of(learned_grippers: Iterable[bool]) -> ActionLayout:
        """Layout of arms, each of which has a learned gripper or not."""
        arms, start = [], 0
        for learned in learned_grippers:
            stop = start + TWIST_VALUES
            arms.append(ArmValues(slice(start, stop), stop if learned else None))
            start = stop + learned
        return ActionLayout(tuple(arms), start)

    @property
    def gripper_columns(self) -> tuple[int, ...]:
        """Indices of all gripper commands."""
        return tuple(arm.gripper for arm in self.arms if arm.gripper is not None)
