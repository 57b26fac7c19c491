# SPDX-License-Identifier: Apache-2.0
"""Where the original's arm was, and so how to undo its change of axes.

RelativeFrame (franka_env/envs/relative_env.py) brings velocities and actions into tcp axes with an adjoint
whose blocks are ordered for (angular, linear), so translation leaks into rotation: stored = Ad^-1 base with
Ad = [R 0; [p]R R]. A step is a small displacement at the tcp, so in the tcp's axes it is [R' 0; 0 R'] base.
With the absolute pose, which it keeps in infos, one follows from the other: tcp = [1 0; R'[p]R 1] stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hilserl_task.frames import Array, inverse, pose_matrix, pose_vector

_INFO = "original_state_obs"
_TCP_POSE = slice(4, 10)  # of the flattened state: position, Euler angles


@dataclass(frozen=True)
class OriginalFrames:
    """Poses of one episode of T steps.

    Attributes:
        poses: [T+1, 1, 7] base_T_tcp; None where infos do not tell.
        note: for the metadata, what could be done.
    """

    poses: NDArray[np.float64] | None
    note: str

    @staticmethod
    def of(episode: list[dict[str, Any]]) -> OriginalFrames:
        """Finds the poses in infos; the first frame's follows from the second's and the relative pose."""
        told = [_absolute(transition) for transition in episode]
        known = [pose for pose in told if pose is not None]
        if len(known) != len(episode):
            return OriginalFrames(
                None,
                "infos do not tell absolute poses: the original's adjoint stays in rotational actions and "
                "velocities, poses are relative to the start",
            )
        start_T_second = _relative(episode[0]["next_observations"]["state"])
        poses = [known[0] @ inverse(start_T_second), *known]
        return OriginalFrames(
            np.array([[pose_vector(pose)] for pose in poses]), "the original's adjoint was undone"
        )

    def action(self, stored: Array, step: int) -> Array:
        """Action of a step in tcp axes; values after the first six stay."""
        return self._in_tcp_axes(stored, step)

    def twist(self, stored: Array, step: int) -> Array:
        """(6,) velocity of the tcp in its axes."""
        return self._in_tcp_axes(stored, step)

    def _in_tcp_axes(self, stored: Array, step: int) -> Array:
        values = np.array(stored, float)
        if self.poses is not None:
            pose = pose_matrix(self.poses[step, 0, :3], self.poses[step, 0, 3:])
            rotation, translation = pose[:3, :3], pose[:3, 3]
            values[3:6] += rotation.T @ np.cross(translation, rotation @ values[:3])
        return values


def _absolute(transition: dict[str, Any]) -> Array | None:
    infos = transition.get("infos")
    state = infos.get(_INFO) if isinstance(infos, dict) else None
    pose = np.ravel(state["tcp_pose"]) if isinstance(state, dict) and "tcp_pose" in state else np.zeros(0)
    return pose_matrix(pose[:3], pose[3:]) if pose.size == 7 else None


def _relative(state: Any) -> Array:
    """4x4 pose relative to the start, from a flattened state."""
    pose = np.ravel(state).astype(float)[_TCP_POSE]
    return pose_matrix(pose[:3], Rotation.from_euler("xyz", pose[3:]).as_quat())
