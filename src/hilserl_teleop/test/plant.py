# SPDX-License-Identifier: Apache-2.0
"""A kinematic arm over a slot: enough physics to test a person's decisions without a simulator.

The tool covers a fixed part of the commanded displacement per step; the board and the slot's walls stop it.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_task.action_codec import action_from_stick, target_pose
from hilserl_task.action_spec import ActionSpec
from hilserl_task.frames import inverse, pose_matrix, position_and_rotvec

SLOT_DEPTH_M = 0.009
PLAY_M = 0.0005
LAG = 0.65


class Plant:
    def __init__(self, rng):
        self.base_T_goal = pose_matrix([0.5, 0.02, 0.1], Rotation.from_euler("zx", [0.2, np.pi]).as_quat())
        start = [*rng.uniform(-0.02, 0.02, 2), -0.05]
        self.goal_T_tcp = pose_matrix(start, Rotation.from_rotvec([0, 0, rng.uniform(-0.1, 0.1)]).as_quat())

    @property
    def base_T_tcp(self):
        return self.base_T_goal @ self.goal_T_tcp

    @property
    def depth(self):
        return SLOT_DEPTH_M + float(self.goal_T_tcp[2, 3])

    @property
    def success(self):
        return self.depth > SLOT_DEPTH_M - 0.0015 and float(np.hypot(*self.goal_T_tcp[:2, 3])) < 0.001

    def step(self, stick):
        spec = ActionSpec()
        tcp_R_base = self.base_T_tcp[:3, :3].T
        action = action_from_stick(tcp_R_base, np.where(np.abs(stick) < 0.02, 0, stick))
        target = inverse(self.base_T_goal) @ target_pose(self.base_T_tcp, action, spec)
        old, new = position_and_rotvec(self.goal_T_tcp), position_and_rotvec(target)
        moved = old + LAG * (new - old)
        if old[2] > -SLOT_DEPTH_M + 1e-4 and np.abs(old[:2]).max() <= PLAY_M:
            moved[:2] = np.clip(moved[:2], -PLAY_M, PLAY_M)
        elif moved[2] > -SLOT_DEPTH_M and not (np.abs(moved[:2]).max() < PLAY_M and abs(moved[5]) < 0.03):
            moved[2] = min(moved[2], -SLOT_DEPTH_M)
        moved[2] = min(moved[2], 0.0)
        self.goal_T_tcp = pose_matrix(moved[:3], Rotation.from_rotvec(moved[3:]).as_quat())
