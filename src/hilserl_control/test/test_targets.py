# SPDX-License-Identifier: Apache-2.0
"""Only valid targets get in; a stale one holds the pose where the arm is."""

import numpy as np
import pytest

import hilserl_control as hc

NAN = float("nan")
INF = float("inf")


@pytest.mark.parametrize(
    ("position", "quaternion", "stamp"),
    [
        ([NAN, 0, 0.2], [1, 0, 0, 0], 10.0),
        ([0.5, INF, 0.2], [1, 0, 0, 0], 10.0),
        ([0.5, 0, 0.2], [0, 0, 0, 0], 10.0),
        ([0.5, 0, 0.2], [2, 0, 0, 0], 10.0),
        ([0.5, 0, 0.2], [1, 0, NAN, 0], 10.0),
        ([0.5, 0, 0.2], [1, 0, 0, 0], NAN),
    ],
)
def test_invalid_target_is_refused_and_the_last_one_kept(make_rig, position, quaternion, stamp):
    rig = make_rig()
    wanted = rig.position + [0.05, 0, 0]
    assert rig.target(wanted)
    assert not rig.law.set_target(position, quaternion, stamp)
    rig.step(400)
    state = rig.law.state
    assert np.all(state.limit_flags & hc.LIMIT_INVALID_TARGET)
    np.testing.assert_allclose(state.reference_position, wanted, atol=1e-3)
    assert rig.target(wanted)
    rig.step()
    assert not np.any(rig.law.state.limit_flags & hc.LIMIT_INVALID_TARGET)


def test_refused_targets_do_not_keep_an_old_one_alive(make_rig):
    rig = make_rig()
    assert rig.target(rig.position + [0.05, 0, 0])
    for _ in range(600):
        assert not rig.target([NAN, 0, 0])
        rig.step()
    assert rig.law.state.holding


def test_wrong_feedforward_is_refused(make_rig):
    rig = make_rig()
    assert not rig.target(wrench=[NAN, 0, 0, 0, 0, 0])


def test_stale_target_holds_the_measured_pose_once(make_rig):
    rig = make_rig()
    assert rig.target(rig.position + [0.05, 0, 0])
    rig.step(499)
    assert not rig.law.state.holding
    rig.step(2)
    state = rig.law.state
    assert state.holding
    assert state.target_age == pytest.approx(0.501)
    held = rig.position.copy()
    np.testing.assert_array_equal(state.reference_position, held)
    np.testing.assert_array_equal(state.error, np.zeros(6))
    # Pushed away by hand, it pulls back to where it became stale: the reference does not follow.
    rig.step(100, position=held + [0.004, 0, 0])
    np.testing.assert_array_equal(rig.law.state.reference_position, held)
    assert rig.law.state.wrench[0] == pytest.approx(-2000 * 0.004)


def test_a_fresh_target_ends_the_hold_from_where_the_arm_is(make_rig):
    rig = make_rig()
    rig.target(rig.position + [0.05, 0, 0])
    rig.step(600)
    assert rig.law.state.holding
    rig.target(rig.position + [0.05, 0, 0])
    rig.step()
    state = rig.law.state
    assert not state.holding
    assert abs(state.reference_position[0] - rig.position[0]) <= 0.25 * rig.dt + 1e-12


def test_targets_that_arrive_already_stale_do_not_drag_the_hold(make_rig):
    rig = make_rig()
    rig.target(rig.position + [0.05, 0, 0])
    rig.step(600)
    held = rig.law.state.reference_position
    rig.position = rig.position + [0.003, 0, 0]
    for _ in range(50):
        assert rig.law.set_target(rig.position + [0.05, 0, 0], rig.quaternion, rig.now - 5.0)
        rig.step()
    assert rig.law.state.holding
    np.testing.assert_array_equal(rig.law.state.reference_position, held)


def test_a_stamp_from_another_clock_is_stale(make_rig):
    rig = make_rig()
    assert rig.law.set_target(rig.position + [0.05, 0, 0], rig.quaternion, rig.now + 3600.0)
    rig.step(10)
    assert rig.law.state.holding


def test_activation_starts_at_the_measured_pose_with_empty_buffers(make_rig):
    rig = make_rig()
    rig.settle(rig.position + [0.05, 0, 0.02])
    assert np.any(rig.law.state.wrench != 0)
    rig.position = np.array([0.4, 0.1, 0.3])
    rig.law.reset(rig.q, rig.position, rig.quaternion, rig.now)
    np.testing.assert_array_equal(rig.law.state.effort, np.zeros(7))
    rig.step()
    state = rig.law.state
    assert state.holding
    np.testing.assert_array_equal(state.reference_position, rig.position)
    np.testing.assert_allclose(state.wrench, np.zeros(6), atol=1e-12)


def test_nothing_is_accepted_before_activation():
    law = hc.CartesianImpedance(hc.ControllerConfig())
    assert not law.set_target([0.5, 0, 0.2], [1, 0, 0, 0], 0.0)
    zeros = np.zeros(7)
    with pytest.raises(RuntimeError, match="reset"):
        law.update(0.0, 0.001, zeros, zeros, zeros[:3], [0, 0, 0, 1], zeros[:6], np.zeros((6, 7)), zeros)


def test_feedforward_ramps_up_and_fades_when_stale(make_rig):
    rig = make_rig(max_wrench_rate=[30.0, 2.5])
    push = np.array([0, 0, -6.0, 0, 0, 0.5])
    last = np.zeros(6)
    for _ in range(300):
        rig.target(wrench=push)
        rig.step()
        step = np.abs(rig.law.state.wrench - last)
        assert max(step[:3]) <= 30.0 * rig.dt + 1e-12
        assert max(step[3:]) <= 2.5 * rig.dt + 1e-12
        last = rig.law.state.wrench
    np.testing.assert_allclose(last, push, atol=1e-12)
    rig.step(199)
    assert not rig.law.state.wrench_stale
    rig.step(2)
    assert rig.law.state.wrench_stale  # the pose of the same target is still fresh
    assert not rig.law.state.holding
    rig.step(200)
    np.testing.assert_array_equal(rig.law.state.commanded_wrench, np.zeros(6))


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("q", np.zeros(6)),
        ("dq", np.zeros((7, 1))),
        ("position", np.zeros(4)),
        ("quaternion", np.zeros(3)),
        ("twist", np.zeros(5)),
        ("jacobian", np.zeros((7, 6))),
        ("bias", np.zeros(8)),
    ],
)
def test_wrong_shapes_are_named(make_rig, argument, value):
    rig = make_rig()
    with pytest.raises(ValueError, match=argument):
        rig.step(**{argument: value})


def test_tau_out_is_written_in_place(make_rig):
    rig = make_rig()
    arguments = (rig.now, rig.dt, rig.q, rig.dq, rig.position, rig.quaternion, rig.twist, rig.jacobian, rig.q)
    out = np.full(7, 99.0)
    assert rig.law.update(*arguments, out) is out
    np.testing.assert_array_equal(out, rig.law.state.effort)
    read_only = np.zeros(7)
    read_only.flags.writeable = False
    for bad in (np.zeros(7, dtype=np.float32), np.zeros(6), np.zeros(14)[::2], read_only):
        with pytest.raises(ValueError, match="tau_out"):
            rig.law.update(*arguments, bad)
