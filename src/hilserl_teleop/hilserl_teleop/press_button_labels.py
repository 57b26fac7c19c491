# SPDX-License-Identifier: Apache-2.0
"""What a person shows the reward classifier of press_button: the button pressed, nearly pressed, the box
pressed beside it, and the fist anywhere else."""

from __future__ import annotations

import numpy as np

from hilserl_task import Task
from hilserl_task.frames import Array
from hilserl_teleop.craft import Push, View
from hilserl_teleop.press_button_craft import PressButtonCraft

# Where the fist goes, from its pose with the button pressed: sideways and upwards [m]; for how many steps.
EXERCISES = {
    "wander": ((0.0, 0.04), (0.008, 0.06), 8),
    "low": ((0.035, 0.08), (-0.03, 0.01), 10),  # the hand beside the box, before a camera too
    "beside": ((0.021, 0.035), (-0.012, -0.005), 12),  # presses the box
    "half": ((0.0, 0.008), (0.0, 0.008), 10),  # the spring stops it earlier: every depth short of success
    "press": ((0.0, 0.008), (-0.012, -0.008), 14),
}
TILT_RAD = 0.15  # of the fist about every axis: a policy turns it as well, and pictures change with it
EPISODE_STEPS = 56  # most of them, in an episode of 60


class PressButtonLabels:
    """All exercises in random order, over and over (`hilserl_teleop.craft.LabelRoutine`)."""

    def __init__(self, task: Task, craft: PressButtonCraft, rng: np.random.Generator) -> None:
        self._craft, self._rng = craft, rng
        self.reset()

    def reset(self) -> None:
        """Another sequence for the next episode."""
        self._plan: list[str] = []
        self._steps = 0

    def moves(self, view: View) -> dict[str, Push]:
        """The next step of the present exercise."""
        if self._steps == 0:
            self._place, self._steps = self._next()
            self._tilt = self._rng.uniform(-TILT_RAD, TILT_RAD, 3)
        self._steps -= 1
        pushes = self._craft.towards(view, self._place)
        for push in pushes.values():
            push.wanted[3:] += self._tilt  # instead of the upright pose
        return pushes

    def wants_to_stop(self, view: View) -> bool:
        """Shown enough."""
        return view.step >= EPISODE_STEPS

    def _next(self) -> tuple[Array, int]:
        """Place (3,) and steps of the next exercise."""
        if not self._plan:
            self._plan = [str(name) for name in self._rng.permutation([*EXERCISES, "press", "beside"])]
        sideways, upwards, steps = EXERCISES[self._plan.pop()]
        angle, radius = self._rng.uniform(0.0, 2 * np.pi), self._rng.uniform(*sideways)
        return np.array([radius * np.cos(angle), radius * np.sin(angle), self._rng.uniform(*upwards)]), steps
