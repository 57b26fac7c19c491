# SPDX-License-Identifier: Apache-2.0
"""One simulated torque-controlled arm under the control law of the real one."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

import hilserl_control as hc
from hilserl_sim import panda
from hilserl_sim.command import Command
from hilserl_sim.gripper import SimGripper
from hilserl_task.frames import Array, pose_vector
from hilserl_task.schema import ArmSpec, OrientationSpec

WRENCH_TIME_CONSTANT_S = 0.01  # low-pass of the wrench sensor; the Franka's own estimate is about as fast


@dataclass(frozen=True)
class Measurement:
    """What the arm's sensors say, SI units.

    Attributes:
        base_T_tcp: 4x4.
        twist: (6,) of the tcp, base axes.
        wrench: (6,) external, at and in the tcp frame.
        joint_position, joint_velocity: (7,).
        gripper: opening, 0 closed .. 1 open.
    """

    base_T_tcp: Array
    twist: Array
    wrench: Array
    joint_position: Array
    joint_velocity: Array
    gripper: float


def controller_config(spec: ArmSpec) -> hc.ControllerConfig:
    """The law's configuration from the task's numbers and the Panda's limits."""
    c = spec.controller
    config = hc.ControllerConfig()
    config.joints = panda.JOINTS
    config.effort_limits = panda.EFFORT_LIMITS
    config.joint_lower, config.joint_upper = panda.JOINT_LOWER, panda.JOINT_UPPER
    config.max_effort_rate = c.max_effort_rate
    config.workspace_min = np.array(c.workspace.minimum_m)
    config.workspace_max = np.array(c.workspace.maximum_m)
    config.max_linear_speed, config.max_angular_speed = c.max_linear_speed, c.max_angular_speed
    config.reference_time_constant = c.reference_time_constant_s
    config.gain_time_constant = c.gain_time_constant_s
    config.target_timeout = c.target_timeout_s
    config.wrench_cap = np.array([c.max_force_n, c.max_torque_nm])
    config.nullspace_stiffness = c.nullspace_stiffness
    config.joint1_nullspace_stiffness = c.joint1_nullspace_stiffness
    config.nullspace_posture = panda.HOME
    config.gains = _gains(spec)
    if c.workspace.orientation is not None:
        config.orientation_bound = _orientation_bound(c.workspace.orientation)
    if spec.action.type == "wrench":
        config.wrench_gains = _wrench_gains(spec)
        config.wrench_timeout = c.wrench.timeout_s
        config.max_wrench_rate = np.array([c.wrench.max_force_rate, c.wrench.max_torque_rate])
    return config


def _gains(spec: ArmSpec) -> hc.Gains:
    g = spec.controller.gains
    gains = hc.Gains()
    gains.stiffness = np.repeat([g.translational_stiffness, g.rotational_stiffness], 3)
    gains.damping = np.repeat([g.translational_damping, g.rotational_damping], 3)
    gains.integral = np.zeros(6)
    gains.clip_negative = np.array(g.translational_clip_m.negative + g.rotational_clip_rad.negative)
    gains.clip_positive = np.array(g.translational_clip_m.positive + g.rotational_clip_rad.positive)
    return gains


def _wrench_gains(spec: ArmSpec) -> hc.Gains:
    """Commanded axes are damped and free or held softly, the others held as hard as in a pose."""
    wrench, gains, free = spec.controller.wrench, _gains(spec), list(spec.action.axes)
    damping = np.repeat([wrench.translational_damping, wrench.rotational_damping], 3)
    stiffness = np.repeat([wrench.translational_stiffness, wrench.rotational_stiffness], 3)
    gains.stiffness = _with(gains.stiffness, free, stiffness[free])
    gains.damping = _with(gains.damping, free, damping[free])
    return gains


def _with(values: Array | None, axes: list[int], new: Array | float) -> Array:
    """A copy with other values on some axes."""
    assert values is not None  # damping is explicit
    changed = values.copy()
    changed[axes] = new
    return changed


def _orientation_bound(spec: OrientationSpec) -> hc.OrientationBound:
    reference = Rotation.from_euler("xyz", spec.reference_rpy_rad).as_quat()
    return hc.OrientationBound(reference, spec.minimum_rad, spec.maximum_rad)


