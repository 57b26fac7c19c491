# SPDX-License-Identifier: Apache-2.0
"""How a practised person plugs a loose connector in: over it, down, close, carry, insert, let go; again if it
slips. Scene usb_grasp_insertion: x of connector and port is the way in, z is up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_task import Task
from hilserl_task.frames import Array, inverse
from hilserl_teleop.craft import Push, View
from hilserl_teleop.insertion_skill import InsertionSkill

# Columns are the insertion skill's axes in the port's: its z, the way in, along the port's x.
PORT_R_SKILL = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
TOOL_DOWN = np.diag([1.0, -1.0, -1.0])
GRIP_ALONG_M = 0.003  # no two grips are alike
FULL_DEPTH_M = 0.0098  # the plug is 11 mm long: pushed home


@dataclass(frozen=True)
class GraspNumbers:
    """Sizes of the movements."""

    above_m: float = 0.03  # over the connector before going down
    grip_height_m: float = 0.003  # of the tcp above the connector's middle when closing
    aligned_m: float = 0.0015
    aligned_rad: float = 0.03
    at_m: float = 0.0025  # close enough to close the hand
    settle_s: float = 0.5  # the hand closes
    held_m: float = 0.015  # tcp to connector: further is lost
    crooked_rad: float = 0.15  # a grasp worse than this is let go and tried again
    carry_m: float = 0.03  # before the port while going there
    level_m: float = 0.003  # height and side within which the connector may approach the panel
    gripping: float = 0.06  # opening below which the closed hand holds nothing
    far_m: float = 0.10  # of the tcp from the way between connector and port: astray
    near_m: float = 0.02  # sideways from the connector: a correction may end here
    grip_offset: tuple[float, float, float] = (-0.017, 0.0, 0.003)  # port to a plugged connector's grip


class UsbGraspInsertionCraft:
    """One arm with a learned gripper (`hilserl_teleop.craft.Craft`).

    Attributes:
        grip_along_m: where along the connector, from its middle, the person grips.
    """

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self.numbers = GraspNumbers()
        self.arm = task.arms[0].name
        self._period_s, self._seated_m = task.period_s, task.operator.scripted.seated_depth_m
        self._insertion = InsertionSkill(task.period_s, rng)
        self.grip_along_m = rng.uniform(-GRIP_ALONG_M, GRIP_ALONG_M)
        self.reset()

    def reset(self) -> None:
        """Looks anew at what was done already."""
        self.stage = ""
        self._insertion.reset()

    def moves(self, view: View) -> dict[str, Push]:
        """The next step; which, is chosen by what is seen."""
        seen = self.see(view)
        self._choose_stage(seen)
        steps = {
            "over": self._over,
            "down": self._down,
            "close": self._close,
            "carry": self._carry,
            "insert": self._insert,
            "release": self._release,
        }
        return {self.arm: steps[self.stage](seen)}

    def see(self, view: View) -> Seen:
        """The view in the words of this task."""
        return Seen(view, self.arm, self.numbers, self.grip_along_m)

    def distance_m(self, view: View) -> float:
        """Way of the hand to the connector and of the connector into the port."""
        seen = self.see(view)
        port_T_connector = inverse(seen.port) @ seen.connector
        left = float(np.linalg.norm(port_T_connector[:3, 3]))
        if self.finished(view):
            return 0.0
        return left if seen.held else left + 0.1 + float(np.linalg.norm(seen.to_grip))

    def astray(self, view: View) -> bool:
        """Far from connector and port.

        A hand that closes beside the connector is no reason to step in at once: the policy would learn that
        it brings help, sooner than doing the task does.
        """
        seen = self.see(view)
        to_port = float(np.linalg.norm(seen.port[:3, 3] - seen.tcp[:3, 3]))
        return min(float(np.linalg.norm(seen.to_grip)), to_port) > self.numbers.far_m

    def back_on_track(self, view: View) -> bool:
        """Held, or the open hand is over the connector: the rest is the policy's again."""
        seen = self.see(view)
        return seen.held or (seen.side < self.numbers.near_m and not seen.closed)

    def finished(self, view: View) -> bool:
        """Plugged in and let go; deeper than the simulator asks for, so that a classifier that errs by half a
        millimetre still errs on the right side."""
        return view.success and view.depth >= self._seated_m

    # -- stages ---------------------------------------------------------------------------------------

    def _choose_stage(self, seen: Seen) -> None:
        n = self.numbers
        if not self.stage:
            self._enter("carry" if seen.held and abs(seen.yaw) < n.crooked_rad else "over")
        if self.stage in ("carry", "insert") and not seen.between:
            self._enter("release" if seen.depth >= FULL_DEPTH_M else "over")
        if self.stage == "over":
            if seen.depth >= FULL_DEPTH_M:
                self._enter("release")
            elif seen.side < n.aligned_m and abs(seen.yaw) < n.aligned_rad and seen.height < 1.3 * n.above_m:
                self._enter("down")
        elif self.stage == "down":
            if seen.side > 4 * n.aligned_m:
                self._enter("over")
            elif abs(seen.height) < n.at_m and seen.side < 2 * n.aligned_m:
                self._enter("close")
        elif self.stage == "close":
            self._settled_s += self._period_s
            if self._settled_s >= n.settle_s and seen.closed:
                good = seen.held and abs(seen.yaw) < n.crooked_rad
                self._enter("carry" if good else "over")
        elif self.stage == "carry" and seen.depth > -n.carry_m - 0.006 and self._level:
            self._enter("insert")
        elif self.stage == "insert" and seen.depth >= FULL_DEPTH_M:
            self._enter("release")

    def _enter(self, stage: str) -> None:
        self.stage, self._settled_s, self._level = stage, 0.0, False
        self._insertion.reset()

    def _over(self, seen: Seen) -> Push:
        """Above the connector, hand open; high enough before going sideways."""
        move = seen.to_grip + [0.0, 0.0, self.numbers.above_m]
        if np.hypot(*move[:2]) > 0.01:
            move[2] = max(move[2], 0.0)
        return _world(move, seen.turn_to_connector, open_hand=True)

    def _down(self, seen: Seen) -> Push:
        return _world(seen.to_grip, seen.turn_to_connector, open_hand=True)

    def _close(self, seen: Seen) -> Push:
        return Push.still(open_hand=False)

    def _carry(self, seen: Seen) -> Push:
        """Up and to the side first, then before the port."""
        n, port, goal = self.numbers, seen.port, seen.goal
        port_T_connector = inverse(port) @ seen.connector
        side, height = port_T_connector[1, 3], port_T_connector[2, 3]
        self._level = bool(np.hypot(side, height) < n.level_m)
        move, way_in = goal[:3, 3] - seen.tcp[:3, 3], port[:3, 0]
        forward = -seen.depth - n.carry_m  # along the way in
        if not self._level:
            forward = min(forward, 0.0)
        move = move - way_in * (move @ way_in) + way_in * forward
        turn = Rotation.from_matrix(goal[:3, :3] @ seen.tcp[:3, :3].T).as_rotvec()
        return _world(move, turn)

    def _insert(self, seen: Seen) -> Push:
        """As with a stick and a slot; only that the way in is not along the tool."""
        world_R_skill = seen.port[:3, :3] @ PORT_R_SKILL
        world_T_goal, world_T_held = np.eye(4), np.eye(4)
        world_T_goal[:3, :3], world_T_goal[:3, 3] = world_R_skill, seen.goal[:3, 3]
        world_T_held[:3, :3] = seen.tcp[:3, :3] @ seen.goal[:3, :3].T @ world_R_skill
        world_T_held[:3, 3] = seen.tcp[:3, 3]
        wanted = self._insertion.displacement(inverse(world_T_goal) @ world_T_held, seen.depth)
        return Push(wanted, world_R_skill)

    def _release(self, seen: Seen) -> Push:
        return Push.still(open_hand=True)


