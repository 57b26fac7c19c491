# SPDX-License-Identifier: Apache-2.0
"""What a person shows the reward classifier of usb_grasp_insertion.

Success is a connector that is plugged in and let go, with the hand still around it or above it. Shown beside
it: the empty hand, open and closed, over the connector and at the port; the connector held anywhere; plugged
in half (held and let go); plugged in but held; dropped before the port.
"""

from __future__ import annotations

import numpy as np

from hilserl_task import Task
from hilserl_teleop.craft import Push, View
from hilserl_teleop.usb_grasp_insertion_craft import Seen, UsbGraspInsertionCraft

HALF_DEPTH_M = (-0.004, 0.0075)  # success begins at 9.5 mm (operator.scripted.seated_depth_m)
HALT_STEPS = (3, 6)  # pictures of one halt
LOOK_STEPS = (8, 14)  # pictures of one success
WANDER_M, WANDER_HEIGHT_M = 0.03, (0.02, 0.06)
VISIT_M = (
    (-0.06, 0.015),
    (-0.025, 0.025),
    (-0.005, 0.045),
)  # empty hand about a plugged connector's grip, xyz
GRIP_ALONG_M = 0.009  # grips far from the middle too: a policy's are, and the read-out has to know them
RISE_M = 0.006  # a step, of the hand that leaves the plugged connector
RISE_SHARE = 0.5
PULL_M = 0.004  # a step, on the way out: every depth is seen once more
OUT_M = (0.004, 0.02)  # before the port
FAR_M = (0.004, 0.05)  # before the port: dropped there
STEP_LIMIT = 45  # of one exercise
EPISODE_STEPS, EPISODE_STEPS_LIMIT = 100, 150
LAST_CALL_STEPS = 48  # before the end: success has to be shown, whatever else was planned
JITTER = np.array([0.002, 0.001, 0.002, 0.005, 0.005, 0.01])


