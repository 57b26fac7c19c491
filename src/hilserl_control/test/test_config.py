# SPDX-License-Identifier: Apache-2.0
"""A wrong config names the field, the value and the rule, and nothing starts."""

import numpy as np
import pytest

import hilserl_control as hc

NAN = float("nan")


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("joints", 0, "1 to 8"),
        ("joints", 9, "1 to 8"),
        ("effort_limits", np.ones(6), "7 finite numbers"),
        ("effort_limits", [87, 87, 87, 87, 12, 12, 0], "above 0"),
        ("joint_lower", np.full(7, NAN), "finite"),
        ("joint_lower", np.full(7, 3.0), "below joint_upper"),
        ("max_effort_rate", 0.0, "above 0 Nm/s"),
        ("max_effort_rate", [1000.0, 1000.0], "7 finite numbers"),
        ("workspace_min", [0.8, 0, 0], "below workspace_max"),
        ("workspace_min", [NAN, 0, 0], "finite"),
        ("max_linear_speed", 0.0, "above 0 m/s"),
        ("max_angular_speed", -1.0, "above 0 rad/s"),
        ("target_timeout", NAN, "above 0 s"),
        ("reference_time_constant", -0.1, "0 s or more"),
        ("gain_time_constant", float("inf"), "0 s or more"),
        ("max_period", 0.0, "above 0 s"),
        ("wrench_cap", [40.0, 0.0], "above 0"),
        ("integral_cap", [NAN, 1.0], "above 0"),
        ("nullspace_stiffness", -1.0, "0 Nm/rad or more"),
        ("joint1_nullspace_stiffness", -1.0, "0 Nm/rad or more"),
        ("nullspace_damping_ratio", -1.0, "0 or more"),
        ("nullspace_regularization", 0.0, "above 0"),
        ("nullspace_posture", np.zeros(6), "7 finite numbers"),
        ("joint_limit_margin", -0.1, "0 rad or more"),
        ("joint_limit_effort", -1.0, "0 Nm or more"),
        ("gains.stiffness", [NAN, 0, 0, 0, 0, 0], "not negative"),
        ("gains.damping", [-1.0, 0, 0, 0, 0, 0], "leave it out to use damping_ratio"),
        ("gains.damping_ratio", -np.ones(6), "not negative"),
        ("gains.integral", -np.ones(6), "not negative"),
        ("gains.clip_negative", [-0.01, 0, 0, 0, 0, 0], "magnitude"),
        ("gains.clip_positive", [0, 0, 0, 4.0, 0, 0], "at most pi"),
    ],
)
def test_wrong_value_is_named_with_its_rule(field, value, rule):
    config = hc.ControllerConfig()
    owner = config.gains if field.startswith("gains.") else config
    setattr(owner, field.removeprefix("gains."), value)
    with pytest.raises(ValueError, match=rf"^{field} is .*{rule}"):
        hc.CartesianImpedance(config)


def test_defaults_are_valid_and_the_ram_numbers():
    config = hc.ControllerConfig()
    config.validate()
    np.testing.assert_allclose(config.gains.stiffness, [2000] * 3 + [75] * 3)
    np.testing.assert_allclose(config.gains.clip_negative[:3], [0.0075, 0.0016, 0.0055])
    np.testing.assert_allclose(config.gains.clip_positive[:3], [0.002, 0.0016, 0.005])


def test_wrong_shape_is_refused_at_the_assignment():
    gains = hc.Gains()
    with pytest.raises(ValueError, match=r"clip_negative has shape \(3,\): must be \(6,\)"):
        gains.clip_negative = [0.01, 0.01, 0.01]


def test_an_array_property_cannot_be_changed_in_place_without_effect():
    config = hc.ControllerConfig()
    with pytest.raises(ValueError, match="read-only"):
        config.effort_limits[0] = 5.0


def test_none_switches_optional_fields_off():
    config = hc.ControllerConfig()
    config.nullspace_posture = np.zeros(7)
    config.nullspace_posture = None
    config.gains.damping = None
    assert config.nullspace_posture is None
    assert config.gains.damping is None
    config.validate()


@pytest.mark.parametrize(
    ("q", "position", "quaternion", "now"),
    [
        (np.full(7, NAN), [0.5, 0, 0.2], [1, 0, 0, 0], 0.0),
        (np.zeros(7), [0.5, NAN, 0.2], [1, 0, 0, 0], 0.0),
        (np.zeros(7), [0.5, 0, 0.2], [0, 0, 0, 0], 0.0),
        (np.zeros(7), [0.5, 0, 0.2], [1, 0, 0, 0], NAN),
        (np.zeros(6), [0.5, 0, 0.2], [1, 0, 0, 0], 0.0),
    ],
)
def test_reset_refuses_a_broken_measurement(q, position, quaternion, now):
    law = hc.CartesianImpedance(hc.ControllerConfig())
    with pytest.raises(ValueError, match="reset"):
        law.reset(q, position, quaternion, now)
