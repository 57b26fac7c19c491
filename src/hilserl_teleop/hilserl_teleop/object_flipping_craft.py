# SPDX-License-Identifier: Apache-2.0
"""How a person flips what lies in a pan: wait until it lies still, thrust, brake, catch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilserl_task import Task
from hilserl_task.frames import Array, inverse
from hilserl_teleop.craft import Push, View


@dataclass(frozen=True)
class SwingNumbers:
    """One throw. Wrenches are force x, force z [N] and torque about y [Nm], base axes: -y lifts the far rim.

    Found by search in the simulated scene for the most flips caught with an imprecise hand.
    """

    thrust: tuple[float, float, float] = (10.0, 16.0, -5.0)
    until_rad: float = 0.58  # far rim up by this: enough speed to fly and to turn over
    brake: tuple[float, float, float] = (-9.0, -20.0, 5.0)  # the pan stops, what lies in it flies on
    brake_s: float = 0.12
    catch: tuple[float, float, float] = (6.0, -8.0, 3.6)  # under the falling object, and level again
    catch_s: float = 0.09
    thrust_at_most_s: float = 0.6
    lies_still_m: float = 0.004  # moved less than this against the pan since the last look
    level_rad: float = 0.15
    settle_s: float = 0.1  # lies still for so long before the next throw
    leans_s: float = 0.3  # leans still for so long: against the rim, a jolt brings it down
    jolt: tuple[float, float, float] = (-8.0, 16.0, 2.0)
    jolt_s: float = 0.1


class Seen:
    """What a person reads off a view.

    Attributes:
        pan_P_object: (3,) middle of the object in the pan's frame [m].
        nose_up_rad: how far the far rim is lifted.
    """

    def __init__(self, view: View) -> None:
        world_T_pan = view.world_T["pan"]
        self.pan_P_object: Array = (inverse(world_T_pan) @ view.world_T["object"])[:3, 3]
        self.nose_up_rad = float(np.arctan2(world_T_pan[2, 0], world_T_pan[0, 0]))


class ObjectFlippingCraft:
    """One arm with wrench actions (`hilserl_teleop.craft.Craft`). Throws again while it has the object."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self.arm, self._period_s = task.arms[0].name, task.period_s
        self._sides = task.reward.flip_between or ()
        self.numbers = SwingNumbers()
        self.reset()

    def reset(self) -> None:
        """Nothing is under way."""
        self.stage = "wait"
        self._stage_s = 0.0
        self._still_s = np.inf  # at the start everything has settled already
        self._before: Array | None = None

    def moves(self, view: View) -> dict[str, Push]:
        """The wrench of this step."""
        seen = Seen(view)
        self._look(seen)
        self._choose_stage(view, seen)
        wrench = self._wrench()
        self._stage_s += self._period_s
        return {self.arm: Push(np.array([wrench[0], 0.0, wrench[1], 0.0, wrench[2], 0.0]), np.eye(3))}

    def distance_m(self, view: View) -> float:
        """How far the object still has to turn, as the way of its rim."""
        return 0.03 * float(np.arccos(np.clip(view.depth, -1.0, 1.0)))

    def astray(self, view: View) -> bool:
        """Off the pan: nothing left to do."""
        return view.kind == "lost" and Seen(view).pan_P_object[2] < 0.0

    def back_on_track(self, view: View) -> bool:
        """Whatever is in the pan can be thrown again."""
        return not self.astray(view)

    def finished(self, view: View) -> bool:
        """Turned over and caught."""
        return view.success

    def _look(self, seen: Seen) -> None:
        before, self._before = self._before, seen.pan_P_object
        if before is None:
            return
        moved = float(np.linalg.norm(seen.pan_P_object - before))
        level = abs(seen.nose_up_rad) < self.numbers.level_rad
        self._still_s = self._still_s + self._period_s if moved < self.numbers.lies_still_m and level else 0.0

    def _choose_stage(self, view: View, seen: Seen) -> None:
        n, stage = self.numbers, self.stage
        over = self._stage_s >= n.thrust_at_most_s
        if stage == "wait" and view.kind in self._sides and self._still_s >= n.settle_s:
            self._enter("thrust")
        elif stage == "wait" and self._still_s >= n.leans_s and seen.pan_P_object[2] > 0.0:
            self._enter("jolt")
        elif stage == "jolt" and self._stage_s >= n.jolt_s:
            self._enter("wait")
        elif stage == "thrust" and (seen.nose_up_rad > n.until_rad or over):
            self._enter("brake")
        elif stage == "brake" and self._stage_s >= n.brake_s:
            self._enter("catch")
        elif stage == "catch" and self._stage_s >= n.catch_s:
            self._enter("wait")

    def _enter(self, stage: str) -> None:
        self.stage, self._stage_s, self._still_s = stage, 0.0, 0.0

    def _wrench(self) -> Array:
        """(3,) of the stage. A stage that ends within this step is mixed with the next one."""
        n, left_s = self.numbers, np.inf
        now, then = np.zeros(3), np.zeros(3)
        if self.stage == "thrust":
            now = np.array(n.thrust)
        elif self.stage == "jolt":
            now = np.array(n.jolt)
        elif self.stage == "brake":
            now, then, left_s = np.array(n.brake), np.array(n.catch), n.brake_s - self._stage_s
        elif self.stage == "catch":
            now, left_s = np.array(n.catch), n.catch_s - self._stage_s
        share = float(np.clip(left_s / self._period_s, 0.0, 1.0))
        mixed: Array = share * now + (1.0 - share) * then
        return mixed
