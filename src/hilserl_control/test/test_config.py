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
        ("twist_timeout", 0.0, "above 0 s"),
        ("wrench_timeout", -0.1, "above 0 s"),
        ("wrench_limit_negative", [-1.0, 0, 0, 0, 0, 0], "magnitude"),
        ("wrench_limit_positive", [NAN, 0, 0, 0, 0, 0], "magnitude"),
        ("max_wrench_rate", [0.0, 75.0], "above 0"),
        ("wall_stiffness", [0.0, 75.0], "above 0"),
        ("wall_damping", [-1.0, 5.0], "0 or more"),
        ("wall_margin", [0.005, 0.0], "above 0"),
        ("wall_cap", [20.0, 8.0], "pushes through the wall"),
        ("wrench_gains.stiffness", [NAN, 0, 0, 0, 0, 0], "not negative"),
        ("wrench_gains.damping", [0.0, 40, 40, 2, 2, 2], "nothing else bounds the speed"),
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
    *owner, name = field.split(".")
    setattr(getattr(config, owner[0]) if owner else config, name, value)
    with pytest.raises(ValueError, match=rf"^{field} is .*{rule}"):
        hc.CartesianImpedance(config)


@pytest.mark.parametrize(
    ("reference", "minimum", "maximum", "field", "rule"),
    [
        ([1, 0, 0, 0.5], [-1, -1, -1], [1, 1, 1], "reference", "length 1"),
        ([1, 0, 0, 0], [-4, -1, -1], [1, 1, 1], "minimum", "within -pi and pi"),
        ([1, 0, 0, 0], [-1, -1, 1], [1, 1, 0.5], "minimum", "not above"),
        ([1, 0, 0, 0], [-1, -1, -1], [1, 1, NAN], "minimum", "within"),
    ],
)
def test_wrong_orientation_bound_is_named(reference, minimum, maximum, field, rule):
    config = hc.ControllerConfig()
    config.orientation_bound = hc.OrientationBound(reference, minimum, maximum)
    with pytest.raises(ValueError, match=rf"^orientation_bound\.{field} is .*{rule}"):
        hc.CartesianImpedance(config)


def test_walls_of_the_orientation_must_hold_too():
    config = hc.ControllerConfig()
    config.wall_cap = [35.0, 5.0]
    config.validate()  # no orientation bound, so no wall to push through
    config.orientation_bound = hc.OrientationBound([1, 0, 0, 0], [-0.5] * 3, [0.5] * 3)
    with pytest.raises(ValueError, match="wall_cap"):
        config.validate()


def test_nullspace_mode_is_one_of_three_words():
    config = hc.ControllerConfig()
    assert config.nullspace_mode == "kinematic"
    with pytest.raises(ValueError, match="'best': must be none, kinematic or dynamic"):
        config.nullspace_mode = "best"


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
