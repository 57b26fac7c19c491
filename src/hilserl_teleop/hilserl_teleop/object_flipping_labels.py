# SPDX-License-Identifier: Apache-2.0
"""What a person shows the reward classifier of object_flipping: both sides lying anywhere in the pan while it
is rocked, throws that are caught and throws that are not, and the empty pan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hilserl_task import Task
from hilserl_task.frames import Array
from hilserl_teleop.craft import Push, View
from hilserl_teleop.object_flipping_craft import ObjectFlippingCraft, SwingNumbers

ROCK_S = (0.4, 0.9)
ROCK = np.array([8.0, 0.0, 8.0, 0.0, 2.5, 0.0])  # N, Nm: the object slides about, but stays in the pan
ROCK_TURN_S = 0.15  # the wrench changes its mind this often
# Share of a good throw's angle: the lower ones do not turn the object, the upper ones throw it out.
THROW_SHARE = (0.6, 1.3)
SPILL_SHARE = 0.25  # of episodes end with a throw forward, out of the pan
SPILL = (20.0, 12.0, -5.0)
EMPTY_S = 0.5  # pictures of the empty pan
EPISODE_S = 3.0


class ObjectFlippingLabels:
    """Sequence of exercises (`hilserl_teleop.craft.LabelRoutine`)."""

    def __init__(self, task: Task, craft: ObjectFlippingCraft, rng: np.random.Generator) -> None:
        # Of its own: throws on show are better and worse than those of demonstrations.
        self._craft = ObjectFlippingCraft(task, rng)
        self._period_s, self._rng = task.period_s, rng
        self._limit_s = min(EPISODE_S, (task.episode.max_steps - 1) * task.period_s)
        self._elapsed_s, self._thrown = 0.0, False
        self.reset()

    def reset(self) -> None:
        """A new random sequence for the next episode."""
        last = "spill" if self._rng.random() < SPILL_SHARE else "throw"
        self._plan = ["rock", last]
        self._empty_s = 0.0
        self._next()

    def wants_to_stop(self, view: View) -> bool:
        """Long enough, or the empty pan was shown."""
        return view.step * self._period_s >= self._limit_s or self._empty_s >= EMPTY_S

    def moves(self, view: View) -> dict[str, Push]:
        """The next step of the present exercise."""
        self._elapsed_s += self._period_s
        if self._craft.astray(view):
            self._empty_s += self._period_s
            self.exercise = "empty"
        elif self._is_over():
            self._next()
        if self.exercise in ("throw", "spill"):
            push = self._craft.moves(view)
            self._thrown |= self._craft.stage != "wait"
            return push
        return {self._craft.arm: Push(self._rocking(), np.eye(3))}

    def _is_over(self) -> bool:
        if self.exercise == "rock":
            return self._elapsed_s > self._rock_s
        return self._thrown and self._craft.stage == "wait"  # caught, or still flying: rocking catches it too

    def _next(self) -> None:
        """Starts the next exercise; when the plan is over, more of both."""
        if not self._plan:
            self._plan = ["rock", "throw"]
        self.exercise = self._plan.pop(0)
        self._elapsed_s, self._thrown = 0.0, False
        self._rock_s = self._rng.uniform(*ROCK_S)
        self._wrench, self._wrench_s = np.zeros(6), 0.0
        usual = SwingNumbers()
        harder = replace(usual, until_rad=usual.until_rad * self._rng.uniform(*THROW_SHARE))
        self._craft.numbers = replace(usual, thrust=SPILL) if self.exercise == "spill" else harder
        self._craft.reset()

    def _rocking(self) -> Array:
        """(6,) a wrench that changes now and then."""
        self._wrench_s -= self._period_s
        if self._wrench_s <= 0.0:
            self._wrench_s = self._rng.uniform(0.5, 1.5) * ROCK_TURN_S
            self._wrench = ROCK * self._rng.uniform(-1.0, 1.0, 6)
        return self._wrench
