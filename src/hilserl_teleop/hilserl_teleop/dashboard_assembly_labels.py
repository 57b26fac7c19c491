# SPDX-License-Identifier: Apache-2.0
"""What a person shows the reward classifier of dashboard_assembly.

Success is every pin pressed home. Shown beside it: empty hands about, the workpiece held anywhere before the
dashboard, pins on the face beside their holes or crooked over them, pins half in, and all but home: in on one
side, a little out on the other.
"""

from __future__ import annotations

import numpy as np

from hilserl_task import Task
from hilserl_task.frames import Array
from hilserl_teleop.craft import Push, View
from hilserl_teleop.dashboard_assembly_craft import PIN_M, DashboardAssemblyCraft

ROAM_M = np.array([0.03, 0.03, 0.02])  # of a free hand about the place over its grip
ROAM_ABOVE_M, ROAM_YAW_RAD = 0.045, 0.2
SHIFT_M = np.array([0.010, 0.0, 0.006])  # of a grasp, hand axes: along the handle, and how deep
CARRY_M, CARRY_HEIGHT_M = 0.035, (0.004, 0.05)  # of the pins about their holes and above the face
CARRY_TURN_RAD = (0.12, 0.06, 0.12)  # about x, along which the workpiece is turned anyway, y and z
MISS_M = (0.005, 0.020)  # beside the holes; up to 4 mm the lead-in catches
CROOKED_RAD = (0.05, 0.12)
# About x and y of the workpiece with its pins in: their play lets them lean by so much, and pins on one side
# are 1 to 4 mm less deep than on the other.
LEAN_RAD = ((0.05, 0.14), (0.015, 0.05))
LEAN_DEPTH_M = 0.006  # of the least deep pin when the leaning begins
LEANING_DEPTH_M = (0.0075, 0.0118)  # and while it leans
LEAN_STEPS = 8  # until it does
HALF_DEPTH_M = (-0.004, 0.0110)  # success begins at 12 mm
HALT_STEPS, LOOK_STEPS = (3, 6), (8, 12)  # pictures of one halt, and of one success
PRESS_M = 0.006  # while the pins stand on something
PULL_M = 0.006  # a step, on the way out: every depth is seen once more
OUT_M = (0.006, 0.02)  # of the pins above the face
TOUCH_M = 0.001  # pins this close to the face stand on it
NEAR_M, NEAR_RAD = 0.006, 0.05
STEP_LIMIT, ROAM_LIMIT = 40, 12  # of one exercise
EPISODE_STEPS, EPISODE_STEPS_LIMIT = 130, 180
JITTER = np.array([0.0015, 0.0015, 0.001, 0.006, 0.006, 0.006])


