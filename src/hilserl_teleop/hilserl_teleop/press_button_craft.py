# SPDX-License-Identifier: Apache-2.0
"""How a person presses a button with a fist: over it, then down. Scene press_button."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_task import Task
from hilserl_task.frames import Array
from hilserl_teleop.craft import Push, View

AIMED_M = 0.005  # sideways; the fist hits the cap up to 18 mm off, but a person aims
HOVER_M = 0.018  # over the pressed pose while not aimed: clear of the cap (6 mm of travel)
PUSH_M = 0.012  # below the pressed pose: full deflection, whatever the spring does
LOW_M, HIGH_M = -0.01, 0.10  # heights over the pressed pose beyond which the hand is astray
BACK_M = 0.01  # sideways: a correction may end here


class PressButtonCraft:
    """One arm, fist closed (`hilserl_teleop.craft.Craft`). Nothing is remembered: the next step follows from
    what is seen."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._spec, self.arm = task.operator.scripted, task.arms[0].name

    def reset(self) -> None:
        """Nothing to forget."""

    def moves(self, view: View) -> dict[str, Push]:
        """Over the button, then down."""
        return self.towards(view, np.array([0.0, 0.0, -PUSH_M]))

    def towards(self, view: View, place: Array) -> dict[str, Push]:
        """A step to a place (3,) [m] given from the pose with the button pressed; from above."""
        way = place - self.off(view)
        if np.hypot(*way[:2]) > AIMED_M:
            way[2] = max(HOVER_M, place[2]) - self.off(view)[2]
            if way[2] > AIMED_M:
                way[:2] = 0.0  # up first: the cap is in the way
        turn = view.world_T_goal[:3, :3] @ view.world_T_tcp[self.arm][:3, :3].T
        return {self.arm: Push(np.array([*way, *Rotation.from_matrix(turn).as_rotvec()]), np.eye(3))}

    def off(self, view: View) -> Array:
        """(3,) of the tcp from its pose with the button pressed, world axes [m]."""
        off: Array = view.world_T_tcp[self.arm][:3, 3] - view.world_T_goal[:3, 3]
        return off

    def distance_m(self, view: View) -> float:
        """Way of the fist to the pressed pose."""
        return float(np.linalg.norm(self.off(view)))

    def astray(self, view: View) -> bool:
        """Far to the side, or far up."""
        x, y, height = self.off(view)
        return bool(np.hypot(x, y) > self._spec.stray_distance_m or not LOW_M < height < HIGH_M)

    def back_on_track(self, view: View) -> bool:
        """Over the button again."""
        return bool(np.hypot(*self.off(view)[:2]) < BACK_M and not self.astray(view))

    def finished(self, view: View) -> bool:
        """Pressed a little deeper than what counts: a classifier that errs still errs on that side."""
        return view.success and view.depth >= self._spec.seated_depth_m
