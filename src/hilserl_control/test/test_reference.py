# SPDX-License-Identifier: Apache-2.0
"""The reference: inside the workspace box, smooth, and never faster than the limits at any update rate."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

RATES = [500.0, 1000.0, 2000.0]


@pytest.mark.parametrize("rate_hz", RATES)
def test_linear_speed_limit(make_rig, rate_hz):
    rig = make_rig(rate_hz, max_linear_speed=0.1, reference_time_constant=0.0)
    start = rig.position.copy()
    wanted = start + [0.03, -0.04, 0.0]  # 5 cm: half a second at 0.1 m/s
    last = start
    for _ in range(round(0.25 * rate_hz)):
        rig.target(wanted)
        rig.step()
        assert np.linalg.norm(rig.law.state.reference_position - last) <= 0.1 * rig.dt * (1 + 1e-9)
        last = rig.law.state.reference_position
    np.testing.assert_allclose(last, start + 0.5 * (wanted - start), atol=1e-9)
    assert list(rig.law.state.limit_flags & 4) == [4, 4, 4, 0, 0, 0]
    state = rig.settle(wanted, seconds=0.3)
    np.testing.assert_allclose(state.reference_position, wanted, atol=1e-12)
    assert not np.any(state.limit_flags & 4)


@pytest.mark.parametrize("rate_hz", RATES)
def test_angular_speed_limit(make_rig, rate_hz):
    rig = make_rig(rate_hz, max_angular_speed=0.5, reference_time_constant=0.0)
    axis = np.array([1.0, 2.0, -2.0]) / 3.0
    start = Rotation.from_quat(rig.quaternion)
    for _ in range(round(0.4 * rate_hz)):
        rig.target(quaternion=(Rotation.from_rotvec(1.0 * axis) * start).as_quat())
        rig.step()
    turned = Rotation.from_quat(rig.law.state.reference_quaternion) * start.inv()
    np.testing.assert_allclose(turned.as_rotvec(), 0.2 * axis, atol=1e-9)
    assert list(rig.law.state.limit_flags & 4) == [0, 0, 0, 4, 4, 4]


def test_smoothing_is_the_same_motion_at_any_rate(make_rig):
    places = []
    for rate_hz in RATES:
        rig = make_rig(rate_hz, max_linear_speed=10.0, reference_time_constant=0.05)
        places.append(rig.settle(rig.position + [0.01, 0, 0], seconds=0.05).reference_position[0])
    assert places[0] == pytest.approx(0.5 + 0.01 * (1 - np.exp(-1)), abs=1e-12)
    np.testing.assert_allclose(places, places[0], atol=1e-12)


def test_workspace_box_bounds_the_target(make_rig):
    rig = make_rig(reference_time_constant=0.0)
    state = rig.settle([9.0, -9.0, 0.1], seconds=3.0)
    np.testing.assert_allclose(state.reference_position, [0.70, -0.25, 0.1], atol=1e-12)
    assert list(state.limit_flags & 2) == [2, 2, 0, 0, 0, 0]


def test_huge_targets_stay_inside_the_box(make_rig):
    rig = make_rig(reference_time_constant=0.0)
    state = rig.settle([1e300, -1e300, 1e300], seconds=3.0)
    np.testing.assert_allclose(state.reference_position, [0.70, -0.25, 0.45], atol=1e-12)


def test_activated_outside_the_box_it_waits_there_and_comes_in_slowly(make_rig):
    rig = make_rig(workspace_min=[0.3, -0.25, 0.3])
    start = rig.position.copy()  # 10 cm below the box
    rig.step(100)
    np.testing.assert_array_equal(rig.law.state.reference_position, start)
    rig.target()
    rig.step()
    moved = rig.law.state.reference_position - start
    assert 0 < moved[2] <= 0.25 * rig.dt + 1e-12


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rotvec=st.lists(st.floats(-3.1, 3.1), min_size=3, max_size=3).filter(lambda v: np.linalg.norm(v) < 3.1),
    flip=st.booleans(),
)
def test_rotation_goes_the_short_way_and_arrives(make_rig, rotvec, flip):
    """q and -q are one rotation; the reference turns about one fixed axis, by at most pi."""
    rig = make_rig(max_angular_speed=50.0, reference_time_constant=0.01)
    start = Rotation.from_quat(rig.quaternion)
    goal = (Rotation.from_rotvec(rotvec) * start).as_quat() * (-1 if flip else 1)
    state = rig.settle(rig.position, goal, seconds=0.3)
    reached = Rotation.from_quat(state.reference_quaternion) * start.inv()
    np.testing.assert_allclose(reached.as_rotvec(), rotvec, atol=1e-6)
    np.testing.assert_allclose(state.error[3:], rotvec, atol=1e-6)


def test_reference_stays_a_rotation_when_the_measured_quaternion_is_rounded(make_rig):
    """A hold starts from the measured quaternion, which may be off unit length by its rounding."""
    rig = make_rig()
    rig.target(rig.position + [0.05, 0, 0])
    rig.step(600, quaternion=rig.quaternion * 1.0008)
    assert rig.law.state.holding
    rig.target()
    rig.step()
    assert np.linalg.norm(rig.law.state.reference_quaternion) == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(rig.law.state.error, np.zeros(6), atol=1e-9)