class DashboardAssemblyLabels:
    """Sequence of exercises (`hilserl_teleop.craft.LabelRoutine`)."""

    def __init__(self, task: Task, craft: DashboardAssemblyCraft, rng: np.random.Generator) -> None:
        self._craft, self._rng = craft, rng
        self._arms = [arm.name for arm in task.arms]
        self.reset()

    def reset(self) -> None:
        """A new random sequence for the next episode."""
        self._plan = ["roam"] * int(self._rng.integers(2, 5)) + ["grasp", "carry", *self._towards_success()]
        self._shown = False
        for arm in self._arms:
            self._craft.shift_m[arm] = self._rng.uniform(-1.0, 1.0, 3) * SHIFT_M
        self._next()

    def _towards_success(self) -> list[str]:
        between = [str(name) for name in self._rng.choice(["miss", "crooked", "half", "carry"], 2)]
        return [*between, "half", "lean", "insert", "look"]

    def wants_to_stop(self, view: View) -> bool:
        """Long enough, and success was shown (or never will be)."""
        return (view.step >= EPISODE_STEPS and self._shown) or view.step >= EPISODE_STEPS_LIMIT

    def moves(self, view: View) -> dict[str, Push]:
        """The next step of the present exercise; a workpiece that was lost is taken up first."""
        done = self._craft.finished(view)
        self._shown |= done
        held = all(self._craft.holds(view, arm) for arm in self._arms)
        limit = ROAM_LIMIT if self.exercise == "roam" else STEP_LIMIT
        if self._is_over(view, held, done) or self._steps >= limit:
            self._next()
        self._steps += 1
        if self.exercise == "roam":
            return {arm: self._roam(view, arm) for arm in self._arms}
        taken = self._craft.moves(view)  # also counts the steps of closing hands
        if not held or self.exercise in ("grasp", "insert"):
            return taken
        return self._craft.move_workpiece(view, self._wanted(view))

    def _next(self) -> None:
        """Starts the next exercise; when the plan is over, out and in again."""
        if not self._plan:
            self._plan = ["pull", *self._towards_success()]
        self.exercise = self._plan.pop(0)
        self._steps = self._count = 0
        self._depth = self._rng.uniform(*HALF_DEPTH_M)
        self._leaning_depth = self._rng.uniform(*LEANING_DEPTH_M)
        self._halt, self._look = (int(self._rng.integers(a, b + 1)) for a, b in (HALT_STEPS, LOOK_STEPS))
        self._out = self._rng.uniform(*OUT_M)
        self._targets = {arm: self._draw_roam() for arm in self._arms}
        self._target = self._draw_target()
        self._craft.reset()

    def _draw_roam(self) -> Array:
        """(6,) target of a free hand, like `grip_error`: z points down."""
        away = self._rng.uniform(-1.0, 1.0, 3) * ROAM_M - [0.0, 0.0, ROAM_ABOVE_M]
        return np.array([*away, 0.0, 0.0, self._rng.uniform(-ROAM_YAW_RAD, ROAM_YAW_RAD)])

    def _draw_target(self) -> Array:
        """(6,) target of the workpiece, like `place_error`."""
        rng = self._rng
        if self.exercise == "carry":
            sideways = rng.uniform(-CARRY_M, CARRY_M, 2)
            turn = rng.uniform(-1.0, 1.0, 3) * CARRY_TURN_RAD
            return np.array([*sideways, PIN_M + rng.uniform(*CARRY_HEIGHT_M), *turn])
        if self.exercise == "lean":
            about = int(rng.integers(2))
            leaning: Array = np.zeros(6)
            leaning[3 + about] = rng.choice([-1.0, 1.0]) * rng.uniform(*LEAN_RAD[about])
            return leaning
        target = np.array([0.0, 0.0, PIN_M, 0.0, 0.0, 0.0])
        if self.exercise == "crooked":
            axis = rng.integers(3, 6)
            target[axis] = rng.choice([-1.0, 1.0]) * rng.uniform(*CROOKED_RAD)
        else:
            angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(*MISS_M)
            target[:2] = radius * np.cos(angle), radius * np.sin(angle)
        return target

    def _is_over(self, view: View, held: bool, done: bool) -> bool:
        if self.exercise == "roam":
            errors = [self._targets[arm] - self._craft.grip_error(view, arm) for arm in self._arms]
            return all(np.linalg.norm(error[:3]) < NEAR_M for error in errors)
        if self.exercise == "grasp":
            return held and self._steps > 0 and self._craft.both_closed
        if self.exercise == "carry":
            error = self._target - self._craft.place_error(view)
            return bool(np.linalg.norm(error[:3]) < NEAR_M and np.linalg.norm(error[3:]) < NEAR_RAD)
        if self.exercise in ("miss", "crooked"):
            self._count += self._over_target(view) and view.depth > -TOUCH_M
        elif self.exercise == "half":
            self._count += view.depth > self._depth - 0.001
        elif self.exercise == "lean":
            self._count += self._steps > LEAN_STEPS and view.depth > LEAN_DEPTH_M and not view.success
        elif self.exercise == "pull":
            return view.depth < -self._out
        elif self.exercise == "insert":
            return done
        else:
            self._count += done
            return self._count >= self._look or not done
        return self._count >= self._halt

    def _over_target(self, view: View) -> bool:
        error = self._target - self._craft.place_error(view)
        return bool(np.hypot(*error[:2]) < NEAR_M and np.linalg.norm(error[3:]) < NEAR_RAD)

    def _roam(self, view: View, arm: str) -> Push:
        """Of an open hand, about the place over its grip."""
        wanted = self._targets[arm] - self._craft.grip_error(view, arm)
        return Push(wanted, self._craft.world_T_grip(view, arm)[:3, :3], True)

    def _wanted(self, view: View) -> Array:
        """(6,) displacement of the held workpiece, panel axes."""
        if self.exercise == "carry":
            return self._craft.way(view, self._target)
        if self.exercise == "pull":
            return np.array([0.0, 0.0, PULL_M, 0.0, 0.0, 0.0])
        if self.exercise == "half":
            return self._half(view)
        if self.exercise == "lean":
            return self._lean(view)
        if self.exercise == "look":
            return np.array([0.0, 0.0, -PRESS_M, 0.0, 0.0, 0.0]) + self._jitter()
        wanted = self._craft.way(view, self._target)  # miss, crooked
        if self._over_target(view):
            wanted[2] = -PRESS_M
        else:  # over it first
            wanted[2] += 0.008
        return wanted

    def _half(self, view: View) -> Array:
        """Presses gently up to the drawn depth and halts there."""
        wanted, remaining = self._craft.to_place(view), self._depth - view.depth
        if remaining < 0.001:
            return 0.3 * self._jitter()
        wanted[2] = max(wanted[2], -max(remaining, 0.001)) if remaining < 0.02 else wanted[2]
        return wanted

    def _lean(self, view: View) -> Array:
        """Straight in by half, then turned at the drawn depth: pins on one side go deeper."""
        if self._steps < LEAN_STEPS and view.depth < LEAN_DEPTH_M:
            return self._craft.to_place(view)
        wanted = self._craft.way(view, self._target)
        wanted[2] = np.clip(view.depth - self._leaning_depth, -PRESS_M, PRESS_M)
        return wanted

    def _jitter(self) -> Array:
        """Small random movements, panel axes [m, rad]."""
        return self._rng.normal(0.0, JITTER)
