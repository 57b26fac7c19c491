# SPDX-License-Identifier: Apache-2.0
"""With physics in the loop: release, profile switch, silence, walls, joint limits. Nothing jumps."""

import numpy as np
import pytest
from arm_in_the_loop import ArmInTheLoop, config

import hilserl_control as hc
from hilserl_sim import panda


def precision() -> hc.Gains:
    """The original's reset profile of RAM insertion: clips of 10 cm instead of a few millimetres."""
    gains = hc.Gains()
    gains.stiffness = [2000.0, 2000.0, 2000.0, 125.0, 125.0, 125.0]
    gains.damping = [89.0, 89.0, 89.0, 9.0, 9.0, 9.0]
    gains.clip_negative = gains.clip_positive = np.full(6, 0.1)
    return gains


def test_stall_and_release_without_a_jump():
    """5 s against a clamp, target 9 cm beyond: let go, the arm moves off at K * clip / D and no faster."""
    arm = ArmInTheLoop(config(nullspace_mode="none"))
    arm.clamp()
    target = arm.to_pose(arm.position - [0.0, 0.0, 0.09])
    arm.run(5.0, target)
    arm.clamp(False)
    speeds = arm.run(1.0, target, lambda arm: np.linalg.norm(arm.twist[:3]))
    assert max(speeds) <= 11.0 / 89.0 * 1.05
    assert max(speeds) >= 11.0 / 89.0 * 0.8


def test_stall_and_release_of_a_twist():
    """A blocked twist winds nothing up: released, with a zero twist, the arm rests within the clip."""
    arm = ArmInTheLoop(config(nullspace_mode="none"))
    arm.clamp()
    arm.run(3.0, lambda arm: arm.law.set_twist([0, 0, -0.1, 0, 0, 0], arm.now))
    start = arm.position
    arm.clamp(False)
    arm.run(1.5, lambda arm: arm.law.set_twist(np.zeros(6), arm.now))
    assert np.linalg.norm(arm.position - start) <= 0.0056
    assert np.linalg.norm(arm.twist) < 0.005


@pytest.mark.parametrize("first", ["compliance", "precision"])
def test_profile_switch_makes_no_wrench_step(first):
    compliance = hc.Gains()
    profiles = (compliance, precision()) if first == "compliance" else (precision(), compliance)
    arm = ArmInTheLoop(config(gains=profiles[0], wrench_cap=[1000.0, 1000.0]))
    arm.clamp()
    target = arm.to_pose(arm.position - [0.0, 0.0, 0.05])
    arm.run(1.0, target)
    before = arm.push
    arm.law.set_gains(profiles[1])
    pushes = np.array(arm.run(1.5, target, lambda arm: arm.push))
    steps = np.abs(np.diff(np.vstack([before, pushes]), axis=0)).max()
    # The clip moves by at most 0.0945 m / 0.2 s: 945 N/s, 0.945 N per ms.
    assert steps <= 0.945 * 1.15  # the clamp swings a little
    final = -11.0 if first == "precision" else -100.0
    assert pushes[-1, 2] == pytest.approx(final, rel=0.02)


def test_stale_target_lets_go_and_holds():
    arm = ArmInTheLoop(config())
    arm.clamp()
    arm.run(1.0, arm.to_pose(arm.position - [0.0, 0.0, 0.05]))
    assert arm.push[2] == pytest.approx(-11.0, rel=0.02)
    held = arm.position
    arm.run(1.0)
    assert arm.law.state.holding
    assert np.abs(arm.push).max() < 0.2
    arm.clamp(False)
    arm.run(1.0)
    np.testing.assert_allclose(arm.position, held, atol=2e-4)


def test_stale_wrench_fades_and_the_arm_stays_where_it_is():
    arm = ArmInTheLoop(config())
    arm.run(1.0, lambda arm: arm.law.set_wrench([0, 8.0, 0, 0, 0, 0], arm.now))
    assert arm.twist[1] > 0.15
    arm.run(0.6)  # 0.2 s until stale, then 8 N at 300 N/s
    state = arm.law.state
    assert state.holding
    assert state.mode == hc.MODE_POSE
    arm.run(1.5)
    there = arm.position
    arm.run(1.0)
    np.testing.assert_allclose(arm.position, there, atol=1e-4)
    assert np.linalg.norm(arm.law.state.wrench) < 0.05


