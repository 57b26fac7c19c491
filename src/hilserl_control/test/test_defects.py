# SPDX-License-Identifier: Apache-2.0
"""Defects found in other Cartesian controllers, one test each. Those that only a plugin can have (10: invalid
end-effector frame, 11: blocking fetch of robot_description) are tested where a plugin is."""

from pathlib import Path

import numpy as np
import pytest

import hilserl_control as hc

RATES = [500.0, 1000.0, 2000.0]


@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_defect_01_negative_sentinel_taken_as_a_damping(value):
    """CRISP #54: -1 for "automatic" was applied as negative damping."""
    config = hc.ControllerConfig()
    config.nullspace_damping_ratio = value
    with pytest.raises(ValueError, match=r"^nullspace_damping_ratio is .*must be 0 or more"):
        hc.CartesianImpedance(config)
    gains = hc.Gains()
    gains.damping = np.full(6, value)
    with pytest.raises(ValueError, match=r"^gains\.damping is .*leave it out to use damping_ratio"):
        hc.CartesianImpedance(hc.ControllerConfig()).set_gains(gains)


def test_defect_02_stale_command_at_activation(make_rig):
    """CRISP: a target and a wrench from before activation are followed after it."""
    rig = make_rig()
    rig.settle(rig.position + [0.05, 0, 0])
    rig.target(rig.position + [0.05, 0, 0], wrench=[0, 0, 8, 0, 0, 0])
    rig.step(50)
    rig.law.reset(rig.q, rig.position, rig.quaternion, rig.now)
    rig.step(300)
    state = rig.law.state
    assert state.holding
    np.testing.assert_allclose(state.wrench, np.zeros(6), atol=1e-12)
    np.testing.assert_array_equal(state.reference_position, rig.position)


def test_defect_03_damping_does_not_follow_the_stiffness(make_rig):
    """CRISP: stiffness set at run time kept the damping of the old one."""
    rig = make_rig(gains__damping=None)
    for stiffness in (400.0, 3600.0):
        gains = hc.Gains()
        gains.stiffness, gains.damping = np.full(6, stiffness), None
        rig.law.set_gains(gains)
        rig.step(4000)
        rig.step(twist=np.full(6, 0.01))
        np.testing.assert_allclose(rig.law.state.wrench, -2 * np.sqrt(stiffness) * 0.01, rtol=1e-6)
        rig.twist = np.zeros(6)


def test_defect_04_sizes_and_quaternions_unchecked(make_rig):
    """CRISP: message sizes are trusted, quaternions used as they come."""
    rig = make_rig()
    for quaternion in ([0, 0, 0, 0], [2, 0, 0, 0], [1, 1, 0, 0]):
        assert not rig.target(quaternion=quaternion)
    with pytest.raises(ValueError, match="position"):
        rig.law.set_target(np.zeros(2), rig.quaternion, rig.now)
    with pytest.raises(ValueError, match="twist"):
        rig.law.set_twist(np.zeros(5), rig.now)
    with pytest.raises(ValueError, match="wrench"):
        rig.law.set_wrench(np.zeros(7), rig.now)
    with pytest.raises(ValueError, match="jacobian"):
        rig.step(jacobian=np.zeros((6, 6)))


def test_defect_05_overrun_becomes_a_step(make_rig):
    """CRISP #12: a cycle that comes late made the arm jitter. A late cycle counts as max_period at most."""
    rig = make_rig(
        max_effort_rate=1000.0, max_period=0.004, max_linear_speed=0.1, reference_time_constant=0.0
    )
    rig.target(rig.position + [0.1, 0, 0])
    before = rig.law.state.reference_position
    rig.dt = 0.3
    tau = rig.step()
    assert np.abs(tau).max() <= 4.0 + 1e-9
    assert np.abs(rig.law.state.reference_position - before).max() <= 0.1 * 0.004 + 1e-12


