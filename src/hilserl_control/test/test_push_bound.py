# SPDX-License-Identifier: Apache-2.0
"""The promise of the law: a blocked arm pushes with stiffness times clip, per axis and sign, and not more."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

# Asymmetric on purpose: every bound differs from every other one.
NEGATIVE = np.array([0.0075, 0.0016, 0.0055, 0.02, 0.05, 0.01])
POSITIVE = np.array([0.002, 0.0017, 0.005, 0.03, 0.04, 0.015])
STIFFNESS = np.array([2000.0, 1500.0, 1800.0, 75.0, 60.0, 90.0])


def goal(rig, axis: int, distance: float):
    """Target pose displaced along or about one base axis of the measured pose."""
    vector = np.zeros(6)
    vector[axis] = distance
    quaternion = (Rotation.from_rotvec(vector[3:]) * Rotation.from_quat(rig.quaternion)).as_quat()
    return rig.position + vector[:3], quaternion


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(6))
def test_static_push_is_stiffness_times_clip(make_rig, axis, sign):
    rig = make_rig(gains__stiffness=STIFFNESS, gains__clip_negative=NEGATIVE, gains__clip_positive=POSITIVE)
    state = rig.settle(*goal(rig, axis, sign * 0.09))
    bound = (POSITIVE if sign > 0 else NEGATIVE)[axis]
    expected = np.zeros(6)
    expected[axis] = sign * STIFFNESS[axis] * bound
    np.testing.assert_allclose(state.wrench, expected, atol=1e-9)
    assert state.error[axis] == pytest.approx(sign * 0.09, abs=1e-6)
    assert state.limit_flags[axis] & 1


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    offset=st.lists(st.floats(-1.0, 1.0), min_size=6, max_size=6),
    clip=st.lists(st.floats(0.0, 0.05), min_size=12, max_size=12),
)
def test_no_target_pushes_harder_than_the_bound(make_rig, offset, clip):
    negative, positive = np.array(clip[:6]), np.array(clip[6:])
    rig = make_rig(gains__clip_negative=negative, gains__clip_positive=positive, wrench_cap=[1e3, 1e3])
    quaternion = (Rotation.from_rotvec(offset[3:]) * Rotation.from_quat(rig.quaternion)).as_quat()
    wrench = rig.settle(rig.position + offset[:3], quaternion, seconds=0.1).wrench
    stiffness = rig.config.gains.stiffness
    assert np.all(wrench >= -stiffness * negative - 1e-9)
    assert np.all(wrench <= stiffness * positive + 1e-9)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(3))
def test_sign_trap_same_force_as_the_original(make_rig, axis, sign):
    """serl_franka_controllers clips measured - desired to [-clip_neg, clip]: a port must swap the pair."""
    clip, clip_neg, stiffness = NEGATIVE[:3], POSITIVE[:3], STIFFNESS[:3]
    desired_minus_measured = np.zeros(3)
    desired_minus_measured[axis] = sign * 0.09
    original = -stiffness * np.clip(-desired_minus_measured, -clip_neg, clip)

    rig = make_rig(gains__stiffness=STIFFNESS, gains__clip_negative=NEGATIVE, gains__clip_positive=POSITIVE)
    state = rig.settle(rig.position + desired_minus_measured)
    np.testing.assert_allclose(state.wrench[:3], original, atol=1e-9)
    np.testing.assert_allclose(rig.config.gains.clip_negative[:3], clip)


def test_downward_push_of_ram_insertion_is_11_newtons(make_rig):
    """The original's translational_clip_z = 5.5 mm at 2000 N/m bounds the push into the socket (base -z)."""
    rig = make_rig()
    assert rig.settle(rig.position - [0, 0, 0.1]).wrench[2] == pytest.approx(-11.0, abs=1e-9)
    rig = make_rig()
    assert rig.settle(rig.position + [0, 0, 0.1]).wrench[2] == pytest.approx(10.0, abs=1e-9)


def test_wrench_cap_keeps_the_direction(make_rig):
    clip = np.full(6, 0.05)
    rig = make_rig(gains__clip_negative=clip, gains__clip_positive=clip, wrench_cap=[20.0, 2.0])
    state = rig.settle(rig.position + [0.03, -0.04, 0.0])
    np.testing.assert_allclose(state.wrench[:3], [12.0, -16.0, 0.0], atol=1e-6)
    assert list(state.limit_flags[:3] & 8) == [8, 8, 8]
    assert not np.any(state.limit_flags[3:] & 8)


def test_damping_opposes_the_measured_twist(make_rig):
    rig = make_rig()
    twist = np.array([0.1, -0.05, 0.02, 0.1, 0.2, -0.1])
    rig.step(twist=twist)
    np.testing.assert_allclose(rig.law.state.wrench, -rig.config.gains.damping * twist, atol=1e-12)


def test_wrench_becomes_effort_through_the_transposed_jacobian(make_rig):
    rig = make_rig(nullspace_stiffness=0.0, joint1_nullspace_stiffness=0.0)
    bias = np.linspace(-1.0, 1.0, 7)
    rig.bias = bias
    state = rig.settle(rig.position - [0.05, 0, 0.05])
    np.testing.assert_allclose(state.effort, rig.jacobian.T @ state.wrench + bias, atol=1e-9)
