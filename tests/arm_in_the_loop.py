# SPDX-License-Identifier: Apache-2.0
"""A simulated Panda under the control law, base anywhere, tcp free or clamped, force measured."""

from collections.abc import Callable

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

import hilserl_control as hc
from hilserl_sim import panda

CLAMP = (0.002, 1.0)  # solref of the clamp: s, damping ratio; at least two time steps


def model_text(timestep: float, position, quaternion_wxyz) -> str:
    """MJCF: arm, a probe in its hand with a force sensor, a clamp that can hold it to the world."""
    probe = (
        f'<body name="probe" pos="0 0 {panda.FLANGE_TO_TCP}" gravcomp="1">'
        '<inertial mass="0.001" pos="0 0 0" diaginertia="1e-6 1e-6 1e-6"/><site name="probe"/></body>'
    )
    return f"""<mujoco><compiler angle="radian"/>
  <option timestep="{timestep}" integrator="implicitfast" gravity="0 0 -9.81"/>
  <default>{panda.defaults()}</default><asset>{panda.materials()}</asset>
  <worldbody>{panda.body("", position, quaternion_wxyz, in_hand=probe)}</worldbody>
  <equality><weld name="clamp" body1="probe" active="false" solref="{CLAMP[0]} {CLAMP[1]}"
    solimp="0.99 0.999 0.0001"/></equality>
  <actuator>{panda.actuators()}</actuator>
  <sensor><force site="probe"/><torque site="probe"/></sensor></mujoco>"""


def config(**fields) -> hc.ControllerConfig:
    """A Panda's configuration around the home posture; `fields` are set on it."""
    result = hc.ControllerConfig()
    result.effort_limits = panda.EFFORT_LIMITS
    result.joint_lower, result.joint_upper = panda.JOINT_LOWER, panda.JOINT_UPPER
    result.workspace_min, result.workspace_max = [0.2, -0.5, 0.0], [0.8, 0.5, 0.8]
    result.nullspace_posture = panda.HOME
    for name, value in fields.items():
        assert hasattr(result, name), name
        setattr(result, name, value)
    return result


class ArmInTheLoop:
    """Steps law and physics together. Poses, twists and wrenches in base axes.

    Args:
        configuration: of the law.
        rate_hz: of law and physics.
        base_position, base_rotvec: where the arm's base stands in the world.
        frictionless: no friction in the joints, so that the law's figures show undisturbed.
    """

    def __init__(
        self,
        configuration: hc.ControllerConfig,
        rate_hz: float = 1000.0,
        base_position=(0.0, 0.0, 0.0),
        base_rotvec=(0.0, 0.0, 0.0),
        frictionless: bool = True,
    ) -> None:
        self.world_R_base = Rotation.from_rotvec(base_rotvec)
        self.base_position = np.array(base_position)
        wxyz = np.roll(self.world_R_base.as_quat(), 1)
        self.model = mujoco.MjModel.from_xml_string(model_text(1.0 / rate_hz, base_position, wxyz))
        if frictionless:
            self.model.dof_damping[:] = 0.0
        self.data = mujoco.MjData(self.model)
        self.data.qpos[:] = panda.HOME
        mujoco.mj_forward(self.model, self.data)
        self.dt, self.now = 1.0 / rate_hz, 0.0
        self.law = hc.CartesianImpedance(configuration)
        self.law.reset(self.q, self.position, self.quaternion, 0.0)

    @property
    def q(self) -> np.ndarray:
        return self.data.qpos.copy()

    @property
    def position(self) -> np.ndarray:
        return self.world_R_base.inv().apply(self.data.site("tcp").xpos - self.base_position)

    @property
    def rotation(self) -> Rotation:
        return self.world_R_base.inv() * Rotation.from_matrix(self.data.site("tcp").xmat.reshape(3, 3))

    @property
    def quaternion(self) -> np.ndarray:
        return self.rotation.as_quat()

    @property
    def jacobian(self) -> np.ndarray:
        """(6, 7) of the tcp, base axes: MuJoCo's is in world axes, so each half is turned."""
        linear, angular = np.zeros((3, 7)), np.zeros((3, 7))
        mujoco.mj_jacSite(self.model, self.data, linear, angular, self.model.site("tcp").id)
        turn = self.world_R_base.inv().as_matrix()
        return np.vstack([turn @ linear, turn @ angular])

    @property
    def twist(self) -> np.ndarray:
        return self.jacobian @ self.data.qvel

    @property
    def push(self) -> np.ndarray:
        """(6,) measured wrench of the tcp on the clamp, base axes."""
        turn = self.rotation
        return np.concatenate([turn.apply(part) for part in np.split(self.data.sensordata, 2)])

    @property
    def mass(self) -> np.ndarray:
        result = np.zeros((7, 7))
        mujoco.mj_fullM(self.model, self.data, result)
        return result

    def clamp(self, on: bool = True) -> None:
        """Holds the probe where it is, or lets it go."""
        body = self.data.body("probe")
        inverse = body.xquat * [1, -1, -1, -1]
        place = np.zeros(3)
        mujoco.mju_rotVecQuat(place, -body.xpos, inverse)
        # Pose of the world (body2) in the probe (body1).
        self.model.eq_data[0, 3:10] = [*place, *inverse]
        self.data.eq_active[0] = on

    def pull(self, force) -> None:
        """A hand pulls at the probe, N in base axes, until told otherwise."""
        self.data.body("probe").xfrc_applied[:3] = self.world_R_base.apply(force)

    def run(
        self, seconds: float, command: Callable[["ArmInTheLoop"], object] | None = None, record=None
    ) -> list:
        """Steps; `command(self)` before every cycle, `record(self)` after it. Returns what was recorded."""
        log = []
        for _ in range(round(seconds / self.dt)):
            mujoco.mj_step1(self.model, self.data)
            if command is not None:
                command(self)
            bias = self.data.qfrc_bias - self.data.qfrc_gravcomp
            self.data.ctrl[:] = self.law.update(
                self.now, self.dt, self.q, self.data.qvel, self.position, self.quaternion,
                self.twist, self.jacobian, bias, mass=self.mass,
            )  # fmt: skip
            if record is not None:
                log.append(record(self))
            mujoco.mj_step2(self.model, self.data)
            self.now += self.dt
        return log

    def to_pose(self, position=None, rotation: Rotation | None = None) -> Callable[["ArmInTheLoop"], object]:
        """Command: this target pose, the present one where not given."""
        position = self.position if position is None else np.asarray(position)
        quaternion = self.quaternion if rotation is None else rotation.as_quat()
        return lambda arm: arm.law.set_target(position, quaternion, arm.now)