def test_defect_06_jacobian_frame_mixed_up(make_rig):
    """CRISP #29: the Jacobian in the wrong axes. The whole measurement turned gives the turned wrench.

    The same with physics: tests/closed_loop/test_frames_and_rates.py.
    """
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec([0.3, -0.5, 1.2])
    clip = np.full(6, 0.004)  # the same on every axis, or turning would change the clip
    fields = {"gains__clip_negative": clip, "gains__clip_positive": clip, "workspace_min": [-2, -2, -2]}
    plain = make_rig(workspace_max=[2, 2, 2], **fields)
    turned = make_rig(workspace_max=[2, 2, 2], **fields)
    turned.jacobian = np.ascontiguousarray(np.kron(np.eye(2), turn.as_matrix()) @ plain.jacobian)
    turned.position = turn.apply(plain.position)
    turned.quaternion = (turn * Rotation.from_quat(plain.quaternion)).as_quat()
    turned.law.reset(turned.q, turned.position, turned.quaternion, turned.now)
    offset = np.array([0.001, -0.002, 0.003])
    expected = plain.settle(plain.position + offset)
    state = turned.settle(turned.position + turn.apply(offset))
    np.testing.assert_allclose(state.wrench[:3], turn.as_matrix() @ expected.wrench[:3], atol=1e-9)
    np.testing.assert_allclose(state.effort, expected.effort, atol=1e-9)


def test_defect_07_update_overwrites_the_target(make_rig):
    """franka_ros2's example: demonstration code in update() replaced the topic's target every cycle."""
    rig = make_rig()
    wanted = rig.position + [0.02, 0.01, -0.01]
    rig.target(wanted)
    rig.step(450)  # one message, many cycles
    np.testing.assert_allclose(rig.law.state.reference_position, wanted, atol=1e-4)


def test_defect_08_limits_per_cycle_change_with_the_rate(make_rig):
    """Everywhere: Nm per cycle and filter constants per cycle mean something else at another rate."""
    results = []
    for rate_hz in RATES:
        rig = make_rig(rate_hz)
        rig.law.set_gains(stiff())
        for _ in range(round(0.1 * rate_hz)):
            rig.target(rig.position + [0.001, 0, 0], wrench=[0, 5, 0, 0, 0, 0])
            tau = rig.step(bias=np.full(7, 50.0))
        results.append(np.concatenate([tau, rig.law.state.wrench, rig.law.state.reference_position]))
    np.testing.assert_allclose(results, results[:1] * 3, atol=1e-9)


def stiff() -> hc.Gains:
    gains = hc.Gains()
    gains.stiffness = 1.5 * gains.stiffness
    return gains


def test_defect_09_stall_winds_up(make_rig):
    """AIC: tracking error grew while stalled, and the arm jumped when contact was lost.

    The push stays at its bound however long the stall is, and silence forgets the distance. The release
    itself, with physics: tests/closed_loop/test_transitions.py.
    """
    rig = make_rig()
    far = rig.position - [0, 0, 0.1]
    pushes = [rig.settle(far, seconds=seconds).wrench[2] for seconds in (1.0, 2.0, 4.0)]
    np.testing.assert_allclose(pushes, -11.0)
    rig.step(600)
    np.testing.assert_array_equal(rig.law.state.error, np.zeros(6))


def test_defect_10_broken_kinematics_become_torque(make_rig):
    """CRISP #53: an invalid frame gave a NaN Jacobian and NaN torques. Here the effort goes to zero."""
    rig = make_rig()
    rig.settle(rig.position - [0, 0, 0.1])
    tau = rig.step(100, jacobian=np.full((6, 7), np.nan))
    assert rig.law.state.invalid_measurement
    np.testing.assert_array_equal(tau, np.zeros(7))


def test_defect_11_the_law_reads_no_parameters():
    """CRISP, Mayr, GELLO: robot_description fetched by a blocking client. The law knows no ROS at all."""
    root = Path(__file__).resolve().parents[1]
    sources = [*root.glob("include/**/*.hpp"), *root.glob("src/*.cpp")]
    assert len(sources) > 20
    assert not [path for path in sources if "rclcpp" in path.read_text()]


@pytest.mark.parametrize(
    "bad",
    [
        {"wrench": [np.nan, 0, 0, 0, 0, 0]},
        {"quaternion": [0, 0, 0, 0]},
        {"position": [np.inf, 0, 0]},
    ],
)
def test_defect_12_parts_of_two_targets_mixed(make_rig, bad):
    """Everywhere: flag and buffer, or pose and wrench, updated separately. A target is taken whole or not."""
    rig = make_rig()
    good = rig.position + [0.01, 0, 0]
    assert rig.target(good, wrench=[0, 0, 2, 0, 0, 0])
    other = {"position": rig.position - [0.01, 0, 0], "wrench": [0, 0, -9, 0, 0, 0], **bad}
    assert not rig.target(**other)
    rig.step(190)
    state = rig.law.state
    np.testing.assert_allclose(state.reference_position, good, atol=1e-3)
    np.testing.assert_allclose(state.commanded_wrench, [0, 0, 2, 0, 0, 0])
