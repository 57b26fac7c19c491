# SPDX-License-Identifier: Apache-2.0
"""From normalized actions to targets and back. The only place that knows action scales and frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from hilserl_task.frames import Array, rotate_both
from hilserl_task.schema import ActionSpec, Task


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


def stick_axes(task: Task, base_T_tcp: Array) -> Array:
    """tcp_R_stick (3x3): the axes that the person pushes along (`operator.frame`), seen from the tcp."""
    operator = task.operator
    if operator.frame == "base":
        return base_T_tcp[:3, :3].T
    if operator.frame == "tcp":
        return np.eye(3)
    mount = next(camera.mount for camera in task.cameras if camera.name == operator.camera)
    assert mount is not None  # the task was checked
    mount_R_camera: Array = Rotation.from_euler("xyz", mount.rpy_rad).as_matrix()
    return base_T_tcp[:3, :3].T @ mount_R_camera if mount.frame == "base" else mount_R_camera


def action_from_stick(tcp_R_stick: Array, stick: ArrayLike) -> Array:
    """(6,) action in the tcp frame, clipped to [-1, 1], from a unit-range deflection along `stick_axes`."""
    return np.clip(rotate_both(tcp_R_stick, stick), -1.0, 1.0)
