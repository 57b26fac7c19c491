# SPDX-License-Identifier: Apache-2.0
"""What a person knows of handing a bar over: one hand lifts it out of its basket, the other takes it in the
air, lays it into the second basket, lets go and rises.

Every move follows from what is seen in this moment, so the person can go on from wherever a policy left it.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_task import Task
from hilserl_task.frames import Array
from hilserl_teleop.craft import Push, View
from hilserl_teleop.object_handover_seen import (
    GRIP_OFFSET_M,
    HALF_LENGTH_M,
    Seen,
    between_fingers,
    see,
)

CLEAR_M = 0.03  # bar's underside above the floor of a basket: over its walls
ABOVE_M = 0.05  # tcp over the bar before going down to it
ALIGNED_M = (0.03, 0.012)  # of a hand from its grip, along and across: go down
AT_GRIP_M = (0.015, 0.012, 0.007)  # along, across, up: close
WIDE_OPEN = 0.8  # opening from which a hand may come near the bar
LET_GO = 0.45  # opening from which fingers no longer drag the bar along
MET_M = 0.02  # bar this close to the meeting place: the other hand comes
OVER_GOAL_M = 0.02  # along: lower the bar
CROOKED_RAD = 0.15  # fingers turn a bar that lies straighter than this by themselves
DOWN_M = 0.006  # of the bar above the floor, or of the hand above where it is then: let go
ASLANT_RAD = 0.12  # of a bar against the hand that holds it: turn it level
ALONG = np.array([1.0, 0.0, 0.0])  # from the giver to the taker
RISE_M = 0.05  # above the bar in the end; success needs 3 cm
WAITING_M = 0.02  # taker behind its grip
AWAY_M = 0.05  # giver's way back after the handover
GIVER_REACH_X_M, TAKER_REACH_X_M = 0.04, -0.02  # bar's middle from the middle between the baskets
REACH_Y_M = 0.03
TURNED_RAD = 0.35  # nobody would watch a hand turn away farther
# A hand that waits for its fingers rests on the stick: a stick let go of gives the arms back to the policy.
RESTING = np.array([0.0, 0.0, -0.0015, 0.0, 0.0, 0.0])
# Lengths that stand for closing and opening a hand in `distance_m`: seconds at the speed of a hand.
CLOSING_M, OPENING_M = 0.06, 0.03


class ObjectHandoverCraft:
    """Two arms; the first of the task gives, the second takes (`hilserl_teleop.craft.Craft`)."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self.giver, self.taker = (arm.name for arm in task.arms)

    def reset(self) -> None:
        """Nothing is remembered."""

    # -- moves ------------------------------------------------------------------------------------------

    def moves(self, view: View) -> dict[str, Push]:
        """The next step of both hands."""
        seen = self.see(view)
        if seen.holding[self.taker]:
            return self._lay(view, seen)
        if seen.laid:
            return {self.giver: self._stand_by(view, seen), self.taker: self._rise(view, seen)}
        if seen.holding[self.giver]:
            return self._bring(view, seen)
        return self._pick_up(view, seen)

    def see(self, view: View) -> Seen:
        """The view in the terms of the task."""
        return see(view, self.giver, self.taker)

    def _pick_up(self, view: View, seen: Seen) -> dict[str, Push]:
        """Whoever reaches the bar takes it; out of reach of both it is given up."""
        x = seen.bar[0] - seen.meeting[0]
        near = abs(seen.bar[1] - seen.meeting[1]) < REACH_Y_M
        if near and x < GIVER_REACH_X_M:
            return {self.giver: self.grasp(view, seen, self.giver), self.taker: self._wait(view, seen)}
        if near and x > TAKER_REACH_X_M:
            return {self.giver: self._stand_by(view, seen), self.taker: self.grasp(view, seen, self.taker)}
        return {}

    def _bring(self, view: View, seen: Seen) -> dict[str, Push]:
        """The giver lifts the bar, then carries it to the meeting place; there the other hand comes."""
        move = seen.meeting - seen.bar
        if seen.bar[2] < seen.nest[2] + CLEAR_M:
            move[0] = np.clip(move[0], -0.01, 0.01)
        giver = self._carry(seen, self.giver, move)
        if np.linalg.norm(seen.meeting - seen.bar) > MET_M:
            return {self.giver: giver, self.taker: self._wait(view, seen)}
        return {self.giver: giver, self.taker: self.grasp(view, seen, self.taker, from_above=False)}

    def _lay(self, view: View, seen: Seen) -> dict[str, Push]:
        """The taker has it: once the other hand let go, over the basket, down, open."""
        if view.opening[self.giver] < LET_GO:
            return {self.giver: _rest(True), self.taker: Push.still()}
        move = seen.goal - seen.bar
        if abs(move[0]) > OVER_GOAL_M:
            move[2] = max(move[2], seen.goal[2] + CLEAR_M + 0.005 - seen.bar[2])
            if seen.bar[2] < seen.goal[2] + 0.8 * CLEAR_M and seen.bar[0] + HALF_LENGTH_M < seen.goal[0]:
                move[0] = np.clip(move[0], -0.01, 0.01)
        down = (
            seen.bar[2] < seen.goal[2] + DOWN_M or seen.world_T_tcp[self.taker][2, 3] < seen.goal[2] + DOWN_M
        )
        taker = _rest(True) if seen.laid and down else self._carry(seen, self.taker, move)
        return {self.giver: self._stand_by(view, seen), self.taker: taker}

    def _rise(self, view: View, seen: Seen) -> Push:
        """Lets go, then straight up."""
        if view.opening[self.taker] < LET_GO:
            return _rest(True)
        up = seen.bar[2] + RISE_M - seen.world_T_tcp[self.taker][2, 3]
        return self.go(seen, self.taker, np.array([0.0, 0.0, max(up, 0.0)]), True)

    def grasp(self, view: View, seen: Seen, arm: str, from_above: bool = True) -> Push:
        """Over the grip, down, close; a hand that closed on nothing opens again."""
        tcp, world_T_object = seen.world_T_tcp[arm], view.world_T["object"]
        if not view.hand_open[arm]:
            closing = between_fingers(tcp, world_T_object) and view.opening[arm] > 0.2
            return _rest(not closing)
        off = np.abs(seen.grip[arm] - tcp[:3, 3])
        if (off < AT_GRIP_M).all():
            return _rest(False)
        move = seen.grip[arm] - tcp[:3, 3]
        aligned = off[0] < ALIGNED_M[0] and off[1] < ALIGNED_M[1]
        if view.opening[arm] < WIDE_OPEN or (from_above and not aligned):
            move[2] = max(move[2] + ABOVE_M, 0.0)
        if view.opening[arm] < WIDE_OPEN:
            move[:2] = 0.0
        return self.go(seen, arm, move, True, self._crooked(seen))

    def _wait(self, view: View, seen: Seen) -> Push:
        """The taker's place while the bar comes: open, a little behind its grip."""
        place = seen.meeting + [GRIP_OFFSET_M + WAITING_M, 0.0, 0.0]
        return self.go(seen, self.taker, place - seen.world_T_tcp[self.taker][:3, 3], True)

    def _stand_by(self, view: View, seen: Seen) -> Push:
        """The giver's place once it is done: open, back and up, out of the way."""
        if view.opening[self.giver] < LET_GO:
            return _rest(True)
        place = seen.meeting - [GRIP_OFFSET_M + AWAY_M, 0.0, 0.0]
        return self.go(seen, self.giver, place - seen.world_T_tcp[self.giver][:3, 3], True)

    def _carry(self, seen: Seen, arm: str, move: Array) -> Push:
        """As `go`, but a bar that was grasped aslant is turned level over the line between the arms."""
        across = abs(float(seen.bar_axis @ seen.world_T_tcp[arm][:3, 0]))
        if across > np.cos(ASLANT_RAD):
            return self.go(seen, arm, move)
        turn = np.cross(seen.bar_axis, ALONG)
        return Push(
            np.concatenate([move, turn / max(float(np.linalg.norm(turn)), 1e-9) * _aslant(seen)]), np.eye(3)
        )

    def go(self, seen: Seen, arm: str, move: Array, open_hand: bool | None = None, yaw: float = 0.0) -> Push:
        """A displacement in the world, the hand kept upright over the line between the arms."""
        turn = Rotation.from_matrix(self._upright(arm, yaw) @ seen.world_T_tcp[arm][:3, :3].T).as_rotvec()
        return Push(np.concatenate([move, turn]), np.eye(3), open_hand)

    def _upright(self, arm: str, yaw: float = 0.0) -> Array:
        """(3, 3) world_R_tcp: looking down, x away from the own base."""
        down = np.diag([1.0, -1.0, -1.0]) if arm == self.giver else np.diag([-1.0, 1.0, -1.0])
        turned: Array = Rotation.from_euler("z", yaw).as_matrix() @ down
        return turned

    @staticmethod
    def _crooked(seen: Seen) -> float:
        """Direction of a bar that lies too crooked for the fingers to turn it."""
        yaw = float(np.arctan2(seen.bar_axis[1], seen.bar_axis[0]))
        return yaw if abs(yaw) > CROOKED_RAD else 0.0

    # -- judgement --------------------------------------------------------------------------------------

    def distance_m(self, view: View) -> float:
        """Ways that are left, and a length for every change of a hand that is left."""
        seen = self.see(view)
        carry = float(np.linalg.norm(seen.goal - seen.meeting))
        rise = max(0.0, seen.bar[2] + RISE_M - seen.world_T_tcp[self.taker][2, 3])
        if seen.laid and not seen.holding[self.taker]:
            return rise + OPENING_M * max(0.0, 1.0 - view.opening[self.taker])
        left = RISE_M + OPENING_M
        if seen.holding[self.taker]:
            left += float(np.linalg.norm(seen.goal - seen.bar))
            return left + OPENING_M * (1.0 - view.opening[self.giver])
        left += carry + 2 * OPENING_M + CLOSING_M * view.opening[self.taker]
        left += self._to_grip(seen, self.taker) if seen.holding[self.giver] else 0.1
        left += float(np.linalg.norm(seen.meeting - seen.bar))
        if seen.holding[self.giver]:
            return left
        return left + self._to_grip(seen, self.giver) + CLOSING_M * (1.0 + view.opening[self.giver])

    @staticmethod
    def _to_grip(seen: Seen, arm: str) -> float:
        return float(np.linalg.norm(seen.grip[arm] - seen.world_T_tcp[arm][:3, 3]))

    def astray(self, view: View) -> bool:
        """A hand turned away.

        A dropped bar brings no help by itself, or the policy learns to drop it for that.
        """
        return self._turned(self.see(view)) > TURNED_RAD

    def back_on_track(self, view: View) -> bool:
        """Somebody has the bar, or it lies where it should, and both hands look down."""
        return not self.astray(view) and self._turned(self.see(view)) < TURNED_RAD / 2

    def finished(self, view: View) -> bool:
        """As the simulator says."""
        return view.success

    def _turned(self, seen: Seen) -> float:
        """Largest angle of a hand from upright; of one that holds the bar, of the bar from level."""
        return max(
            _aslant(seen)
            if seen.holding[arm]
            else float(Rotation.from_matrix(self._upright(arm) @ seen.world_T_tcp[arm][:3, :3].T).magnitude())
            for arm in (self.giver, self.taker)
        )


def _aslant(seen: Seen) -> float:
    """Angle of the bar from the line between the arms."""
    return float(np.arccos(np.clip(seen.bar_axis @ ALONG, -1.0, 1.0)))


def _rest(open_hand: bool) -> Push:
    """The fingers move, the arm as good as not."""
    return Push(RESTING, np.eye(3), open_hand)
