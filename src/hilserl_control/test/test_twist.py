# SPDX-License-Identifier: Apache-2.0
"""Twist mode: the reference moves with the twist, inside box and speed limits, and never runs away."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import hilserl_control as hc

RATES = [500.0, 1000.0, 2000.0]
WIDE = np.full(6, 0.5)


def drive(rig, twist, seconds: float) -> hc.State:
    """Sends one twist every cycle; the arm follows its reference perfectly."""
    for _ in range(round(seconds / rig.dt)):
        assert rig.twist_target(twist)
        rig.step(
            position=rig.law.state.reference_position.copy(),
            quaternion=rig.law.state.reference_quaternion.copy(),
        )
    return rig.law.state


@pytest.mark.parametrize("rate_hz", RATES)
def test_reference_integrates_the_twist_at_any_rate(make_rig, rate_hz):
    rig = make_rig(rate_hz, max_linear_speed=1.0)
    start, turned = rig.position.copy(), Rotation.from_quat(rig.quaternion)
    state = drive(rig, [0.1, -0.05, 0.02, 0.2, 0.0, -0.1], 0.5)
    assert state.mode == hc.MODE_TWIST
    np.testing.assert_allclose(state.reference_position, start + [0.05, -0.025, 0.01], atol=1e-9)
    rotation = Rotation.from_quat(state.reference_quaternion) * turned.inv()
    np.testing.assert_allclose(rotation.as_rotvec(), [0.1, 0.0, -0.05], atol=1e-9)
    assert not np.any(state.limit_flags)


def test_twist_starts_from_the_present_reference_without_a_step(make_rig):
    rig = make_rig(wrench_cap=[1e3, 1e3])
    last = rig.settle(rig.position - [0, 0, 0.003]).wrench
    for _ in range(100):
        rig.twist_target(np.zeros(6))
        rig.step()
        np.testing.assert_allclose(rig.law.state.wrench, last, atol=1e-9)


def test_speed_limits_keep_the_direction(make_rig):
    rig = make_rig(max_linear_speed=0.1, max_angular_speed=0.5)
    start = rig.position.copy()
    state = drive(rig, [0.3, -0.4, 0.0, 0.0, 0.0, 9.0], 0.2)
    np.testing.assert_allclose(state.reference_position, start + [0.012, -0.016, 0.0], atol=1e-9)
    assert list(state.limit_flags & hc.LIMIT_SPEED) == [4] * 6


def test_box_stops_the_reference(make_rig):
    rig = make_rig()
    state = drive(rig, [0.25, 0.0, 0.0, 0, 0, 0], 2.0)
    np.testing.assert_allclose(state.reference_position, [0.70, 0.0, 0.2], atol=1e-9)
    assert list(state.limit_flags & hc.LIMIT_WORKSPACE) == [2, 0, 0, 0, 0, 0]


def test_outside_the_box_only_the_way_in_is_free(make_rig):
    rig = make_rig(workspace_min=[0.3, -0.25, 0.3])  # starts 10 cm below
    state = drive(rig, [0.0, 0.0, -0.2, 0, 0, 0], 0.1)
    assert state.reference_position[2] == pytest.approx(0.2)
    state = drive(rig, [0.0, 0.0, 0.2, 0, 0, 0], 0.1)
    assert state.reference_position[2] == pytest.approx(0.22, abs=1e-3)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(6))
def test_a_blocked_arm_is_not_left_behind(make_rig, axis, sign):
    """No wind-up: the reference leads by the clip and no more, so the way back begins at once."""
    rig = make_rig()
    twist = np.zeros(6)
    twist[axis] = sign * 0.2
    for _ in range(2000):
        rig.twist_target(twist)
        rig.step()
    state = rig.law.state
    gains = rig.config.gains
    clip = (gains.clip_positive if sign > 0 else gains.clip_negative)[axis]
    assert state.error[axis] == pytest.approx(sign * clip, abs=1e-5)
    assert state.limit_flags[axis] & hc.LIMIT_CLIP
    push = abs(state.wrench[axis])
    assert push == pytest.approx(gains.stiffness[axis] * clip, rel=1e-2)
    for _ in range(5):
        rig.twist_target(-twist)
        rig.step()
    assert abs(rig.law.state.wrench[axis]) < push


def test_zero_twist_holds_against_a_hand(make_rig):
    rig = make_rig()
    start = rig.position.copy()
    for k in range(200):
        rig.twist_target(np.zeros(6))
        rig.step(position=start + [0.0002 * k, 0, 0])
    np.testing.assert_array_equal(rig.law.state.reference_position, start)


def test_stale_twist_holds_where_the_arm_is(make_rig):
    rig = make_rig(twist_timeout=0.2, gains__clip_negative=WIDE, gains__clip_positive=WIDE)
    rig.twist_target([0.1, 0, 0, 0, 0, 0])
    rig.step(199)
    assert not rig.law.state.holding
    rig.step(2)
    state = rig.law.state
    assert state.holding
    np.testing.assert_array_equal(state.reference_position, rig.position)
    rig.step(500)
    np.testing.assert_array_equal(rig.law.state.reference_position, rig.position)


def test_wrong_twist_is_refused(make_rig):
    rig = make_rig()
    assert not rig.twist_target([np.nan, 0, 0, 0, 0, 0])
    rig.step()
    assert rig.law.state.holding
    assert np.all(rig.law.state.limit_flags & hc.LIMIT_INVALID_TARGET)
