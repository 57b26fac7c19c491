# SPDX-License-Identifier: Apache-2.0
"""4x4 poses in and out of MuJoCo, and the few that scenes are built of."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from hilserl_task.frames import Array

TOOL_DOWN = np.diag([1.0, -1.0, -1.0])  # hand looks down, its x axis along the base's


def pose(position: ArrayLike, rotation: ArrayLike | None = None) -> Array:
    """a_T_b of a position [m] and a rotation matrix (None: none)."""
    a_T_b = np.eye(4)
    a_T_b[:3, 3] = position
    if rotation is not None:
        a_T_b[:3, :3] = rotation
    return a_T_b


def turn_z(angle_rad: float) -> Array:
    """(3, 3) rotation about z."""
    return Rotation.from_euler("z", angle_rad).as_matrix()


def site_pose(data: mujoco.MjData, site: int) -> Array:
    """world_T_site."""
    return pose(data.site_xpos[site], data.site_xmat[site].reshape(3, 3))


def body_pose(data: mujoco.MjData, body: int) -> Array:
    """world_T_body."""
    return pose(data.xpos[body], data.xmat[body].reshape(3, 3))


def place_free_body(model: mujoco.MjModel, data: mujoco.MjData, joint: str, world_T_body: Array) -> None:
    """Puts a body with a free joint there, at rest."""
    address = int(model.joint(joint).qposadr[0])
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, world_T_body[:3, :3].ravel())
    data.qpos[address : address + 3] = world_T_body[:3, 3]
    data.qpos[address + 3 : address + 7] = quaternion
    velocity = int(model.joint(joint).dofadr[0])
    data.qvel[velocity : velocity + 6] = 0.0
