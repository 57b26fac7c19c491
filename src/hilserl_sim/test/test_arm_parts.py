# SPDX-License-Identifier: Apache-2.0
"""Arms away from the origin, moving fingers and wrench commands, on a scene made for it."""

import mujoco
import numpy as np
import pytest

from hilserl_sim import mjcf
from hilserl_sim.arm import SimArm
from hilserl_sim.command import Command
from hilserl_sim.inverse_kinematics import InverseKinematics

BASES = {"left": ((0.0, 0.0, 0.0), 0.0), "right": ((1.0, 0.1, 0.02), np.pi)}
TCP_DOWN = np.diag([1.0, -1.0, -1.0])
CUBE_HALF_M, CUBE_KG = 0.015, 0.1


class TwoArms:
    """Two arms facing each other, a cube on the table before the left one, base axes of each its own."""

    def __init__(self, task):
        parts = [
            mjcf.ArmPart(name, position=position, yaw_rad=yaw, moving_fingers=True)
            for name, (position, yaw) in BASES.items()
        ]
        half = (CUBE_HALF_M,) * 3
        cube = mjcf.box((0, 0, 0), half, "solid", "blue").replace('mass="0"', "")
        cube = cube.replace("/>", f'mass="{CUBE_KG}"/>')
        cube = f'<body name="cube" pos="0.45 0 {CUBE_HALF_M}"><freejoint/>{cube}</body>'
        xml = mjcf.model("two_arms", parts, cube, 'pos="0.5 -1.5 0.8" xyaxes="1 0 0 0 0.5 1"')
        self.model = mujoco.MjModel.from_xml_string(xml)
        self.data = mujoco.MjData(self.model)
        specs = [task.arms[0].model_copy(update={"name": name}) for name in BASES]
        self.arms = {spec.name: SimArm(self.model, self.data, spec) for spec in specs}
        self.now = 0.0
        for name, arm in self.arms.items():
            kinematics = InverseKinematics(self.model, name)
            q0 = int(self.model.joint(f"{name}/joint1").qposadr[0])
            self.data.qpos[q0 : q0 + 7] = kinematics.solve(arm.world_T_base @ pose(0.45, 0.0, 0.15))
            arm.gripper.reset(1.0)
        mujoco.mj_forward(self.model, self.data)
        for arm in self.arms.values():
            arm.reset(0.0)

    def run(self, seconds, commands):
        for step in range(round(seconds * 1000)):
            if step % 50 == 0:
                for name, command in commands.items():
                    assert self.arms[name].command(command, self.now)
            mujoco.mj_step1(self.model, self.data)
            for arm in self.arms.values():
                arm.control(self.now)
            mujoco.mj_step2(self.model, self.data)
            for arm in self.arms.values():
                arm.filter_wrench()
            self.now += 0.001
        mujoco.mj_step1(self.model, self.data)

    def cube_height(self):
        return float(self.data.body("cube").xpos[2])


def pose(x, y, z):
    base_T_tcp = np.eye(4)
    base_T_tcp[:3, :3], base_T_tcp[:3, 3] = TCP_DOWN, (x, y, z)
    return base_T_tcp


@pytest.fixture
def two_arms(task):
    return TwoArms(task)


def test_each_arm_moves_in_its_own_base_frame(two_arms):
    targets = {"left": pose(0.5, 0.05, 0.2), "right": pose(0.4, -0.1, 0.25)}
    two_arms.run(4.0, {name: Command(target) for name, target in targets.items()})
    for name, target in targets.items():
        measured = two_arms.arms[name].measure()
        np.testing.assert_allclose(measured.base_T_tcp, target, atol=1e-3)
        np.testing.assert_allclose(measured.twist, 0.0, atol=1e-3)
        np.testing.assert_allclose(measured.wrench, 0.0, atol=0.05)  # tared although the sensor has the hand
    world_T_right = two_arms.arms["right"].world_T_base @ targets["right"]
    np.testing.assert_allclose(two_arms.data.site("right/tcp").xpos, world_T_right[:3, 3], atol=1e-3)


def test_twist_of_a_turned_arm_is_in_its_base_axes(two_arms):
    two_arms.run(0.3, {"right": Command(twist=np.array([0.05, 0, 0, 0, 0, 0]))})
    twist = two_arms.arms["right"].measure().twist
    assert twist[0] == pytest.approx(0.05, abs=0.01)
    assert abs(twist[1]) < 0.005


def test_fingers_hold_the_cube_and_the_arm_feels_its_weight(two_arms):
    two_arms.run(2.5, {"left": Command(pose(0.45, 0.0, 0.02))})
    left = two_arms.arms["left"]
    assert left.measure().gripper == pytest.approx(1.0, abs=0.02)
    left.gripper.command(0.0)
    two_arms.run(1.0, {"left": Command(pose(0.45, 0.0, 0.02))})
    assert left.measure().gripper == pytest.approx(CUBE_HALF_M / 0.04, abs=0.05)
    two_arms.run(2.5, {"left": Command(pose(0.45, 0.0, 0.2))})
    assert two_arms.cube_height() > 0.15
    assert left.measure().wrench[2] == pytest.approx(CUBE_KG * 9.81, abs=0.15)  # tcp z points down
    left.gripper.command(1.0)
    two_arms.run(1.5, {"left": Command(pose(0.45, 0.0, 0.2))})
    assert two_arms.cube_height() < 0.03


def test_fingers_are_as_fast_as_the_real_ones(two_arms):
    gripper = two_arms.arms["left"].gripper
    gripper.command(0.0)
    two_arms.run(0.4, {})
    assert 0.4 < gripper.position < 0.6  # 40 mm at 50 mm/s take 0.8 s
    two_arms.run(0.8, {})
    assert gripper.position < 0.02


def test_wrench_command_pushes_on_the_table(two_arms):
    two_arms.run(2.0, {"left": Command(pose(0.55, 0.0, 0.012))})
    down = Command(wrench=np.array([0, 0, 8.0, 0, 0, 0]), wrench_frame="tcp")
    two_arms.run(1.5, {"left": down})
    assert two_arms.arms["left"].measure().wrench[2] == pytest.approx(-8.0, rel=0.2)


def test_what_is_not_finite_is_refused(two_arms):
    for command in (Command(twist=np.full(6, np.nan)), Command(wrench=np.array([0, 0, np.inf, 0, 0, 0]))):
        assert not two_arms.arms["left"].command(command, 0.0)
