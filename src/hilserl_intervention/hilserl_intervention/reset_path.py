# SPDX-License-Identifier: Apache-2.0
"""The arm's way to the start pose of an episode: back, across, down. No ROS."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from hilserl_task.frames import Array
from hilserl_task.reset_spec import ResetSpec, TaughtPose
from hilserl_task.schema import ArmSpec, WorkspaceSpec

PEAK_OF_MINIMUM_JERK = 1.875  # largest speed over mean speed (Flash and Hogan 1985)


def taught_matrix(taught: TaughtPose) -> Array:
    """base_T_tcp (4x4)."""
    base_T_tcp = np.eye(4)
    base_T_tcp[:3, :3] = Rotation.from_rotvec(taught.rotation_rad).as_matrix()
    base_T_tcp[:3, 3] = taught.position_m
    return base_T_tcp


def draw_start(base_T_taught: Array, spec: ResetSpec, rng: np.random.Generator) -> Array:
    """base_T_start (4x4): the taught pose, moved by offset and a random draw, turned about the base's z."""
    x, y, z, yaw = rng.uniform(-1.0, 1.0, 4)
    base_T_start = base_T_taught.copy()
    base_T_start[:3, 3] += np.array(spec.offset_m) + np.array([x, y, z]) * np.array(spec.translation_range_m)
    turn = Rotation.from_euler("z", yaw * spec.yaw_range_rad).as_matrix()
    base_T_start[:3, :3] = turn @ base_T_taught[:3, :3]
    return base_T_start


def way(base_T_now: Array, base_T_start: Array, spec: ResetSpec, box: WorkspaceSpec) -> list[Array]:
    """Poses from here to the start: retreat without turning, above the start, down to it.

    An episode may end anywhere, also at the top of the workspace or a little beside it: the retreat goes as
    far as the workspace reaches.
    """
    retreat = base_T_now.copy()
    retreat[:3, 3] = np.clip(retreat[:3, 3] + spec.retreat_m, box.minimum_m, box.maximum_m)
    above = base_T_start.copy()
    above[2, 3] = max(retreat[2, 3], base_T_start[2, 3])
    return [base_T_now, retreat, above, base_T_start]


def check_starts(base_T_taught: Array, spec: ResetSpec, arm: ArmSpec) -> None:
    """Raises ValueError when a start may be drawn where the controller would not go."""
    box = arm.controller.workspace
    middle, half = base_T_taught[:3, 3] + spec.offset_m, np.array(spec.translation_range_m)
    for corner in (middle - half, middle + half):
        if (corner < box.minimum_m).any() or (corner > box.maximum_m).any():
            raise ValueError(
                f"arm '{arm.name}': starts are drawn up to {np.round(corner, 3).tolist()} m, outside of "
                f"controller.workspace ({list(box.minimum_m)} to {list(box.maximum_m)}); check "
                "reset.taught_poses, reset.offset_m and reset.translation_range_m"
            )


@dataclass(frozen=True)
class _Leg:
    first: Array
    last: Array
    slerp: Slerp
    duration_s: float

    def at(self, time_s: float) -> Array:
        """Pose on the leg, minimum jerk from rest to rest."""
        s = min(max(time_s / self.duration_s, 0.0), 1.0)
        share = s**3 * (10.0 - 15.0 * s + 6.0 * s**2)
        pose = np.eye(4)
        pose[:3, :3] = self.slerp([share]).as_matrix()[0]
        pose[:3, 3] = self.first[:3, 3] + share * (self.last[:3, 3] - self.first[:3, 3])
        return pose


class Path:
    """Poses over time through given ones, at rest at each of them, never faster than the reset's limits."""

    def __init__(self, poses: list[Array], spec: ResetSpec) -> None:
        pairs = pairwise(poses)
        self._legs = [leg for leg in (_leg(first, last, spec) for first, last in pairs) if leg is not None]
        self.end = poses[-1]
        self.duration_s = sum(leg.duration_s for leg in self._legs)

    def at(self, time_s: float) -> Array:
        """base_T_target (4x4) at a time since the start."""
        for leg in self._legs:
            if time_s <= leg.duration_s:
                return leg.at(time_s)
            time_s -= leg.duration_s
        return self.end


def _leg(first: Array, last: Array, spec: ResetSpec) -> _Leg | None:
    distance = float(np.linalg.norm(last[:3, 3] - first[:3, 3]))
    angle = float(Rotation.from_matrix(first[:3, :3].T @ last[:3, :3]).magnitude())
    duration = PEAK_OF_MINIMUM_JERK * max(distance / spec.max_linear_speed, angle / spec.max_angular_speed)
    if duration < 1e-6:
        return None
    turns = Rotation.from_matrix(np.stack([first[:3, :3], last[:3, :3]]))
    return _Leg(first, last, Slerp([0.0, 1.0], turns), duration)


def off_by(base_T_tcp: Array, base_T_target: Array) -> tuple[float, float]:
    """Distance [m] and angle [rad] between two poses."""
    distance = float(np.linalg.norm(base_T_target[:3, 3] - base_T_tcp[:3, 3]))
    return distance, float(Rotation.from_matrix(base_T_tcp[:3, :3].T @ base_T_target[:3, :3]).magnitude())