class SimArm:
    """Reads the arm's state from MuJoCo, runs the law, writes torques. Nothing is allocated in a cycle.

    Everything outside is in the frame of the arm's base, wherever that stands in the world.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, spec: ArmSpec) -> None:
        self.spec = spec
        self._model, self._data = model, data
        self.world_T_base = base_pose(model, spec.name)
        first = model.joint(f"{spec.name}/joint1")
        q0, v0 = int(first.qposadr[0]), int(first.dofadr[0])
        self._dofs = slice(v0, v0 + panda.JOINTS)
        self._q = data.qpos[q0 : q0 + panda.JOINTS]
        self._dq = data.qvel[self._dofs]
        self._coriolis_and_gravity = data.qfrc_bias[self._dofs]
        self._gravity_compensation = data.qfrc_gravcomp[self._dofs]
        motor = model.actuator(f"{spec.name}/motor1").id
        self._effort = data.ctrl[motor : motor + panda.JOINTS]
        self._site = model.site(f"{spec.name}/tcp").id
        self._at_origin = bool((self.world_T_base == np.eye(4)).all())
        if self._at_origin:  # world and base are the same: MuJoCo's own arrays, nothing to compute
            self._position, self._rotation = data.site_xpos[self._site], data.site_xmat[self._site]
        else:
            self._position, self._rotation = np.zeros(3), np.zeros(9)
        self._mount = model.site(f"{spec.name}/wrench").id
        self._carried = int(model.site_bodyid[self._mount])
        sensor = int(model.sensor(f"{spec.name}/force").adr[0])
        self._sensor = data.sensordata[sensor : sensor + 6]
        self._jacobian_all = np.zeros((6, model.nv))
        self._jacobian = np.zeros((6, panda.JOINTS))
        self._linear_jacobian, self._angular_jacobian = self._jacobian_all[:3], self._jacobian_all[3:]
        self._jacobian_part = self._jacobian_all[:, self._dofs]
        self._wxyz, self._xyzw = np.zeros(4), np.zeros(4)
        self._twist, self._bias, self._change = np.zeros(6), np.zeros(7), np.zeros(6)
        self._filtered = np.zeros(6)
        self._dt = 1.0 / spec.controller.rate_hz
        self._smoothing = 1.0 - np.exp(-self._dt / WRENCH_TIME_CONSTANT_S)
        self.law = hc.CartesianImpedance(controller_config(spec))
        self.gripper = SimGripper(model, data, spec)

    def reset(self, now: float) -> None:
        """Starts the law at the present pose; call after mj_forward."""
        self._read()
        self._filtered[:] = -self._weight()
        self.law.reset(self._q, self._position, self._xyzw, now)

    def command(self, command: Command, stamp: float) -> bool:
        """Hands a command to the law. False when the law refuses it (not finite, not a pose)."""
        if not command.finite():
            return False
        if command.base_T_target is not None:
            vector = pose_vector(command.base_T_target)
            return bool(
                self.law.set_target(vector[:3], vector[3:], stamp, command.wrench, command.wrench_frame)
            )
        if command.wrench is not None:
            return bool(self.law.set_wrench(command.wrench, stamp, command.wrench_frame))
        assert command.twist is not None
        return bool(self.law.set_twist(command.twist, stamp))

    def control(self, now: float) -> None:
        """One cycle of the law, between mj_step1 and mj_step2."""
        self._read()
        self.law.update(
            now, self._dt, self._q, self._dq, self._position, self._xyzw,
            self._twist, self._jacobian, self._bias, self._effort,
        )  # fmt: skip
        self.gripper.control()

    def filter_wrench(self) -> None:
        """One cycle of the wrench sensor's low-pass, after mj_step2."""
        np.subtract(self._sensor, self._filtered, out=self._change)
        self._change *= self._smoothing
        self._filtered += self._change

    def measure(self) -> Measurement:
        """The present state. Call after mj_forward or mj_step1: poses must be up to date."""
        self._read()
        base_T_tcp = np.eye(4)
        base_T_tcp[:3, :3] = self._rotation.reshape(3, 3)
        base_T_tcp[:3, 3] = self._position
        wrench = -self._filtered - self._weight()
        return Measurement(
            base_T_tcp, self._twist.copy(), wrench, self._q.copy(), self._dq.copy(), self.gripper.position
        )

    def _read(self) -> None:
        """Jacobian, tcp pose and twist in the base frame, and Coriolis torque of the present state."""
        mujoco.mj_jacSite(self._model, self._data, self._linear_jacobian, self._angular_jacobian, self._site)
        if self._at_origin:
            np.copyto(self._jacobian, self._jacobian_part)
        else:
            self._turn_into_base()
        np.dot(self._jacobian, self._dq, out=self._twist)
        mujoco.mju_mat2Quat(self._wxyz, self._rotation)
        self._xyzw[:3] = self._wxyz[1:]
        self._xyzw[3] = self._wxyz[0]
        np.subtract(self._coriolis_and_gravity, self._gravity_compensation, out=self._bias)

    def _turn_into_base(self) -> None:
        """Jacobian and tcp pose from world into base axes."""
        base, rotation = self.world_T_base, self._data.site_xmat[self._site].reshape(3, 3)
        base_R_world = base[:3, :3].T
        np.dot(base_R_world, self._jacobian_part[:3], out=self._jacobian[:3])
        np.dot(base_R_world, self._jacobian_part[3:], out=self._jacobian[3:])
        np.dot(base_R_world, self._data.site_xpos[self._site] - base[:3, 3], out=self._position)
        np.dot(base_R_world, rotation, out=self._rotation.reshape(3, 3))

    def _weight(self) -> Array:
        """(6,) wrench of the weight behind the sensor, at and in the tcp frame (the sensor holds against
        it). What the fingers hold without belonging to the hand is felt, as by a real sensor."""
        tcp_R_world = self._data.site_xmat[self._site].reshape(3, 3).T
        weight = tcp_R_world @ (self._model.body_subtreemass[self._carried] * self._model.opt.gravity)
        centre = self._data.subtree_com[self._carried]
        lever = tcp_R_world @ (centre - self._data.site_xpos[self._mount])
        return np.concatenate([weight, np.cross(lever, weight)])


def base_pose(model: mujoco.MjModel, arm: str) -> Array:
    """world_T_base (4x4) of an arm, as the model has it."""
    base = model.body(f"{arm}/link0").id
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, model.body_quat[base])
    world_T_base = np.eye(4)
    world_T_base[:3, :3] = rotation.reshape(3, 3)
    world_T_base[:3, 3] = model.body_pos[base]
    return world_T_base
