# SPDX-License-Identifier: Apache-2.0
"""Joint positions for a tcp pose: damped least squares on the model, leaning to a posture."""

from __future__ import annotations

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_sim import panda
from hilserl_task.frames import Array

DAMPING = 1e-3
MAX_STEP = 0.3  # rad per iteration, keeps far targets from overshooting
ITERATIONS = 200
TOLERANCE = 1e-6  # m and rad


class InverseKinematics:
    """Solves for one arm on its own copy of the state; deterministic."""

    def __init__(self, model: mujoco.MjModel, arm: str) -> None:
        self._model, self._data = model, mujoco.MjData(model)
        first = model.joint(f"{arm}/joint1")
        self._q0, self._v0 = int(first.qposadr[0]), int(first.dofadr[0])
        self._site = model.site(f"{arm}/tcp").id
        self._jacobian = np.zeros((6, model.nv))

    def solve(self, world_T_tcp: Array, posture: Array = panda.HOME) -> Array:
        """(7,) joint positions that put the tcp there, inside the joint limits.

        Raises:
            ValueError: the pose is out of reach.
        """
        q = np.array(posture, float)
        for _ in range(ITERATIONS):
            error, jacobian = self._error(q, world_T_tcp)
            if np.abs(error).max() < TOLERANCE:
                return q
            inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + DAMPING**2 * np.eye(6))
            lean = (np.eye(panda.JOINTS) - inverse @ jacobian) @ (0.2 * (posture - q))
            step = inverse @ error + lean
            q += step * min(1.0, MAX_STEP / max(np.abs(step).max(), 1e-12))
            q = np.clip(q, panda.JOINT_LOWER + 0.02, panda.JOINT_UPPER - 0.02)
        position = np.round(world_T_tcp[:3, 3], 3).tolist()
        raise ValueError(f"inverse kinematics: tcp position {position} is out of reach")

    def _error(self, q: Array, world_T_tcp: Array) -> tuple[Array, Array]:
        """(6,) pose error in world axes, and the (6, 7) Jacobian."""
        data = self._data
        data.qpos[self._q0 : self._q0 + panda.JOINTS] = q
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        mujoco.mj_jacSite(self._model, data, self._jacobian[:3], self._jacobian[3:], self._site)
        rotation = data.site_xmat[self._site].reshape(3, 3)
        turn = Rotation.from_matrix(world_T_tcp[:3, :3] @ rotation.T).as_rotvec()
        error = np.concatenate([world_T_tcp[:3, 3] - data.site_xpos[self._site], turn])
        return error, self._jacobian[:, self._v0 : self._v0 + panda.JOINTS].copy()
