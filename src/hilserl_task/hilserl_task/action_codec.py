# SPDX-License-Identifier: Apache-2.0
"""From normalized actions to targets and back. The only place that knows action scales and frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from hilserl_task.frames import Array, rotate_both
from hilserl_task.schema import ActionSpec


def check_action(values: ArrayLike, size: int) -> Array:
    """A finite action of the right size, clipped to [-1, 1].

    Raises:
        ValueError: wrong size, NaN or infinite.
    """
    action = np.asarray(values, float)
    if action.shape != (size,):
        raise ValueError(f"action: shape {action.shape}, must be ({size},)")
    if not np.isfinite(action).all():
        raise ValueError(f"action: {action.tolist()} must be finite; example: {[0.0] * size}")
    return np.clip(action, -1.0, 1.0)


def target_pose(base_T_tcp: Array, action: Array, spec: ActionSpec) -> Array:
    """base_T_target (4x4) of a (6,) action in the tcp frame, from the measured pose.

    As in the original the target starts from the measured, not the last commanded pose, so the push is
    bounded by stiffness times action scale as well (franka_env.py, step).
    """
    tcp_T_target = np.eye(4)
    tcp_T_target[:3, 3] = action[:3] * spec.translation_scale_m
    tcp_T_target[:3, :3] = Rotation.from_rotvec(action[3:6] * spec.rotation_scale_rad).as_matrix()
    return base_T_tcp @ tcp_T_target


def action_from_stick(base_T_tcp: Array, stick: ArrayLike, frame: str) -> Array:
    """(6,) action in the tcp frame from a unit-range stick deflection in `base` or `tcp` axes."""
    deflection = np.asarray(stick, float)
    if frame == "base":
        deflection = rotate_both(base_T_tcp[:3, :3].T, deflection)
    return np.clip(deflection, -1.0, 1.0)
