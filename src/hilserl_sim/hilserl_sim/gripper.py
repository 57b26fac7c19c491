# SPDX-License-Identifier: Apache-2.0
"""A gripper of the simulated arm: fingers that stand still, or a servo that closes on things."""

from __future__ import annotations

import mujoco

from hilserl_sim import panda
from hilserl_task.schema import ArmSpec

FINGER_SPEED = 0.05  # m/s each (Franka hand data sheet)


class SimGripper:
    """Position 0 closed .. 1 open.

    Args:
        model, data: with the servo `<arm>/gripper` where the fingers move.
        spec: of the arm.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, spec: ArmSpec) -> None:
        self._fixed_position = spec.gripper.position
        self._step_m = FINGER_SPEED / spec.controller.rate_hz
        servo = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_ACTUATOR, f"{spec.name}/gripper")
        self.moves = servo >= 0
        if not self.moves:
            return
        self._servo = servo
        self._limits = model.actuator_forcerange
        self._setpoint = data.ctrl[servo : servo + 1]
        joints = [model.joint(f"{spec.name}/finger_joint{i}") for i in (1, 2)]
        self._fingers = [data.qpos[int(joint.qposadr[0]) :][:1] for joint in joints]
        self._goal_m = 0.0
        self._pulled = False

    @property
    def position(self) -> float:
        """Measured opening."""
        if not self.moves:
            return self._fixed_position
        width = self._fingers[0][0] + self._fingers[1][0]
        return float(width / (2 * panda.FINGER_STROKE))

    @property
    def goal(self) -> float:
        """Where it was told to go, 0 closed .. 1 open."""
        return self._goal_m / panda.FINGER_STROKE if self.moves else self._fixed_position

    def reset(self, position: float) -> None:
        """Puts the fingers there at once; call before mj_forward."""
        if self.moves:
            self._goal_m, self._pulled = position * panda.FINGER_STROKE, False
            self._setpoint[0] = self._goal_m
            for finger in self._fingers:
                finger[0] = self._goal_m
            self._limit(0.0)

    def command(self, position: float, max_effort: float = 0.0) -> None:
        """Where to go, with at most so much force [N]; 0: the hand's own limit. Fixed fingers stay."""
        if self.moves:
            self._goal_m = min(max(position, 0.0), 1.0) * panda.FINGER_STROKE
            self._limit(max_effort)

    def pull_apart(self, pulled: bool) -> None:
        """Somebody pulls the fingers apart, stronger than the motor, or lets go. The goal stays what it was
        commanded to be: nothing in the robot notices but the measured opening."""
        self._pulled = pulled and self.moves

    def control(self) -> None:
        """One cycle: the set point goes towards the goal at the speed of the fingers."""
        if self.moves:
            goal_m = panda.FINGER_STROKE if self._pulled else self._goal_m
            change = goal_m - self._setpoint[0]
            self._setpoint[0] += min(max(change, -self._step_m), self._step_m)

    def _limit(self, max_effort: float) -> None:
        force = min(max_effort, panda.GRASP_FORCE) if max_effort > 0 else panda.GRASP_FORCE
        self._limits[self._servo] = -force, force
