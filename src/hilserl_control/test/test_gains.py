# SPDX-License-Identifier: Apache-2.0
"""Profiles change by a ramp of gains and clips together, so that the wrench never steps."""

import numpy as np
import pytest

import hilserl_control as hc

RATES = [500.0, 1000.0, 2000.0]


def precision() -> hc.Gains:
    """The original's reset profile: clips of 0.1 m instead of a few millimetres."""
    gains = hc.Gains()
    gains.stiffness = [2000.0, 2000.0, 2000.0, 125.0, 125.0, 125.0]
    gains.damping = [89.0, 89.0, 89.0, 9.0, 9.0, 9.0]
    gains.clip_negative = gains.clip_positive = np.full(6, 0.1)
    return gains


def test_profile_switch_while_pushing_makes_no_wrench_step(make_rig):
    """The original ramps stiffness but switches clips at once: the bound on the push jumps 13 to 60 times."""
    rig = make_rig(wrench_cap=[1e3, 1e3])
    last = rig.settle(rig.position - [0, 0, 0.09]).wrench
    assert last[2] == pytest.approx(-11.0)
    rig.law.set_gains(precision())
    final = -2000 * 0.09
    for _ in range(1500):
        rig.target(rig.position - [0, 0, 0.09])
        rig.step()
        wrench = rig.law.state.wrench
        # 0.2 s to 0.1 m of clip: at most 2000 N/m * 0.0945 m / 0.2 s = 945 N/s, so 0.945 N per ms.
        assert abs(wrench[2] - last[2]) <= 0.945
        last = wrench
    assert last[2] == pytest.approx(final, rel=1e-3)


def test_ramp_is_the_same_at_any_rate(make_rig):
    pushes = []
    for rate_hz in RATES:
        rig = make_rig(rate_hz, wrench_cap=[1e3, 1e3])
        rig.settle(rig.position - [0, 0, 0.09])
        rig.law.set_gains(precision())
        pushes.append(rig.settle(rig.position - [0, 0, 0.09], seconds=0.1).wrench[2])
    np.testing.assert_allclose(pushes, pushes[0], rtol=1e-9)


def test_damping_ratio_holds_during_the_ramp(make_rig):
    rig = make_rig(gains__damping=None, gains__damping_ratio=np.full(6, 0.8))
    soft = hc.Gains()
    soft.stiffness = soft.stiffness / 10
    soft.damping = None
    soft.damping_ratio = np.full(6, 0.8)
    rig.law.set_gains(soft)
    for _ in range(5):
        rig.target(rig.position + [0.0005, 0, 0])
        rig.step(40, twist=np.zeros(6))
        state = rig.law.state
        stiffness = state.wrench[0] / state.error_clipped[0]
        rig.step(twist=np.array([0.01, 0, 0, 0, 0, 0]))
        state = rig.law.state
        damping = (stiffness * state.error_clipped[0] - state.wrench[0]) / 0.01
        # Within the change of one cycle of the ramp.
        assert damping == pytest.approx(2 * 0.8 * np.sqrt(stiffness), rel=0.01)


def test_invalid_gains_are_refused_and_the_last_ones_kept(make_rig):
    rig = make_rig()
    bad = hc.Gains()
    bad.stiffness = [-1.0, 0, 0, 0, 0, 0]
    with pytest.raises(ValueError, match=r"gains\.stiffness.*-1.*not negative"):
        rig.law.set_gains(bad)
    assert rig.settle(rig.position - [0, 0, 0.09]).wrench[2] == pytest.approx(-11.0)


def test_gains_set_before_activation_act_at_once(make_rig):
    rig = make_rig()
    rig.law.set_gains(precision())
    rig.law.reset(rig.q, rig.position, rig.quaternion, rig.now)
    rig.step(position=rig.position + [0, 0, 0.01])
    assert rig.law.state.wrench[2] == pytest.approx(-20.0)


def test_integral_grows_to_its_cap_and_fades_without_gain(make_rig):
    integral = np.array([0, 0, 400.0, 0, 0, 0])
    rig = make_rig(gains__integral=integral, integral_cap=[3.0, 1.0], gain_time_constant=0.05)
    far = rig.position - [0, 0, 0.05]
    proportional = -11.0
    state = rig.settle(far, seconds=1.0)
    assert state.wrench[2] == pytest.approx(proportional - 400 * 0.0055, abs=0.2)
    state = rig.settle(far, seconds=2.0)
    assert state.wrench[2] == pytest.approx(proportional - 3.0, abs=1e-9)
    last = state.wrench[2]
    rig.law.set_gains(hc.Gains())
    for _ in range(500):
        rig.target(far)
        rig.step()
        assert abs(rig.law.state.wrench[2] - last) <= 3.0 / 0.05 * rig.dt
        last = rig.law.state.wrench[2]
    assert last == pytest.approx(proportional, abs=1e-3)


def test_integral_is_off_by_default(make_rig):
    rig = make_rig()
    first = rig.settle(rig.position + [0.001, 0, 0], seconds=1.0).wrench[0]
    assert rig.settle(rig.position + [0.001, 0, 0], seconds=2.0).wrench[0] == pytest.approx(first, abs=1e-6)
