# SPDX-License-Identifier: Apache-2.0
"""Scripted motions over time: where every arm and gripper shall be now, and whether all is done. No ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_task.chain_spec import MotionSpec, MoveSpec
from hilserl_task.frames import Array
from hilserl_task.path import Path, off_by, taught_matrix
from hilserl_task.schema import ArmSpec

SETTLE_S = 0.3  # at the goal for so long
PATIENCE_S = 5.0  # after the end of the way

Poses = Mapping[str, Array]


class MotionFailed(RuntimeError):
    """A motion cannot be done; the text says why."""


class MotionPlayer:
    """Plays motions one after another. Arms that do not move stay where they were at the start.

    Args:
        motions: in their order.
        arms: of the task, by name.
        base_T_tcp: measured poses (4x4) at the start, by arm.
        grippers: commanded positions, 0 closed .. 1 open, by arm; only those that are known.
        now_s: on any clock that goes forward; `play` gets the same.
        rng: draws the goals' ranges.
    """

    def __init__(
        self,
        motions: Sequence[MotionSpec],
        arms: Mapping[str, ArmSpec],
        base_T_tcp: Poses,
        grippers: Mapping[str, float],
        now_s: float,
        rng: np.random.Generator,
    ) -> None:
        self._motions, self._arms, self._rng = list(motions), arms, rng
        self._goal = {name: pose.copy() for name, pose in base_T_tcp.items()}
        self.grippers = dict(grippers)
        self._number = -1
        self._path: Path | None = None
        self._near_since: float | None = None
        self._next(base_T_tcp, now_s)

    @property
    def done(self) -> bool:
        """All motions are carried out."""
        return self._number >= len(self._motions)

    def play(self, base_T_tcp: Poses, now_s: float) -> None:
        """Takes the measured poses of this moment.

        Raises:
            MotionFailed: an arm does not get to its goal.
        """
        while not self.done and self._is_over(base_T_tcp, now_s):
            self._next(base_T_tcp, now_s)

    def targets(self, now_s: float) -> dict[str, Array]:
        """base_T_target (4x4) of every arm at a moment, which may lie ahead."""
        targets = dict(self._goal)
        if self._path is not None and not self.done:
            targets[self._move().arm] = self._path.at(now_s - self._began_s)
        return targets

    # -- one motion -----------------------------------------------------------------------------------

    def _next(self, base_T_tcp: Poses, now_s: float) -> None:
        self._number += 1
        self._began_s, self._path, self._near_since = now_s, None, None
        if self.done:
            return
        motion = self._motions[self._number]
        if motion.move is not None:
            here = base_T_tcp[motion.move.arm]
            self._path = Path([here, self._goal_of(motion.move, here)], motion.move)
            self._goal[motion.move.arm] = self._path.end
        elif motion.gripper is not None:
            self.grippers[motion.gripper.arm] = motion.gripper.position

    def _goal_of(self, move: MoveSpec, here: Array) -> Array:
        """base_T_goal. Relative ones go as far as the workspace reaches, as the retreat of a reset does."""
        if move.to is not None:
            goal = taught_matrix(move.to)
            x, y, z, yaw = self._rng.uniform(-1.0, 1.0, 4)
            goal[:3, 3] += np.array([x, y, z]) * move.translation_range_m
            turn = Rotation.from_euler("z", yaw * move.yaw_range_rad).as_matrix()
            goal[:3, :3] = turn @ goal[:3, :3]
            return goal
        base_R_axes = here[:3, :3] if move.axes == "tcp" else np.eye(3)
        turn = Rotation.from_rotvec(base_R_axes @ np.array(move.by_rad)).as_matrix()
        box, goal = self._arms[move.arm].controller.workspace, here.copy()
        goal[:3, 3] = np.clip(here[:3, 3] + base_R_axes @ move.by_m, box.minimum_m, box.maximum_m)
        goal[:3, :3] = turn @ here[:3, :3]
        return goal

    def _is_over(self, base_T_tcp: Poses, now_s: float) -> bool:
        motion, elapsed_s = self._motions[self._number], now_s - self._began_s
        if motion.wait is not None:
            return elapsed_s >= motion.wait.seconds
        if motion.gripper is not None:
            return elapsed_s >= motion.gripper.settle_s
        return self._arrived(base_T_tcp[self._move().arm], now_s)

    def _arrived(self, here: Array, now_s: float) -> bool:
        """At the goal, and has been for a moment."""
        move, path = self._move(), self._path
        assert path is not None
        distance, angle = off_by(here, path.end)
        late_s = now_s - self._began_s - path.duration_s
        if late_s < 0 or distance > move.tolerance_m or angle > move.tolerance_rad:
            self._near_since = None
            if late_s > PATIENCE_S:
                raise MotionFailed(
                    f"arm '{move.arm}' is {1e3 * distance:.0f} mm and {np.degrees(angle):.1f} degrees from "
                    f"its goal {late_s:.0f} s after it should be there; is it blocked, or in a reflex?"
                )
            return False
        if self._near_since is None:
            self._near_since = now_s
        return now_s - self._near_since >= SETTLE_S

    def _move(self) -> MoveSpec:
        move = self._motions[self._number].move
        assert move is not None
        return move
