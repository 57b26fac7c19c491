# SPDX-License-Identifier: Apache-2.0
"""What a person shows the reward classifier of the handover.

First hands wander over the untouched bar. Then the task with detours: hands wander with the bar, or drop it
halfway and wander over it. Then success in all its looks: the bar lies in the right basket while both hands,
open, wander above it. Then it is taken out again. The success button is down exactly while the bar lies there
and the hands are open and above it.
"""

from __future__ import annotations

import numpy as np

from hilserl_task import Task
from hilserl_task.frames import Array
from hilserl_teleop.craft import Push, View
from hilserl_teleop.object_handover_craft import ObjectHandoverCraft

SHOWN_STEPS = 16  # of success an episode
WANDER_STEPS = (4, 9)
WANDERS = 0.04  # chance of a wander per step
WANDER_FIRST_STEPS = (10, 25)  # with the bar in the left basket, as every episode of a policy begins
DROPS = 0.8  # share of episodes in which the bar is dropped on the way: askew, on the walls, half in
# Where, along from the meeting place: half of the drops lean on the right basket's inner wall, nearly in.
DROP_X_M = ((0.05, 0.1), (0.05, 0.1), (-0.11, 0.06), (0.09, 0.2))
DROPPED_STEPS = (12, 20)  # hands wander over what was dropped, the taker's as high as for success
GIVEN_UP_STEPS = 50  # a bar that is not taken up again
EPISODE_STEPS_LIMIT = 145
# Places of wandering hands, from the meeting place: along, across, up. As far as they reach: a hand over the
# right basket hides it, with the bar in it and without.
GIVER_PLACES_M = ((-0.20, -0.02, -0.066), (0.0, 0.02, 0.055))
TAKER_PLACES_M = ((0.0, -0.02, -0.045), (0.20, 0.02, 0.055))
TURN_RAD = 0.3


class ObjectHandoverLabels:
    """Task, success, and out again (`hilserl_teleop.craft.LabelRoutine`)."""

    def __init__(self, task: Task, craft: ObjectHandoverCraft, rng: np.random.Generator) -> None:
        self._craft, self._rng = craft, rng
        self.reset()

    def reset(self) -> None:
        """Draws the detours of the next episode."""
        self._shown, self._wandering = 0, int(self._rng.integers(*WANDER_FIRST_STEPS))
        self._taken_out = False
        drop_x = self._rng.uniform(*DROP_X_M[self._rng.integers(len(DROP_X_M))])
        self._drop_x_m: float | None = drop_x if self._rng.random() < DROPS else None
        self._dropping, self._lying = 0, 0
        self._draw_places()

    def moves(self, view: View) -> dict[str, Push]:
        """The next step of the show."""
        self._draw_now_and_then()
        if self._craft.finished(view):
            self._shown += 1
            if self._shown < SHOWN_STEPS:
                return self._wander(view, keep_open=True)
        if self._shown >= SHOWN_STEPS:
            return self._take_out(view)
        if self._drops(view):
            self._lying = 0
            return self._wander(view, keep_open=True)
        self._count_lying(view)
        if self._wandering > 0:
            self._wandering -= 1
            return self._wander(view, keep_open=False)
        if self._rng.random() < WANDERS:
            self._wandering = int(self._rng.integers(*WANDER_STEPS))
        return self._craft.moves(view)

    def wants_to_stop(self, view: View) -> bool:
        """Success was shown and the bar is out again (or it never will be)."""
        return self._taken_out or self._lying >= GIVEN_UP_STEPS or view.step >= EPISODE_STEPS_LIMIT

    def _take_out(self, view: View) -> dict[str, Push]:
        """The taker grasps the bar again and lifts it."""
        craft, seen = self._craft, self._craft.see(view)
        if not seen.holding[craft.taker]:
            return {craft.taker: craft.grasp(view, seen, craft.taker)}
        self._taken_out = bool(seen.bar[2] > seen.goal[2] + 0.04)
        return {craft.taker: craft.go(seen, craft.taker, np.array([0.0, 0.0, 0.05]))}

    def _drops(self, view: View) -> bool:
        """The bar came to where it shall fall in this episode; then hands stay open for a while."""
        seen = self._craft.see(view)
        if self._drop_x_m is not None and any(seen.holding.values()):
            if seen.bar[0] - seen.meeting[0] > self._drop_x_m and seen.bar[2] > seen.nest[2] + 0.02:
                self._drop_x_m, self._dropping = None, int(self._rng.integers(*DROPPED_STEPS))
        self._dropping -= 1
        return self._dropping > 0

    def _count_lying(self, view: View) -> None:
        """Steps for which nobody got hold of the bar; hands that wander do not try."""
        held = any(self._craft.see(view).holding.values())
        self._lying = 0 if held or self._wandering > 0 else self._lying + 1

    def _wander(self, view: View, keep_open: bool) -> dict[str, Push]:
        """Both hands towards drawn places; what a hand holds goes along."""
        craft, seen = self._craft, self._craft.see(view)
        moves = {}
        for arm in (craft.giver, craft.taker):
            move = seen.meeting + self._places[arm] - seen.world_T_tcp[arm][:3, 3]
            push = craft.go(seen, arm, move, True if keep_open else None)
            push.wanted[3:] += self._turns[arm]
            moves[arm] = push
        return moves

    def _draw_now_and_then(self) -> None:
        if self._rng.random() < 0.25:
            self._draw_places()

    def _draw_places(self) -> None:
        craft, rng = self._craft, self._rng
        self._places: dict[str, Array] = {
            craft.giver: rng.uniform(*GIVER_PLACES_M),
            craft.taker: rng.uniform(*TAKER_PLACES_M),
        }
        self._turns: dict[str, Array] = {
            arm: rng.uniform(-TURN_RAD, TURN_RAD, 3) for arm in (craft.giver, craft.taker)
        }
