# SPDX-License-Identifier: Apache-2.0
"""From normalized actions to targets and back. The only place that knows action scales and frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from hilserl_task.action_spec import ActionSpec
from hilserl_task.frames import Array, rotate_both
from hilserl_task.schema import ArmSpec, Task


@dataclass(frozen=True)
class ArmTarget:
    """What one arm is told: a pose to go to, or a wrench to push with.

    Attributes:
        base_T_target: 4x4; None: a wrench.
        wrench: (6,) at the tcp, N and Nm, in the axes of `frame`; None: a pose.
        frame: axes of the wrench.
    """

    base_T_target: Array | None = None
    wrench: Array | None = None
    frame: Literal["base", "tcp"] = "base"


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


def arm_target(base_T_tcp: Array, values: Array, arm: ArmSpec) -> ArmTarget:
    """Target of an arm's motion values, from the measured pose. The only place where an action gets units.

    It does not lead out of the task's workspace; a robot's controller has one of its own in its robot file,
    and the smaller one counts. An arm that is outside is not pulled in, only let or pushed no farther out.
    """
    box, here = arm.controller.workspace, base_T_tcp[:3, 3]
    if arm.action.type == "wrench":
        wrench = _confined(action_wrench(values, arm.action), base_T_tcp, arm)
        return ArmTarget(wrench=wrench, frame=arm.action.frame)
    base_T_target = target_pose(base_T_tcp, values, arm.action)
    low, high = np.minimum(here, box.minimum_m), np.maximum(here, box.maximum_m)
    base_T_target[:3, 3] = np.clip(base_T_target[:3, 3], low, high)
    return ArmTarget(base_T_target)


def target_pose(base_T_tcp: Array, action: Array, spec: ActionSpec) -> Array:
    """base_T_target (4x4) of a (6,) action in the tcp frame, from the measured pose.

    As in the original the target starts from the measured, not the last commanded pose, so the push is
    bounded by stiffness times action scale as well (franka_env.py, step).
    """
    tcp_T_target = np.eye(4)
    tcp_T_target[:3, 3] = action[:3] * spec.translation_scale_m
    tcp_T_target[:3, :3] = Rotation.from_rotvec(action[3:6] * spec.rotation_scale_rad).as_matrix()
    return base_T_tcp @ tcp_T_target


def action_wrench(values: ArrayLike, spec: ActionSpec) -> Array:
    """(6,) N and Nm, in the axes of `spec.frame`, of the values (n,) of a wrench action; others are zero."""
    wrench = np.zeros(6)
    wrench[list(spec.axes)] = np.asarray(values, float) * spec.scales
    return wrench


def no_wrench(spec: ActionSpec) -> ArmTarget:
    """Lets go: commanded axes float, damped, the others are held; without a next target the pose is held."""
    return ArmTarget(wrench=np.zeros(6), frame=spec.frame)


def _confined(wrench: Array, base_T_tcp: Array, arm: ArmSpec) -> Array:
    """The wrench without the force that pushes an arm outside its workspace farther out (original: no wrench
    at all outside its box)."""
    box, here = arm.controller.workspace, base_T_tcp[:3, 3]
    below, above = here < box.minimum_m, here > box.maximum_m
    if not (below | above).any():
        return wrench
    base_R_frame = np.eye(3) if arm.action.frame == "base" else base_T_tcp[:3, :3]
    force = base_R_frame @ wrench[:3]
    force[below] = np.maximum(force[below], 0.0)
    force[above] = np.minimum(force[above], 0.0)
    return np.concatenate([base_R_frame.T @ force, wrench[3:]])


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


def values_from_stick(task: Task, arm: ArmSpec, base_T_tcp: Array, stick: ArrayLike) -> Array:
    """(n,) motion values of an arm, clipped to [-1, 1], from a unit-range deflection (6,).

    Of wrench actions a full stick along a commanded axis is the axis' scale; the other axes do nothing.
    """
    tcp_R_stick = stick_axes(task, base_T_tcp)
    if arm.action.type == "wrench" and arm.action.frame == "base":
        values = action_from_stick(base_T_tcp[:3, :3] @ tcp_R_stick, stick)
    else:
        values = action_from_stick(tcp_R_stick, stick)
    return values[list(arm.action.axes)]