class UsbGraspInsertionLabels:
    """Sequence of exercises (`hilserl_teleop.craft.LabelRoutine`)."""

    def __init__(self, task: Task, craft: UsbGraspInsertionCraft, rng: np.random.Generator) -> None:
        self._craft, self._rng = craft, rng
        self._last_step = min(EPISODE_STEPS_LIMIT, task.episode.max_steps - 1)
        self.reset()

    def reset(self) -> None:
        """A new random sequence for the next episode."""
        empty = [[], ["wander"], ["visit"], ["visit", "visit"]]
        before = empty[int(self._rng.choice(4, p=[0.2, 0.2, 0.3, 0.3]))]
        dropped = ["carry", "drop", "visit", "grasp"] if self._rng.random() < 0.25 else []
        self._plan = [*before, "grasp", *dropped, *self._towards_success()]
        self._shown = self._hurries = False
        self._next()

    def _towards_success(self) -> list[str]:
        halves = {0: [], 1: ["half"], 2: ["half", "let_go", "grip"]}
        return [*halves[int(self._rng.choice(3, p=[0.3, 0.3, 0.4]))], "insert", "look"]

    def wants_to_stop(self, view: View) -> bool:
        """Long enough, and success was shown (or never will be)."""
        return (view.step >= EPISODE_STEPS and self._shown) or view.step >= self._last_step

    def moves(self, view: View) -> dict[str, Push]:
        """The next step of the present exercise."""
        seen = self._craft.see(view)
        done = self._craft.finished(view)
        self._shown |= done
        if not self._shown and not self._hurries and view.step >= self._last_step - LAST_CALL_STEPS:
            self._hurries, self._plan = True, ["grasp", "insert", "look"]
            self._next()
        if self._is_over(seen, done) or self._steps >= STEP_LIMIT:
            self._next()
        self._steps += 1
        return {self._craft.arm: self._push(view, seen)}

    def _next(self) -> None:
        """Starts the next exercise; when the plan is over, out and in again."""
        if not self._plan:
            self._plan = ["grip", "pull", *self._towards_success()]
        self.exercise = self._plan.pop(0)
        rng = self._rng
        self._steps = self._count = 0
        self._depth = rng.uniform(*HALF_DEPTH_M)
        self._halt, self._look = (int(rng.integers(low, high + 1)) for low, high in (HALT_STEPS, LOOK_STEPS))
        self._out, self._far = rng.uniform(*OUT_M), rng.uniform(*FAR_M)
        self._rises = rng.random() < RISE_SHARE
        self._target = np.array([*rng.uniform(-WANDER_M, WANDER_M, 2), rng.uniform(*WANDER_HEIGHT_M)])
        self._place = np.array([rng.uniform(*bounds) for bounds in VISIT_M])
        self._fist = bool(rng.random() < 0.3)
        self._craft.grip_along_m = rng.uniform(-GRIP_ALONG_M, GRIP_ALONG_M)
        self._craft.reset()

    def _is_over(self, seen: Seen, done: bool) -> bool:
        if self.exercise == "wander":
            return float(np.linalg.norm(seen.to_grip + self._target)) < 0.004
        if self.exercise == "visit":
            self._count += float(np.linalg.norm(self._to_place(seen))) < 0.006
            return self._count >= self._halt
        if self.exercise == "grasp":
            return self._craft.stage in ("carry", "insert")
        if self.exercise == "carry":
            return seen.depth > -self._far
        if self.exercise == "drop":
            self._count += not seen.closed
            return self._count >= self._halt
        if self.exercise == "half":
            self._count += seen.depth > self._depth - 0.001
            return self._count >= self._halt
        if self.exercise == "let_go":
            self._count += not seen.closed
            return self._count >= 2 * self._halt
        if self.exercise == "grip":
            self._count += seen.closed
            return self._count >= 6
        if self.exercise == "pull":
            return seen.depth < -self._out
        if self.exercise == "insert":
            return done
        self._count += done
        return self._count >= self._look or not done

    def _push(self, view: View, seen: Seen) -> Push:
        if self.exercise == "wander":
            return Push(np.concatenate([seen.to_grip + self._target, seen.turn_to_connector]), np.eye(3))
        if self.exercise == "visit":
            turn = np.array([0.0, 0.0, self._place[1] * 5.0])
            return Push(np.concatenate([self._to_place(seen), turn]), np.eye(3), open_hand=not self._fist)
        if self.exercise in ("grasp", "carry", "insert"):
            return self._craft.moves(view)[self._craft.arm]
        if self.exercise == "half":
            return self._half(view, seen)
        if self.exercise == "grip":
            return self._grip(seen)
        if self.exercise == "pull":
            return Push(np.array([-PULL_M, 0, 0, 0, 0, 0]), seen.port[:3, :3], gain=1.0)
        if self.exercise in ("look", "let_go") and self._rises and self._count > 2:
            return Push(np.array([0, 0, RISE_M, 0, 0, 0]), np.eye(3), open_hand=True)
        return Push(self._jitter(), np.eye(3), open_hand=True)  # drop, let_go, look

    def _to_place(self, seen: Seen) -> np.ndarray:
        """(3,) from the tcp to the drawn place about where the hand plugs in, world axes [m]."""
        place = seen.port[:3, 3] + self._craft.numbers.grip_offset + self._place
        move: np.ndarray = place - seen.tcp[:3, 3]
        return move

    def _half(self, view: View, seen: Seen) -> Push:
        """Plugs in gently up to the drawn depth and halts there."""
        remaining = self._depth - seen.depth
        push = self._craft.moves(view)[self._craft.arm]
        if self._craft.stage != "insert":
            return push
        if remaining < 0.001:
            return Push(0.3 * self._jitter(), np.eye(3))
        wanted = push.wanted.copy()
        wanted[2] = min(wanted[2], 0.004, remaining)
        return Push(wanted, push.world_R_axes)

    def _grip(self, seen: Seen) -> Push:
        """Takes hold of the connector where it is."""
        if not seen.closed and float(np.linalg.norm(seen.to_grip)) > 2 * self._craft.numbers.at_m:
            return Push(np.concatenate([seen.to_grip, seen.turn_to_connector]), np.eye(3), open_hand=True)
        return Push.still(open_hand=False)

    def _jitter(self) -> np.ndarray:
        """Small random movements of the hand, world axes [m, rad]."""
        return self._rng.normal(0.0, JITTER)
