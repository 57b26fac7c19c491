# SPDX-License-Identifier: Apache-2.0
"""Clips given as what a blocked arm shall push: newtons and newton metres."""

import numpy as np
import pytest

import hilserl_control as hc

NEGATIVE = np.array([15.0, 3.2, 11.0, 1.5, 3.75, 0.75])
POSITIVE = np.array([4.0, 3.2, 10.0, 1.0, 2.0, 0.5])


def test_limits_become_clips_and_come_back():
    gains = hc.Gains()
    gains.set_push_limits(NEGATIVE, POSITIVE)
    np.testing.assert_allclose(gains.clip_negative[:3], [0.0075, 0.0016, 0.0055])
    np.testing.assert_allclose(gains.push_negative, NEGATIVE)
    np.testing.assert_allclose(gains.push_positive, POSITIVE)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(3))
def test_the_arm_pushes_what_was_asked_for(make_rig, axis, sign):
    gains = hc.Gains()
    gains.set_push_limits(NEGATIVE, POSITIVE)
    rig = make_rig(gains=gains)
    offset = np.zeros(3)
    offset[axis] = sign * 0.09
    state = rig.settle(rig.position + offset)
    assert state.wrench[axis] == pytest.approx(sign * (POSITIVE if sign > 0 else NEGATIVE)[axis])
    np.testing.assert_allclose(state.push_negative, NEGATIVE)
    np.testing.assert_allclose(state.push_positive, POSITIVE)


@pytest.mark.parametrize(
    ("axis", "limit", "stiffness", "message"),
    [
        (2, 11.0, 0.0, "towards minus on z is 11 N: the axis has no stiffness"),
        (4, 1.0, 0.0, "towards minus on rotation about y is 1 Nm: the axis has no stiffness"),
        (0, -1.0, 2000.0, "towards minus on x is -1 N: is a magnitude"),
        (0, np.nan, 2000.0, "towards minus on x is nan N: is a magnitude"),
        (5, 10.0, 1.0, "with 1 Nm/rad the clip would be 10 rad"),
    ],
)
def test_impossible_limits_are_named_and_change_nothing(axis, limit, stiffness, message):
    gains = hc.Gains()
    values = gains.stiffness.copy()
    values[axis] = stiffness
    gains.stiffness = values
    before = gains.clip_negative
    negative = np.zeros(6)
    negative[axis] = limit
    with pytest.raises(ValueError, match=message):
        gains.set_push_limits(negative, np.zeros(6))
    np.testing.assert_array_equal(gains.clip_negative, before)


def test_zero_push_on_a_free_axis_is_no_error():
    gains = hc.Gains()
    gains.stiffness = [0.0, 2000, 2000, 75, 75, 75]
    gains.set_push_limits([0.0, 1, 1, 1, 1, 1], [0.0, 1, 1, 1, 1, 1])
    assert gains.push_negative[0] == 0.0
