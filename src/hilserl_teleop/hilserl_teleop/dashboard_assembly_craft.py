# SPDX-License-Identifier: Apache-2.0
"""How a practised person assembles the dashboard with two arms: over both grips, down, close both, carry the
workpiece as one rigid body, align its pins, press; an arm that holds nothing grasps again.

What to do is chosen from what is seen, so it goes on from wherever a policy left off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_task import Task, TaskError
from hilserl_task.frames import Array, inverse, position_and_rotvec
from hilserl_teleop.craft import Push, View
from hilserl_teleop.insertion_skill import InsertionSkill, SkillNumbers

# The scene's numbers as a person knows the parts (hilserl_sim.dashboard_assembly_mjcf).
GRIP_M = 0.10  # of either grip from the middle of the workpiece, along its x axis
SEATED_M = 0.012  # the workpiece's frame above the panel's face when every pin is in
PIN_M = 0.014
DONE_M = 0.0124  # depth at which a person calls it done; the simulator asks for 12 mm
LEFT_HAND = np.diag([1.0, -1.0, -1.0])  # axes of a good grip in the workpiece's; the right one's is turned
# Pins have 1 mm of play to either side and 3 mm of lead-in.
PRESS = SkillNumbers(
    clearance_m=0.003, hover_m=0.012, aligned_m=0.0015, aligned_rad=0.035, lost_m=0.006, entered_m=0.004,
    descent_m=0.006, push_m=0.015, search_after_s=0.6, search_m=0.003, lift_m=0.008,
)  # fmt: skip


@dataclass(frozen=True)
class Numbers:
    """Sizes of the movements."""

    above_m: float = 0.035  # over the grip before going down
    free_m: float = 0.022  # above this nothing is touched on the way sideways
    over_m: float = 0.006  # sideways, close enough to go down
    over_rad: float = 0.08
    at_m: float = 0.005  # close enough to close the hand
    lost_m: float = 0.025  # tcp from the grip: a closed hand this far away holds nothing
    crooked_rad: float = 0.35
    gripping: tuple[float, float] = (0.12, 0.42)  # opening around the handle, 20 of 80 mm
    closing_steps: int = 7  # a hand closes in 0.6 s
    near_m: float = 0.030  # sideways from the holes: here the insertion begins
    hover_m: float = 0.016  # pin tips above the face while going there
    raise_m: float = 0.012  # below the hover height by more than this: up before sideways
    turned_rad: float = 0.12
    far_m: float = 0.10  # tcp from the grip: nobody would watch this
    far_rad: float = 0.7
    fallen_cosine: float = 0.5  # of the workpiece's tilt: nobody takes it up again


class DashboardAssemblyCraft:
    """Both arms of the task `dashboard_assembly`; the first is the left one.

    Attributes:
        shift_m: where a hand takes hold, (3,) from the good grip in the hand's axes there; who shows a reward
            classifier around varies it, because a policy will.

    Raises:
        TaskError: the task has not two arms with learned grippers.
    """

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        if len(task.arms) != 2 or not all(arm.gripper.learned for arm in task.arms):
            raise TaskError("dashboard_assembly: a person needs two arms with gripper: {mode: learned}")
        self.numbers = Numbers()
        self._arms = tuple(arm.name for arm in task.arms)
        self.shift_m: dict[str, Array] = {arm: np.zeros(3) for arm in self._arms}
        self._step = _Steps(task)
        self._skill = InsertionSkill(task.period_s, rng)
        self._skill.numbers = PRESS
        self._signs = dict(zip(self._arms, (-1.0, 1.0), strict=True))
        self.reset()

    def reset(self) -> None:
        """Forgets the episode."""
        self._closing: dict[str, int] = {}
        self._down = dict.fromkeys(self._arms, False)
        self._pressing = False
        self._skill.reset()

    # -- the task ---------------------------------------------------------------------------------------

    def moves(self, view: View) -> dict[str, Push]:
        """Both hands on the workpiece first, then the workpiece into its place."""
        if view.world_T["workpiece"][2, 2] < self.numbers.fallen_cosine:
            return {arm: Push.still(True) for arm in self._arms}
        holding = {arm: self.holds(view, arm) for arm in self._arms}
        self._count_closing(view)
        if all(holding.values()) and self.both_closed:
            return self.move_workpiece(view, self.to_place(view))
        self._pressing = False
        return self._take_hold(view, holding)

    def distance_m(self, view: View) -> float:
        """What is left of the way of hands or workpiece; a grasp counts as 20 cm."""
        left = 0.0
        for arm in self._arms:
            if not self.holds(view, arm):
                error = self.grip_error(view, arm)
                left += 0.2 + float(np.linalg.norm(error[:3]) + 0.05 * np.linalg.norm(error[3:]))
        error = self.place_error(view)
        return left + float(np.linalg.norm(error[:3]) + 0.05 * np.linalg.norm(error[3:]))

    def astray(self, view: View) -> bool:
        """A hand is far from its grip or turned away from it.

        One that closes around nothing brings no help by itself, or the policy learns to close it for that.
        """
        n = self.numbers
        for arm in self._arms:
            error = self.grip_error(view, arm)
            if np.linalg.norm(error[:3]) > n.far_m or np.linalg.norm(error[3:]) > n.far_rad:
                return True
        return False

    def back_on_track(self, view: View) -> bool:
        """Both hands hold, or hang open over their grips."""
        if all(self.holds(view, arm) for arm in self._arms):
            error = self.place_error(view)
            return bool(np.linalg.norm(error[:2]) < 0.05 and np.linalg.norm(error[3:]) < 0.15)
        errors = [self.grip_error(view, arm) for arm in self._arms]
        return all(np.linalg.norm(e[:3]) < 0.05 and np.linalg.norm(e[3:]) < 0.2 for e in errors)

    def finished(self, view: View) -> bool:
        """Stricter than the simulator: nothing is left to press."""
        return view.success and view.depth >= DONE_M

    # -- what is seen -----------------------------------------------------------------------------------

    def world_T_grip(self, view: View, arm: str) -> Array:
        """(4, 4) tcp pose of an arm that holds the workpiece well."""
        sign = self._signs[arm]
        workpiece_T_grip = np.eye(4)
        workpiece_T_grip[0, 3] = sign * GRIP_M
        workpiece_T_grip[:3, :3] = np.diag([-sign, -sign, 1.0]) @ LEFT_HAND
        result: Array = view.world_T["workpiece"] @ workpiece_T_grip
        return result

    def grip_error(self, view: View, arm: str) -> Array:
        """(6,) tcp relative to the good grip, in the hand's own axes there [m, rad]; z points down."""
        return position_and_rotvec(inverse(self.world_T_grip(view, arm)) @ view.world_T_tcp[arm])

    def place_error(self, view: View) -> Array:
        """(6,) workpiece relative to its place, panel axes [m, rad]; z points out of the panel."""
        panel_T_place = np.eye(4)
        panel_T_place[2, 3] = SEATED_M
        world_T_place = view.world_T["panel"] @ panel_T_place
        return position_and_rotvec(inverse(world_T_place) @ view.world_T["workpiece"])

    def holds(self, view: View, arm: str) -> bool:
        """The hand is closed around the handle."""
        low, high = self.numbers.gripping
        if view.hand_open[arm] or not low < view.opening[arm] < high:
            return False
        error = self.grip_error(view, arm)
        return bool(
            np.linalg.norm(error[:3]) < self.numbers.lost_m
            and np.linalg.norm(error[3:]) < self.numbers.crooked_rad
        )

    @property
    def both_closed(self) -> bool:
        """No hand is open or on its way."""
        return not any(self._closing.values())

    # -- taking hold ------------------------------------------------------------------------------------

    def _count_closing(self, view: View) -> None:
        """Fingers that were told to close need their time before they hold."""
        steps, wide = self.numbers.closing_steps, self.numbers.gripping[1]
        for arm in self._arms:
            before = self._closing.get(arm, steps if view.opening[arm] > wide else 0)
            self._closing[arm] = steps if view.hand_open[arm] else max(before - 1, 0)

    def _take_hold(self, view: View, holding: dict[str, bool]) -> dict[str, Push]:
        """Free hands go over their grips and down; both close together, a single one by itself."""
        pushes, ready = {}, {}
        for arm in self._arms:
            closing = not view.hand_open[arm] and self._closing[arm] > 0
            if holding[arm] or closing:
                ready[arm] = True
                pushes[arm] = Push.still(False)
            elif not view.hand_open[arm]:  # around nothing, or crooked: let go
                ready[arm] = False
                pushes[arm] = Push.still(True)
            else:
                pushes[arm], ready[arm] = self._approach(view, arm)
        if all(ready.values()):
            for arm in self._arms:
                if view.hand_open[arm]:
                    pushes[arm] = Push.still(False)
        return pushes

    def _approach(self, view: View, arm: str) -> tuple[Push, bool]:
        """Towards the grip from above. True when the hand may close."""
        n, error = self.numbers, self.grip_error(view, arm)
        error[:3] -= self.shift_m[arm]
        sideways, turned = float(np.hypot(*error[:2])), float(np.linalg.norm(error[3:]))
        if sideways < n.over_m and turned < n.over_rad:
            self._down[arm] = True
        elif sideways > 2.5 * n.over_m or turned > 2.5 * n.over_rad:
            self._down[arm] = False
        wanted = -error
        if not self._down[arm]:
            wanted[2] = -(n.above_m + error[2])
            if -error[2] < n.free_m and sideways > 2.5 * n.over_m:  # up before sideways
                wanted[:2] = 0.0
        ready = self._down[arm] and bool(np.abs(error[:3]).max() < n.at_m)
        axes = self.world_T_grip(view, arm)[:3, :3]
        return Push(wanted, axes, True), ready

    # -- moving the workpiece ---------------------------------------------------------------------------

    def to_place(self, view: View) -> Array:
        """(6,) wanted displacement of the workpiece in panel axes: up, across and turned, then in."""
        n, error = self.numbers, self.place_error(view)
        sideways, turned = float(np.hypot(*error[:2])), float(np.linalg.norm(error[3:]))
        if sideways > 1.5 * n.near_m or turned > 2 * n.turned_rad:
            self._pressing = False
        elif not self._pressing and sideways < n.near_m and turned < n.turned_rad:
            self._pressing = True
            self._skill.reset()
        if self._pressing:
            return self._press(view)
        return self.way(view, np.array([0.0, 0.0, PIN_M + n.hover_m, 0.0, 0.0, 0.0]))

    def way(self, view: View, target: Array) -> Array:
        """(6,) displacement towards a target given like `place_error`; far below it, up before sideways."""
        wanted: Array = target - self.place_error(view)
        if wanted[2] > self.numbers.raise_m:
            wanted[:2] *= 0.3
        return wanted

    def _press(self, view: View) -> Array:
        """As a stick into a slot, whose z axis points in."""
        error = self.place_error(view)
        flip = np.diag([1.0, -1.0, -1.0])
        goal_T_tool = np.eye(4)
        goal_T_tool[:3, 3] = flip @ error[:3]
        goal_T_tool[:3, :3] = flip @ Rotation.from_rotvec(error[3:]).as_matrix() @ flip
        wanted = self._skill.displacement(goal_T_tool, view.depth)
        return np.concatenate([flip @ wanted[:3], flip @ wanted[3:]])

    def move_workpiece(self, view: View, wanted: Array) -> dict[str, Push]:
        """Both hands as one body with the workpiece.

        Args:
            wanted: (6,) displacement of the workpiece at its own origin, panel axes [m, rad].
        """
        panel, centre = view.world_T["panel"][:3, :3], view.world_T["workpiece"][:3, 3]
        move, turn = panel @ wanted[:3], self._step.limit_turn(panel @ wanted[3:])
        rotation = Rotation.from_rotvec(turn).as_matrix() - np.eye(3)
        swings = {arm: rotation @ (view.world_T_tcp[arm][:3, 3] - centre) for arm in self._arms}
        move = self._step.limit_move(move)
        return {arm: Push(np.concatenate([move + swings[arm], turn]), np.eye(3)) for arm in self._arms}


class _Steps:
    """Largest displacements in one step that both hands follow alike, so that neither pulls at the other."""

    def __init__(self, task: Task) -> None:
        self._move = min(arm.action.translation_scale_m for arm in task.arms)
        self._turn = min(arm.action.rotation_scale_rad for arm in task.arms)

    def limit_move(self, move: Array) -> Array:
        """Same direction, no component above the scale."""
        result: Array = move / max(1.0, float(np.abs(move).max()) / self._move)
        return result

    def limit_turn(self, turn: Array) -> Array:
        """Same axis, no component above the scale."""
        result: Array = turn / max(1.0, float(np.abs(turn).max()) / self._turn)
        return result
