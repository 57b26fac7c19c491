# SPDX-License-Identifier: Apache-2.0
"""Profiles of the original in our units. With physics in the loop: tests/closed_loop."""

import numpy as np
import pytest

import hilserl_control as hc

# Every number another one, so that a swap shows.
PROFILE = hc.OriginalProfile(
    translational_clip_x=0.001,
    translational_clip_y=0.002,
    translational_clip_z=0.003,
    translational_clip_neg_x=0.004,
    translational_clip_neg_y=0.005,
    translational_clip_neg_z=0.006,
    rotational_clip_x=0.01,
    rotational_clip_y=0.02,
    rotational_clip_z=0.03,
    rotational_clip_neg_x=0.04,
    rotational_clip_neg_y=0.05,
    rotational_clip_neg_z=0.06,
)


def test_sign_trap_the_positive_clip_bounds_the_push_towards_minus():
    """Its error is measured - desired: `translational_clip_z` is the push downwards, our clip_negative."""
    gains = hc.gains_from_original(PROFILE)
    np.testing.assert_allclose(gains.clip_negative, [0.001, 0.002, 0.003, 0.02, 0.04, 0.06])
    np.testing.assert_allclose(gains.clip_positive, [0.004, 0.005, 0.006, 0.08, 0.10, 0.12])


def test_rotation_error_is_half_the_angle():
    gains = hc.gains_from_original(PROFILE)
    np.testing.assert_allclose(gains.stiffness, [2000] * 3 + [75] * 3)
    np.testing.assert_allclose(gains.damping, [89] * 3 + [7] * 3)
    # K_r * clip is the torque in both conventions.
    np.testing.assert_allclose(gains.push_negative[3:], 150 * np.array([0.01, 0.02, 0.03]))


def test_the_default_gains_are_the_ram_profile():
    ram = hc.OriginalProfile(
        translational_clip_x=0.0075,
        translational_clip_y=0.0016,
        translational_clip_z=0.0055,
        translational_clip_neg_x=0.002,
        translational_clip_neg_y=0.0016,
        translational_clip_neg_z=0.005,
        rotational_clip_x=0.01,
        rotational_clip_y=0.025,
        rotational_clip_z=0.005,
        rotational_clip_neg_x=0.01,
        rotational_clip_neg_y=0.025,
        rotational_clip_neg_z=0.005,
    )
    converted, default = hc.gains_from_original(ram), hc.Gains()
    for name in ("stiffness", "damping", "integral", "clip_negative", "clip_positive"):
        np.testing.assert_allclose(getattr(converted, name), getattr(default, name), err_msg=name)


def test_values_above_its_maximum_are_set_to_it():
    """RAM's PRECISION asks for a rotational clip of 0.5; its dynamic_reconfigure makes that 0.1."""
    gains = hc.gains_from_original(hc.OriginalProfile(rotational_clip_x=0.5, translational_stiffness=9000.0))
    assert gains.clip_negative[3] == pytest.approx(0.2)
    assert gains.stiffness[0] == 6000.0


def test_filters_per_millisecond_become_seconds():
    """After 100 ms of 0.995 per ms, 39 % of a step is applied; ours does the same at any rate."""
    config = hc.config_from_original(PROFILE)
    tau = config.gain_time_constant
    assert tau == pytest.approx(0.1995, abs=1e-4)
    assert config.reference_time_constant == tau
    assert 1 - np.exp(-0.1 / tau) == pytest.approx(1 - 0.995**100, abs=1e-12)
    assert config.max_effort_rate == pytest.approx([1000.0])
    config.validate()


def test_integral_counts_seconds_here_and_cycles_there():
    profile = hc.OriginalProfile(translational_Ki=5.0, rotational_Ki=2.0)
    gains, config = hc.gains_from_original(profile), hc.config_from_original(profile)
    error, cycles = 0.0005, 50
    there = 5.0 * min(error * cycles, 0.1)
    assert gains.integral[0] * error * cycles * 0.001 == pytest.approx(there)
    np.testing.assert_allclose(config.integral_cap, [5.0 * 0.1, 2.0 * 0.3])


def test_joint_1_posture_stiffness_is_a_factor_there():
    config = hc.config_from_original(hc.OriginalProfile())
    assert config.nullspace_stiffness + config.joint1_nullspace_stiffness == pytest.approx(0.2 * 100)


@pytest.mark.parametrize(
    ("field", "value"), [("translational_clip_x", -0.01), ("rotational_damping", np.nan)]
)
def test_a_wrong_value_is_named(field, value):
    with pytest.raises(ValueError, match=rf"{field} is .*finite and not negative"):
        hc.OriginalProfile(**{field: value})


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(3))
def test_wrench_of_a_blocked_arm_is_the_originals(make_rig, axis, sign):
    rig = make_rig(gains=hc.gains_from_original(PROFILE))
    offset = np.zeros(3)
    offset[axis] = sign * 0.09
    name = "xyz"[axis]
    clip = getattr(PROFILE, f"translational_clip_{name}")
    clip_neg = getattr(PROFILE, f"translational_clip_neg_{name}")
    original = -2000.0 * np.clip(-offset[axis], -clip_neg, clip)
    assert rig.settle(rig.position + offset).wrench[axis] == pytest.approx(original)
