# SPDX-License-Identifier: Apache-2.0
"""What a person knows of inserting what is in the hand already (scene ram_insertion and its kin)."""

from __future__ import annotations

import numpy as np

from hilserl_task import Task
from hilserl_task.frames import Array, inverse, position_and_rotvec
from hilserl_teleop.craft import Push, View
from hilserl_teleop.insertion_skill import InsertionSkill

REGION_HEIGHT_M = (-0.01, 0.12)  # of the tcp above the inserted pose
REGION_TURN_RAD = 0.35
ON_TRACK_LATERAL_M = 0.01
RADIUS_M = 0.05  # turns a rotation error into a distance: half the length of the stick, roughly


class InsertionCraft:
    """One arm; the goal's z axis is the way in (`hilserl_teleop.craft.Craft`).

    Attributes:
        arm: that inserts.
        skill: its hand movements.
    """

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._spec = task.operator.scripted
        self.arm = task.arms[0].name
        self.skill = InsertionSkill(task.period_s, rng)

    def reset(self) -> None:
        """Aligns anew."""
        self.skill.reset()

    def goal_T_tcp(self, view: View) -> Array:
        """4x4 measured pose relative to the inserted pose."""
        return inverse(view.world_T_goal) @ view.world_T_tcp[self.arm]

    def moves(self, view: View) -> dict[str, Push]:
        """Align, push, search, retry."""
        wanted = self.skill.displacement(self.goal_T_tcp(view), view.depth)
        return {self.arm: Push(wanted, view.world_T_goal[:3, :3])}

    def distance_m(self, view: View) -> float:
        """To the inserted pose, turns included."""
        error = position_and_rotvec(self.goal_T_tcp(view))
        return float(np.linalg.norm(error[:3]) + RADIUS_M * np.linalg.norm(error[3:]))

    def astray(self, view: View) -> bool:
        """Outside the region over the slot."""
        error = position_and_rotvec(self.goal_T_tcp(view))
        low, high = REGION_HEIGHT_M
        return bool(
            np.hypot(*error[:2]) > self._spec.stray_distance_m
            or not low < -error[2] < high
            or np.linalg.norm(error[3:]) > REGION_TURN_RAD
        )

    def back_on_track(self, view: View) -> bool:
        """Over the slot again."""
        lateral = np.hypot(*self.goal_T_tcp(view)[:2, 3])
        return bool(lateral < ON_TRACK_LATERAL_M and not self.astray(view))

    def finished(self, view: View) -> bool:
        """Nothing is left to push, which is stricter than the simulator's own criterion: a classifier that
        errs by a millimetre then still errs on the inserted side."""
        return view.success and view.depth >= self._spec.seated_depth_m