def test_mode_changes_while_moving_make_no_wrench_step():
    arm = ArmInTheLoop(config(wrench_cap=[1000.0, 1000.0]))
    goal = arm.to_pose(arm.position + [0.0, 0.1, -0.05])
    push = np.array([0.0, -6.0, 3.0, 0.0, 0.0, 0.5])
    commands = [
        goal,
        lambda arm: arm.law.set_wrench(push, arm.now, "tcp"),
        lambda arm: arm.law.set_twist([0.05, 0, 0.05, 0, 0, 0.1], arm.now),
        lambda arm: arm.law.set_wrench(-push, arm.now),
        lambda arm: arm.law.set_target(arm.law.state.reference_position, arm.quaternion, arm.now, push),
        lambda arm: arm.law.set_wrench(push, arm.now),
        goal,
    ]
    wrenches = []
    for command in commands:
        wrenches += arm.run(0.3, command, lambda arm: arm.law.state.wrench)
    # Slew 0.3 N; moving reference 0.25 mm * 2000 N/m = 0.5 N; ramps and damping the rest.
    assert np.abs(np.diff(wrenches, axis=0)).max() <= 1.0


def test_walls_stop_a_commanded_wrench_softly():
    """20 N towards the wall at 5 cm: the arm ends a little beyond it, is held there, and never jumps."""
    probe = ArmInTheLoop(config())
    wall = probe.position[1] + 0.05
    arm = ArmInTheLoop(config(workspace_max=[0.8, wall, 0.8]))
    efforts = []
    push = np.array([0.0, 20.0, 0.0, 0.0, 0.0, 0.0])
    depths = arm.run(
        3.0,
        lambda arm: arm.law.set_wrench(push, arm.now),
        lambda arm: (efforts.append(arm.law.state.wrench), arm.position[1] - wall)[1],
    )
    assert max(depths) < 0.03
    assert depths[-1] == pytest.approx(20.0 / 2000.0, rel=0.1)
    assert arm.law.state.limit_flags[1] & hc.LIMIT_WALL
    assert np.abs(np.diff(efforts, axis=0)).max() <= 3.0


def test_joint_limits_push_back():
    """A free elbow is pulled against joint 6's limit in wrench mode: it stays inside."""
    configuration = config(workspace_min=[-1, -1, -1], workspace_max=[1, 1, 2], nullspace_mode="none")
    configuration.joint_limit_effort = 20.0
    arm = ArmInTheLoop(configuration)
    highest = []
    arm.run(
        3.0,
        lambda arm: arm.law.set_wrench([0, 0, 0, 0, -3.0, 0], arm.now),
        lambda arm: highest.append(arm.q - panda.JOINT_UPPER),
    )
    arm.run(
        3.0,
        lambda arm: arm.law.set_wrench([0, 0, 0, 0, 3.0, 0], arm.now),
        lambda arm: highest.append(panda.JOINT_LOWER - arm.q),
    )
    assert np.max(highest) < 0.01
    assert np.any(arm.law.state.joint_limit_flags & hc.JOINT_LIMIT_POSITION)


def test_a_hand_can_move_the_elbow_and_the_tcp_stays():
    """Dynamic nullspace: the posture task pulls the elbow back and the tcp does not notice."""
    drifts = {}
    for mode in ("kinematic", "dynamic"):
        arm = ArmInTheLoop(config(nullspace_mode=mode))
        arm.data.qpos[:] = panda.HOME
        start = arm.position
        arm.run(0.5, arm.to_pose(start))
        posture = panda.HOME.copy()
        posture[0] += 0.4
        moved = config(nullspace_mode=mode, nullspace_posture=posture)
        arm.law = hc.CartesianImpedance(moved)
        arm.law.reset(arm.q, arm.position, arm.quaternion, arm.now)
        drifts[mode] = max(
            arm.run(1.0, arm.to_pose(start), lambda arm, start=start: np.linalg.norm(arm.position - start))
        )
        assert not arm.law.state.nullspace_fallback
    assert drifts["dynamic"] < 0.5 * drifts["kinematic"]