class Seen:
    """A view in the words of this task.

    Attributes:
        tcp, connector, port, goal: 4x4 in the world; goal is the tcp's pose when plugged in with this grasp.
        depth: of the plug in the port [m].
        to_grip: (3,) from the tcp to where it should close, world axes [m].
        side, height: of the tcp over that place [m].
        yaw: of the connector against the hand [rad].
        closed: the hand was told to close. between: the connector is between the fingers. held: both, and it
            keeps the fingers apart.
    """

    def __init__(self, view: View, arm: str, numbers: GraspNumbers, grip_along_m: float) -> None:
        self.tcp, self.goal, self.depth = view.world_T_tcp[arm], view.world_T_goal, view.depth
        self.connector, self.port = view.world_T["connector"], view.world_T["port"]
        away = self.connector[:3, 3] - self.tcp[:3, 3]
        self.to_grip = away + grip_along_m * self.connector[:3, 0] + [0.0, 0.0, numbers.grip_height_m]
        self.side, self.height = float(np.hypot(*self.to_grip[:2])), float(-self.to_grip[2])
        x = self.tcp[:3, :3].T @ self.connector[:3, 0]
        self.yaw = float(np.arctan2(x[1], x[0]))
        self.closed = not view.hand_open[arm]
        self.between = (
            float(np.linalg.norm(away)) < numbers.held_m and abs(self.yaw) < 3 * numbers.crooked_rad
        )
        self.held = self.closed and self.between and view.opening[arm] > numbers.gripping

    @property
    def turn_to_connector(self) -> Array:
        """(3,) rotation vector, world axes, that brings the hand upright along the connector."""
        yaw = np.arctan2(self.connector[1, 0], self.connector[0, 0])
        wanted = Rotation.from_euler("z", yaw).as_matrix() @ TOOL_DOWN
        turn: Array = Rotation.from_matrix(wanted @ self.tcp[:3, :3].T).as_rotvec()
        return turn


def _world(move: Array, turn: Array, open_hand: bool | None = None) -> Push:
    return Push(np.concatenate([move, turn]), np.eye(3), open_hand)
