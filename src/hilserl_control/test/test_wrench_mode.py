# SPDX-License-Identifier: Apache-2.0
"""Wrench mode: limited, slewed, damped, inside soft walls; stale wrenches fade; mode changes make no step."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import hilserl_control as hc

RATES = [500.0, 1000.0, 2000.0]
CAP = {"wrench_cap": [1e3, 1e3]}


def press(rig, wrench, seconds: float = 1.0, frame: str = "base", **changes) -> hc.State:
    """Sends one wrench every cycle."""
    for _ in range(round(seconds / rig.dt)):
        assert rig.wrench_target(wrench, frame)
        rig.step(**changes)
    return rig.law.state


def test_wrench_acts_in_base_axes(make_rig):
    rig = make_rig(nullspace_stiffness=0.0, joint1_nullspace_stiffness=0.0)
    push = np.array([3.0, -2.0, 5.0, 0.5, -0.2, 0.1])
    state = press(rig, push)
    assert state.mode == hc.MODE_WRENCH
    np.testing.assert_allclose(state.wrench, push, atol=1e-9)
    np.testing.assert_allclose(state.effort, rig.jacobian.T @ push, atol=1e-9)


def test_wrench_in_tcp_axes_turns_with_the_hand(make_rig):
    rig = make_rig()
    push = np.array([3.0, -2.0, 5.0, 0.5, -0.2, 0.1])
    for angle in np.linspace(0.0, 1.0, 200):  # 1 rad/s while pushing
        turn = Rotation.from_rotvec([0.3 * angle, angle, 0.0]) * Rotation.from_quat([1, 0, 0, 0])
        state = press(rig, push, 0.005, "tcp", quaternion=turn.as_quat())
    expected = np.concatenate([turn.apply(push[:3]), turn.apply(push[3:])])
    np.testing.assert_allclose(state.commanded_wrench, expected, atol=1e-9)
    assert not np.any(state.limit_flags & hc.LIMIT_WRENCH_RATE)


def test_no_stiffness_only_damping_on_free_axes(make_rig):
    rig = make_rig()
    state = press(rig, np.zeros(6), 3.0)
    rig.position = rig.position + [0.05, -0.04, 0.03]
    rig.quaternion = (Rotation.from_rotvec([0.2, 0.1, -0.1]) * Rotation.from_quat(rig.quaternion)).as_quat()
    state = press(rig, np.zeros(6), 0.1)
    np.testing.assert_allclose(state.wrench, np.zeros(6), atol=1e-9)
    twist = np.array([0.1, -0.2, 0.1, 0.5, 0.2, -0.1])
    state = press(rig, np.zeros(6), 0.01, twist=twist)
    np.testing.assert_allclose(state.wrench, -rig.config.wrench_gains.damping * twist, atol=1e-6)


def test_held_axes_keep_their_place_while_the_others_are_free(make_rig):
    """The egg flip of the original: x, y, roll and yaw are held, z and pitch are pushed."""
    stiffness = np.array([200.0, 200.0, 0.0, 50.0, 0.0, 50.0])
    rig = make_rig(wrench_gains__stiffness=stiffness, wall_stiffness=[1.0, 1.0])
    start = rig.position.copy()
    press(rig, np.zeros(6), 3.0)
    turn = Rotation.from_rotvec([0.0, 0.4, 0.0]) * Rotation.from_rotvec([0.01, 0.0, 0.02])
    quaternion = (turn * Rotation.from_quat(rig.quaternion)).as_quat()
    state = press(rig, np.zeros(6), 0.1, position=start + [0.005, -0.004, 0.1], quaternion=quaternion)
    assert state.error[2] == pytest.approx(0.0, abs=1e-12)
    assert state.error[4] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(state.wrench[:3], [-1.0, 0.8, 0.0], atol=1e-6)
    held = turn.as_rotvec() * [1.0, 0.0, 1.0]
    np.testing.assert_allclose(state.wrench[3:], -50.0 * held, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(6))
def test_limits_per_axis_are_asymmetric(make_rig, axis, sign):
    negative, positive = np.array([1.0, 2, 3, 0.1, 0.2, 0.3]), np.array([4.0, 5, 6, 0.4, 0.5, 0.6])
    rig = make_rig(wrench_limit_negative=negative, wrench_limit_positive=positive)
    wanted = np.zeros(6)
    wanted[axis] = sign * 50.0
    state = press(rig, wanted)
    expected = np.zeros(6)
    expected[axis] = positive[axis] if sign > 0 else -negative[axis]
    np.testing.assert_allclose(state.wrench, expected, atol=1e-9)
    assert list(state.limit_flags & hc.LIMIT_WRENCH) == [32 * (i == axis) for i in range(6)]


@pytest.mark.parametrize("rate_hz", RATES)
def test_slew_is_in_newtons_per_second(make_rig, rate_hz):
    rig = make_rig(rate_hz, max_wrench_rate=[100.0, 10.0])
    state = press(rig, [6.0, -8.0, 0, 0, 0, 3.0], 0.05)
    np.testing.assert_allclose(state.wrench, [3.0, -4.0, 0, 0, 0, 0.5], atol=1e-9)
    assert list(state.limit_flags & hc.LIMIT_WRENCH_RATE) == [64] * 6


def test_a_change_of_frame_makes_no_step(make_rig):
    rig = make_rig()
    push = np.array([0.0, 0.0, 10.0, 0, 0, 0])
    last = press(rig, push, 1.0, "tcp").wrench
    assert last[2] == pytest.approx(-10.0)  # the tool points down
    for _ in range(200):
        state = press(rig, push, rig.dt, "base")
        assert np.abs(state.wrench - last).max() <= 300.0 * rig.dt + 1e-9
        last = state.wrench
    assert last[2] == pytest.approx(10.0)


def test_stale_wrench_fades_then_holds_the_pose_where_it_is(make_rig):
    rig = make_rig(max_wrench_rate=[50.0, 5.0], wrench_timeout=0.2)
    last = press(rig, [0.0, 0.0, -10.0, 0, 0, 0], 3.0).wrench
    rig.step(199)
    assert not rig.law.state.holding
    np.testing.assert_allclose(rig.law.state.wrench, last)
    for k in range(200):  # 10 N at 50 N/s; the arm gives way meanwhile
        rig.step(position=rig.position - [0, 0, 0.0001])
        state = rig.law.state
        assert state.holding
        assert state.wrench_stale
        assert state.mode == (hc.MODE_WRENCH if k < 200 else hc.MODE_POSE)
        assert np.abs(state.wrench - last).max() <= 50.0 * rig.dt + 1e-9
        last = state.wrench
    held = rig.position.copy()
    rig.step(2000)
    state = rig.law.state
    assert state.mode == hc.MODE_POSE
    np.testing.assert_allclose(state.wrench, np.zeros(6), atol=1e-9)
    np.testing.assert_allclose(state.reference_position, held, atol=1e-12)
    rig.step(position=held + [0, 0, 0.002])  # and it is held with the pose profile
    assert rig.law.state.wrench[2] == pytest.approx(-2000 * 0.002, rel=1e-3)


def largest_step(rig, actions, cycles: int, offset) -> float:
    """Largest change of the wrench in one cycle, N or Nm, while modes change every `cycles`."""
    last, worst = rig.law.state.wrench, 0.0
    rig.position = rig.position + offset
    rig.step()
    last = rig.law.state.wrench
    for action in actions:
        for _ in range(cycles):
            action()
            rig.step()
            worst = max(worst, np.abs(rig.law.state.wrench - last).max())
            last = rig.law.state.wrench
    return worst


@pytest.mark.parametrize("cycles", [1, 7, 300])
def test_mode_changes_never_step_the_wrench(make_rig, cycles):
    """Every pair of modes, also in mid-ramp, with a blocked arm that pushes at its bound."""
    rig = make_rig(**CAP)
    far = rig.position - [0, 0, 0.1]
    push = np.array([5.0, 0.0, 10.0, 0, 0, 1.0])
    modes = {
        "pose": lambda: rig.target(far),
        "twist": lambda: rig.twist_target([0.05, 0, -0.1, 0, 0, 0.1]),
        "wrench": lambda: rig.wrench_target(push, "tcp"),
        "both": lambda: rig.target(far, wrench=push),
    }
    rig.settle(far, seconds=1.0)
    assert rig.law.state.wrench[2] == pytest.approx(-11.0)
    order = [modes[b] for a in modes for b in (a, *modes)] * (4 if cycles < 300 else 1)
    # Slew 0.3 N; ramp of gains: 2 * 11 N / 0.2 s = 0.11 N; moving reference: 0.25 mm * 2000 N/m = 0.5 N.
    assert largest_step(rig, order, cycles, [0, 0, 0]) <= 0.3 + 0.11 + 0.5 + 0.05


def test_a_spring_that_lets_go_fades(make_rig):
    """Into wrench mode from a push at the bound: the push goes smoothly and the stiffness with it."""
    rig = make_rig(**CAP)
    before = rig.settle(rig.position - [0, 0, 0.1]).wrench[2]
    last = before
    for _ in range(1500):
        state = press(rig, np.zeros(6), rig.dt)
        assert abs(state.wrench[2] - last) <= 11.0 / 0.2 * 3 * rig.dt
        last = state.wrench[2]
    assert before == pytest.approx(-11.0)
    assert last == pytest.approx(0.0, abs=1e-3)


def test_an_axis_that_becomes_free_in_mid_mode_does_not_step(make_rig):
    rig = make_rig(wrench_gains__stiffness=[500.0, 0, 0, 0, 0, 0], **CAP)
    press(rig, np.zeros(6), 2.0)
    last = press(rig, np.zeros(6), 1.0, position=rig.position + [0.008, 0, 0]).wrench[0]
    assert last == pytest.approx(-4.0, rel=1e-2)
    free = hc.ControllerConfig().wrench_gains
    rig.law.set_wrench_gains(free)
    for _ in range(1000):
        state = press(rig, np.zeros(6), rig.dt)
        assert abs(state.wrench[0] - last) <= 4.0 / 0.2 * 3 * rig.dt
        last = state.wrench[0]
    assert last == pytest.approx(0.0, abs=0.01)


def test_wrench_gains_need_damping_on_free_axes(make_rig):
    rig = make_rig()
    gains = rig.config.wrench_gains
    gains.damping = np.zeros(6)
    with pytest.raises(ValueError, match=r"wrench_gains\.damping.*nothing else bounds the speed"):
        rig.law.set_wrench_gains(gains)


def test_unknown_frame_is_named(make_rig):
    with pytest.raises(ValueError, match="frame is 'world': must be base or tcp"):
        make_rig().wrench_target(np.zeros(6), "world")


def test_wrong_wrench_is_refused(make_rig):
    rig = make_rig()
    assert not rig.wrench_target([np.inf, 0, 0, 0, 0, 0])
    rig.step()
    assert rig.law.state.holding
