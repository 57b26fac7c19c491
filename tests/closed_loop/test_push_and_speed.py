# SPDX-License-Identifier: Apache-2.0
"""With physics in the loop: what a clamped arm pushes with, how fast a free one moves."""

import numpy as np
import pytest
from arm_in_the_loop import ArmInTheLoop, config
from scipy.spatial.transform import Rotation

import hilserl_control as hc

# Asymmetric on purpose, every bound another number.
NEGATIVE = np.array([0.0075, 0.0016, 0.0055, 0.02, 0.05, 0.01])
POSITIVE = np.array([0.002, 0.0017, 0.005, 0.03, 0.04, 0.015])

# Names and numbers of the original's task files (examples/experiments/*/config.py), COMPLIANCE_PARAM.
TASKS = {
    "ram_insertion": hc.OriginalProfile(
        translational_clip_x=0.0075, translational_clip_y=0.0016, translational_clip_z=0.0055,
        translational_clip_neg_x=0.002, translational_clip_neg_y=0.0016, translational_clip_neg_z=0.005,
        rotational_clip_x=0.01, rotational_clip_y=0.025, rotational_clip_z=0.005,
        rotational_clip_neg_x=0.01, rotational_clip_neg_y=0.025, rotational_clip_neg_z=0.005,
    ),
    "usb_pickup_insertion": hc.OriginalProfile(
        translational_clip_x=0.006, translational_clip_y=0.0059, translational_clip_z=0.0035,
        translational_clip_neg_x=0.005, translational_clip_neg_y=0.005, translational_clip_neg_z=0.0035,
        rotational_clip_x=0.02, rotational_clip_y=0.02, rotational_clip_z=0.015,
        rotational_clip_neg_x=0.02, rotational_clip_neg_y=0.02, rotational_clip_neg_z=0.015,
    ),
    "object_handover_left": hc.OriginalProfile(
        rotational_stiffness=120.0, rotational_damping=5.0,
        translational_clip_x=0.0085, translational_clip_y=0.005, translational_clip_z=0.005,
        translational_clip_neg_x=0.01, translational_clip_neg_y=0.005, translational_clip_neg_z=0.006,
        rotational_clip_x=0.02, rotational_clip_y=0.03, rotational_clip_z=0.02,
        rotational_clip_neg_x=0.02, rotational_clip_neg_y=0.03, rotational_clip_neg_z=0.02,
    ),
    "object_handover_right": hc.OriginalProfile(
        rotational_stiffness=120.0, rotational_damping=5.0,
        translational_clip_x=0.0085, translational_clip_y=0.005, translational_clip_z=0.005,
        translational_clip_neg_x=0.007, translational_clip_neg_y=0.005, translational_clip_neg_z=0.006,
        rotational_clip_x=0.02, rotational_clip_y=0.03, rotational_clip_z=0.02,
        rotational_clip_neg_x=0.02, rotational_clip_neg_y=0.03, rotational_clip_neg_z=0.02,
    ),
}  # fmt: skip


def original_push(profile: hc.OriginalProfile, axis: int, sign: float) -> float:
    """Static push of the original's own law, N or Nm: -K * clip(measured - desired, -clip_neg, clip)."""
    kind, name = ("translational", "xyz"[axis]) if axis < 3 else ("rotational", "xyz"[axis - 3])
    clip = getattr(profile, f"{kind}_clip_{name}")
    clip_neg = getattr(profile, f"{kind}_clip_neg_{name}")
    measured_minus_desired = -sign * 1.0
    return -getattr(profile, f"{kind}_stiffness") * np.clip(measured_minus_desired, -clip_neg, clip)


def clamped_push(configuration: hc.ControllerConfig, axis: int, sign: float) -> np.ndarray:
    """(6,) N, Nm on the clamp, the target far away along or about one base axis."""
    arm = ArmInTheLoop(configuration)
    arm.clamp()
    offset = np.zeros(6)
    offset[axis] = sign * (0.09 if axis < 3 else 0.4)
    target = arm.to_pose(arm.position + offset[:3], Rotation.from_rotvec(offset[3:]) * arm.rotation)
    arm.run(1.6, target)
    return arm.push


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(6))
def test_static_push_is_stiffness_times_clip_and_not_more(axis, sign):
    gains = hc.Gains()
    gains.clip_negative, gains.clip_positive = NEGATIVE, POSITIVE
    bound = gains.stiffness[axis] * (POSITIVE if sign > 0 else NEGATIVE)[axis]
    push = clamped_push(config(gains=gains, nullspace_mode="none"), axis, sign)
    assert sign * push[axis] == pytest.approx(bound, rel=0.01)
    assert sign * push[axis] <= bound * 1.001 + 1e-3
    others = np.delete(push, axis)
    assert np.abs(others).max() < 0.05


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(6))
@pytest.mark.parametrize("task", TASKS)
def test_profile_of_the_original_pushes_as_the_original(task, axis, sign):
    configuration = hc.config_from_original(TASKS[task])
    physical = config(gains=configuration.gains, nullspace_mode="none")
    push = clamped_push(physical, axis, sign)
    assert push[axis] == pytest.approx(original_push(TASKS[task], axis, sign), rel=0.01, abs=1e-3)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("task", TASKS)
