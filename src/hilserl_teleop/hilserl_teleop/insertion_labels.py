# SPDX-License-Identifier: Apache-2.0
"""What a person shows the reward classifier of an insertion: success, and everything that is not.

Wandering, near misses (touching the board beside the slot, half inserted), insertion, wiggling while
inserted, out again. The success button is down exactly while the stick is in (paper: 200 positive, 1000
negative pictures).
"""

from __future__ import annotations

import numpy as np

from hilserl_task import Task
from hilserl_task.frames import Array, position_and_rotvec
from hilserl_teleop.craft import Push, View
from hilserl_teleop.insertion_craft import InsertionCraft

WANDER_HEIGHT_M = (0.003, 0.05)  # above the rim
WANDER_LATERAL_M = 0.025
WANDER_YAW_RAD = 0.14  # 8 degrees
WANDER_TILT_RAD = 0.05
# Some excursions go this many times further: where an exploring policy strays, the classifier must not guess.
FAR_FACTOR, FAR_SHARE = 2.5, 0.25
MISS_LATERAL_M = (0.003, 0.02)
# Up to just before the end: what a classifier takes for success there, the policy learns to stop at.
HALF_DEPTH_M = (0.002, 0.0072)
HALF_STEPS = (3, 6)  # pictures of one halt on the way in
SLOW_PULL_M = 0.0015  # a step, while still in the slot: every depth is seen once more on the way out
OVER_SLOT_M = 0.0015
TYPICAL_RIM_M = 0.009  # height of the rim above the inserted pose, until the first truth tells
HOLD_STEPS = (6, 10)
SEGMENT_LIMIT_S = 1.6
TOUCH_STEPS = 3  # pictures of one near miss
EPISODE_STEPS = 40
EPISODE_STEPS_LIMIT = 70


class InsertionLabels:
    """Sequence of exercises (`hilserl_teleop.craft.LabelRoutine`)."""

    def __init__(self, task: Task, craft: InsertionCraft, rng: np.random.Generator) -> None:
        self._craft, self._skill, self._period_s, self._rng = craft, craft.skill, task.period_s, rng
        self.reset()

    def reset(self) -> None:
        """A new random sequence for the next episode."""
        before = [str(name) for name in self._rng.choice(["wander", "miss", "half"], 2, p=[0.3, 0.3, 0.4])]
        self._plan = [*before, "insert", "hold", "pull"]
        self._held_once = False
        self._rim_m = TYPICAL_RIM_M
        self._next()

    def wants_to_stop(self, view: View) -> bool:
        """Long enough, and the insertion was shown (or never will be)."""
        return (view.step >= EPISODE_STEPS and self._held_once) or view.step >= EPISODE_STEPS_LIMIT

    def moves(self, view: View) -> dict[str, Push]:
        """The next step of the present exercise."""
        finished = self._craft.finished(view)
        wanted = self._displacement(self._craft.goal_T_tcp(view), view.depth, finished)
        return {self._craft.arm: Push(wanted, view.world_T_goal[:3, :3])}

    def _displacement(self, goal_T_tcp: Array, insertion_depth: float, success: bool) -> Array:
        """(6,) wanted displacement in goal axes, m and rad."""
        error = position_and_rotvec(goal_T_tcp)
        self._rim_m = insertion_depth - float(error[2])
        self._advance(error, insertion_depth, success)
        if self.exercise == "insert":
            return self._skill.displacement(goal_T_tcp, insertion_depth)
        wanted = self._target - error
        if self.exercise == "hold":
            wanted = np.concatenate([[0.0, 0.0, 0.006], -error[3:]]) + self._wiggle()
        elif self.exercise == "half":
            wanted = self._half(goal_T_tcp, insertion_depth)
        elif self._must_rise_first(error):
            wanted[:2] = -error[:2]
            wanted[2] = -SLOW_PULL_M if self.exercise == "pull" and insertion_depth > 0.002 else -0.01
        return wanted

    def _advance(self, error: Array, depth: float, success: bool) -> None:
        self._elapsed_s += self._period_s
        if self.exercise == "insert":
            done = success
        elif self.exercise == "hold":
            self._held += success
            self._held_once |= success
            done = self._held >= self._hold_steps or not success
        elif self.exercise == "half":
            self._halted += depth > self._half_depth - 0.0007
            done = self._halted >= self._half_steps or self._elapsed_s > 2 * SEGMENT_LIMIT_S
        else:
            off = self._target - error
            if self.exercise == "miss":
                self._touched += bool(np.hypot(*off[:2]) < 0.003 and depth > -0.0015)
            near = bool(np.linalg.norm(off[:3]) < 0.002) or self._touched >= TOUCH_STEPS
            done = near or self._elapsed_s > SEGMENT_LIMIT_S
        if done:
            self._next()

    def _next(self) -> None:
        """Starts the next exercise; when the plan is over, more of everything."""
        if not self._plan:
            other = str(self._rng.choice(["miss", "half", "wander"]))
            self._plan = ["wander", other, "insert", "hold", "pull"]
        self.exercise = self._plan.pop(0)
        self._elapsed_s = 0.0
        self._held, self._hold_steps = 0, int(self._rng.integers(HOLD_STEPS[0], HOLD_STEPS[1] + 1))
        self._touched = 0
        self._half_depth = self._rng.uniform(*HALF_DEPTH_M)
        self._halted, self._half_steps = 0, int(self._rng.integers(HALF_STEPS[0], HALF_STEPS[1] + 1))
        self._target = self._draw_target()
        self._skill.reset()

    def _draw_target(self) -> Array:
        """(6,) goal_T_target of the exercise."""
        rng, rim = self._rng, self._rim_m
        far = FAR_FACTOR if self.exercise == "wander" and rng.random() < FAR_SHARE else 1.0
        if self.exercise == "miss":
            angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(*MISS_LATERAL_M)
            height = rim - 0.003  # below the board's surface: presses on it
            position = [radius * np.cos(angle), radius * np.sin(angle), -height]
        elif self.exercise == "pull":
            position = [0.0, 0.0, -(rim + rng.uniform(0.004, 0.03))]
        else:
            sideways = far * rng.uniform(-WANDER_LATERAL_M, WANDER_LATERAL_M, 2)
            position = [*sideways, -(rim + far * rng.uniform(*WANDER_HEIGHT_M))]
        tilt = far * rng.uniform(-WANDER_TILT_RAD, WANDER_TILT_RAD, 2)
        yaw = far * rng.uniform(-WANDER_YAW_RAD, WANDER_YAW_RAD)
        turn = [0.0, 0.0, 0.0] if self.exercise == "pull" else [*tilt, yaw]
        return np.array([*position, *turn])

    def _must_rise_first(self, error: Array) -> bool:
        """Still in the slot: straight up before going anywhere."""
        free_height = self._rim_m + 0.001
        return bool(-error[2] < free_height and np.hypot(*error[:2]) < OVER_SLOT_M)

    def _half(self, goal_T_tcp: Array, depth: float) -> Array:
        """Inserts gently up to the drawn depth and halts there."""
        remaining = self._half_depth - depth
        if remaining < 0.0007:
            return np.array([0.0, 0.0, remaining, 0.0, 0.0, 0.0]) + 0.5 * self._wiggle()
        wanted = self._skill.displacement(goal_T_tcp, depth)
        wanted[2] = min(wanted[2], 0.004, max(remaining, 0.001))
        return wanted

    def _wiggle(self) -> Array:
        """Small random pushes against the walls of the slot."""
        return self._rng.normal(0.0, [0.0015, 0.0015, 0.001, 0.004, 0.004, 0.008])
