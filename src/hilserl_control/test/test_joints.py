# SPDX-License-Identifier: Apache-2.0
"""Joint by joint: effort cap, torque rate in Nm/s, position limits, nullspace, broken measurements."""

import numpy as np
import pytest

import hilserl_control as hc

RATES = [500.0, 1000.0, 2000.0]


@pytest.mark.parametrize("rate_hz", RATES)
def test_torque_rate_is_in_newton_metres_per_second(make_rig, rate_hz):
    rig = make_rig(rate_hz, max_effort_rate=1000.0)
    tau = np.zeros(7)
    for _ in range(round(0.02 * rate_hz)):
        last, tau = tau, rig.step(bias=np.full(7, 80.0))
        assert np.max(np.abs(tau - last)) <= 1000.0 * rig.dt + 1e-9
    assert tau[0] == pytest.approx(20.0)  # 0.02 s at 1000 Nm/s at every rate
    assert rig.law.state.joint_limit_flags[0] & hc.JOINT_LIMIT_RATE


def test_rate_per_joint(make_rig):
    rates = np.array([100.0, 200, 300, 400, 500, 600, 700])
    rig = make_rig(max_effort_rate=rates)
    tau = rig.step(10, bias=np.full(7, 80.0))
    np.testing.assert_allclose(tau, rates * 0.01)


def test_an_overrun_does_not_allow_a_torque_step(make_rig):
    rig = make_rig(max_effort_rate=1000.0, max_period=0.004)
    rig.dt = 3.0
    assert rig.step(bias=np.full(7, 80.0))[0] == pytest.approx(4.0)
    for dt in (0.0, -1.0, float("nan")):
        rig.dt, rig.now = dt, 10.0
        assert rig.step()[0] == pytest.approx(4.0)


def test_effort_cap(make_rig):
    rig = make_rig()
    limits = rig.config.effort_limits
    np.testing.assert_allclose(rig.step(500, bias=np.full(7, 500.0)), limits)
    assert np.all(rig.law.state.joint_limit_flags & hc.JOINT_LIMIT_EFFORT)
    np.testing.assert_allclose(rig.step(500, bias=np.full(7, -500.0)), -limits)


def test_joint_limits_push_back_inside(make_rig):
    rig = make_rig(nullspace_stiffness=0.0, joint1_nullspace_stiffness=0.0, joint_limit_margin=0.1)
    upper, lower = rig.config.joint_upper, rig.config.joint_lower
    q = rig.q.copy()
    q[1], q[5] = upper[1] - 0.05, lower[5] - 1.0
    tau = rig.step(100, q=q)
    assert tau[1] == pytest.approx(-5.0)  # half of the margin, half of 10 Nm
    assert tau[5] == pytest.approx(10.0)  # beyond the limit: bounded
    np.testing.assert_allclose(tau[[0, 2, 3, 4, 6]], 0.0, atol=1e-9)
    assert list(rig.law.state.joint_limit_flags & hc.JOINT_LIMIT_POSITION) == [0, 4, 0, 0, 0, 4, 0]


def test_nullspace_torque_makes_no_wrench_at_the_tcp(make_rig):
    """J-bar^T tau = (J J^T)^-1 J tau, the tcp wrench of a joint torque, vanishes for the nullspace part."""
    rig = make_rig()
    posture = rig.q.copy()
    tau = rig.step(200, q=posture + [0.3, -0.2, 0.2, 0.1, -0.3, 0.2, 0.1])
    wrench = np.linalg.solve(rig.jacobian @ rig.jacobian.T, rig.jacobian @ tau)
    assert np.linalg.norm(tau) > 0.5
    assert np.linalg.norm(wrench) < 5e-3 * np.linalg.norm(tau)


def test_nullspace_pulls_towards_the_posture_and_damps(make_rig):
    posture = np.array([0.2, -0.2, 0.3, -2.0, 0.1, 1.5, 0.7])
    rig = make_rig(nullspace_posture=posture, nullspace_stiffness=8.0, nullspace_damping_ratio=0.5)
    _, _, rows = np.linalg.svd(rig.jacobian)
    free = rows[6]
    stiffness = np.full(7, 8.0) + np.array([10.0, 0, 0, 0, 0, 0, 0])
    expected = free * (free @ (stiffness * (posture - rig.q)))
    np.testing.assert_allclose(rig.step(100), expected, atol=0.02)
    dq = 0.3 * free
    damping = 2 * 0.5 * np.sqrt(stiffness)
    np.testing.assert_allclose(rig.step(100, dq=dq), expected - free * (free @ (damping * dq)), atol=0.02)


@pytest.mark.parametrize("rank", [0, 1, 5])
def test_singular_posture_stays_finite_and_bounded(make_rig, rank):
    rig = make_rig()
    u, s, vt = np.linalg.svd(rig.jacobian)
    s[rank:] = 0.0
    jacobian = np.ascontiguousarray(u @ np.diag(s) @ vt[:6])
    tau = rig.step(200, jacobian=jacobian, q=rig.q + 0.2)
    assert np.all(np.isfinite(tau))
    # A projector never lengthens: at most the spring itself.
    assert np.linalg.norm(tau) <= np.linalg.norm([20 * 0.2] + [10 * 0.2] * 6) + 1e-9


@pytest.mark.parametrize("name", ["q", "dq", "position", "quaternion", "twist", "jacobian", "bias"])
def test_broken_measurement_lets_go_at_the_rate_limit(make_rig, name):
    rig = make_rig(max_effort_rate=1000.0)
    tau = rig.step(100, bias=np.full(7, 10.0))
    assert not rig.law.state.invalid_measurement
    good = getattr(rig, name)
    bad = good.copy()
    bad.flat[1] = float("nan")
    np.testing.assert_allclose(rig.step(**{name: bad}), tau - np.sign(tau), atol=1e-9)
    assert rig.law.state.invalid_measurement
    np.testing.assert_allclose(rig.step(20), np.zeros(7), atol=1e-12)
    np.testing.assert_allclose(rig.step(100, **{name: good}), tau, atol=1e-9)
    assert not rig.law.state.invalid_measurement


def test_finite_numbers_that_overflow_are_no_measurement(make_rig):
    rig = make_rig()
    assert np.all(np.isfinite(rig.step(10, dq=np.full(7, 1e308), twist=np.full(6, -1e308))))
    assert rig.law.state.invalid_measurement


def test_six_joint_arm():
    config = hc.ControllerConfig()
    config.joints = 6
    for name in ("effort_limits", "joint_lower", "joint_upper"):
        setattr(config, name, getattr(config, name)[:6])
    law = hc.CartesianImpedance(config)
    q, position, quaternion = (
        np.array([0, -0.3, 0, -2.1, 0, 1.6]),
        np.array([0.5, 0, 0.2]),
        np.array([1.0, 0, 0, 0]),
    )
    law.reset(q, position, quaternion, 0.0)
    jacobian = np.random.default_rng(0).normal(size=(6, 6))
    for cycle in range(300):
        now = 0.001 * cycle
        assert law.set_target(position - [0, 0, 0.05], quaternion, now)
        tau = law.update(now, 0.001, q, np.zeros(6), position, quaternion, np.zeros(6), jacobian, np.zeros(6))
    np.testing.assert_allclose(
        tau, np.clip(jacobian.T @ law.state.wrench, -config.effort_limits, config.effort_limits)
    )
