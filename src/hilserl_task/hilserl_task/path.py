# SPDX-License-Identifier: Apache-2.0
"""Straight ways from pose to pose for scripted motions: minimum jerk, from rest to rest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from hilserl_task.frames import Array
from hilserl_task.reset_spec import TaughtPose

PEAK_OF_MINIMUM_JERK = 1.875  # largest speed over mean speed (Flash and Hogan 1985)


def taught_matrix(taught: TaughtPose) -> Array:
    """base_T_tcp (4x4)."""
    base_T_tcp = np.eye(4)
    base_T_tcp[:3, :3] = Rotation.from_rotvec(taught.rotation_rad).as_matrix()
    base_T_tcp[:3, 3] = taught.position_m
    return base_T_tcp


class SpeedLimits(Protocol):
    """What a way keeps to; sections of task and chain files have it."""

    @property
    def max_linear_speed(self) -> float:
        """m/s."""

    @property
    def max_angular_speed(self) -> float:
        """rad/s."""


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
    """Poses over time through given ones, at rest at each of them, never faster than the limits."""

    def __init__(self, poses: list[Array], limits: SpeedLimits) -> None:
        pairs = pairwise(poses)
        self._legs = [leg for leg in (_leg(first, last, limits) for first, last in pairs) if leg is not None]
        self.end = poses[-1]
        self.duration_s = sum(leg.duration_s for leg in self._legs)

    def at(self, time_s: float) -> Array:
        """base_T_target (4x4) at a time since the start."""
        for leg in self._legs:
            if time_s <= leg.duration_s:
                return leg.at(time_s)
            time_s -= leg.duration_s
        return self.end


def _leg(first: Array, last: Array, limits: SpeedLimits) -> _Leg | None:
    distance, angle = off_by(first, last)
    at_peak = max(distance / limits.max_linear_speed, angle / limits.max_angular_speed)
    duration = PEAK_OF_MINIMUM_JERK * at_peak
    if duration < 1e-6:
        return None
    turns = Rotation.from_matrix(np.stack([first[:3, :3], last[:3, :3]]))
    return _Leg(first, last, Slerp([0.0, 1.0], turns), duration)


def off_by(base_T_tcp: Array, base_T_target: Array) -> tuple[float, float]:
    """Distance [m] and angle [rad] between two poses."""
    distance = float(np.linalg.norm(base_T_target[:3, 3] - base_T_tcp[:3, 3]))
    return distance, float(Rotation.from_matrix(base_T_tcp[:3, :3].T @ base_T_target[:3, :3]).magnitude())
