# SPDX-License-Identifier: Apache-2.0
"""Which value of an action means what. The only place that counts them.

Per arm, in task-file order: its motion, which is translation xyz and rotation xyz in the tcp frame or, of an
arm with wrench actions, the axes that `ActionSpec.names` names; then, where the gripper is learned, its
command (original: [6], [6 | g | 6 | g] of sac_hybrid_dual.py, or [3] of the egg flip).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

STICK_AXES = 6  # of an input device: translation xyz, rotation xyz


@dataclass(frozen=True)
class ArmValues:
    """Where one arm's values are.

    Attributes:
        motion: its twist or wrench values.
        gripper: index of its gripper command; None where the gripper is fixed.
    """

    motion: slice
    gripper: int | None

    @property
    def all(self) -> slice:
        """All values of the arm."""
        return slice(self.motion.start, self.motion.stop + (self.gripper is not None))


@dataclass(frozen=True)
class ActionLayout:
    """Values of an action, arm by arm; `size` of them altogether."""

    arms: tuple[ArmValues, ...]
    size: int

    @staticmethod
    def of(arms: Iterable[tuple[int, bool]]) -> ActionLayout:
        """Layout of arms: of each its number of motion values, and whether its gripper is learned."""
        places, start = [], 0
        for values, learned in arms:
            stop = start + values
            places.append(ArmValues(slice(start, stop), stop if learned else None))
            start = stop + learned
        return ActionLayout(tuple(places), start)

    @property
    def gripper_columns(self) -> tuple[int, ...]:
        """Indices of all gripper commands."""
        return tuple(arm.gripper for arm in self.arms if arm.gripper is not None)