def test_profile_of_the_original_approaches_as_fast_as_the_original(task, axis, sign):
    """Steady speed to a far target: K * clip / D, where the spring at its clip and the damper balance."""
    profile = TASKS[task]
    configuration = config(gains=hc.gains_from_original(profile), nullspace_mode="none", max_linear_speed=5.0)
    arm = ArmInTheLoop(configuration)
    offset = np.zeros(3)
    offset[axis] = sign * 0.5
    target = arm.to_pose(arm.position + offset)
    speeds = arm.run(0.5, target, lambda arm: sign * arm.twist[axis])
    expected = abs(original_push(profile, axis, sign)) / profile.translational_damping
    assert speeds[-1] == pytest.approx(expected, rel=0.05)
    assert max(speeds) <= expected * 1.05


def test_ram_insertion_in_numbers():
    """The table of the original: 15 / 4 N along x, 3.2 N along y, 11 / 10 N along z, 0.036 to 0.17 m/s."""
    gains = hc.gains_from_original(TASKS["ram_insertion"])
    np.testing.assert_allclose(gains.push_negative[:3], [15.0, 3.2, 11.0])
    np.testing.assert_allclose(gains.push_positive[:3], [4.0, 3.2, 10.0])
    speed = gains.push_negative[:3] / gains.damping[:3]
    np.testing.assert_allclose(speed, [0.169, 0.036, 0.124], atol=1e-3)


@pytest.mark.parametrize("limit", [0.05, 0.1])
def test_free_space_speed_is_bounded_by_the_reference(limit):
    """With clips wide open the reference's speed bounds the arm, which swings once when it sets off."""
    gains = hc.Gains()
    gains.clip_negative = gains.clip_positive = np.full(6, 0.1)
    arm = ArmInTheLoop(config(gains=gains, max_linear_speed=limit))
    target = arm.to_pose(arm.position + [0.0, 0.2, 0.1])
    last = [arm.position]

    def record(arm: ArmInTheLoop) -> tuple[float, float]:
        step = np.linalg.norm(arm.law.state.reference_position - last[-1])
        last.append(arm.law.state.reference_position)
        return step / arm.dt, float(np.linalg.norm(arm.twist[:3]))

    references, speeds = np.array(arm.run(1.5, target, record)).T
    assert references.max() <= limit * (1 + 1e-9)
    assert speeds[500:].max() <= limit * 1.02
    assert speeds[500:].max() >= limit * 0.98
    assert speeds.max() <= limit * 1.2


def test_free_space_speed_in_wrench_mode_is_force_over_damping():
    arm = ArmInTheLoop(config(nullspace_mode="none"))
    push = np.array([0.0, 8.0, 0.0, 0.0, 0.0, 0.0])
    speeds = arm.run(0.8, lambda arm: arm.law.set_wrench(push, arm.now), lambda arm: arm.twist[1])
    assert 0.9 * 8.0 / 40.0 <= max(speeds) <= 1.02 * 8.0 / 40.0


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(6))
def test_commanded_wrench_is_felt(axis, sign):
    """Wrench mode on a clamp: what is asked for, in tcp axes, is what the clamp feels."""
    arm = ArmInTheLoop(config(nullspace_mode="none"))
    arm.clamp()
    wanted = np.zeros(6)
    wanted[axis] = sign * (7.0 if axis < 3 else 1.5)
    arm.run(1.6, lambda arm: arm.law.set_wrench(wanted, arm.now, "tcp"))
    felt = np.concatenate([arm.rotation.inv().apply(part) for part in np.split(arm.push, 2)])
    np.testing.assert_allclose(felt, wanted, atol=0.05)
