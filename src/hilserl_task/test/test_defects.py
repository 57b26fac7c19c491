# SPDX-License-Identifier: Apache-2.0
"""Defects of the original's frames that cannot come back here."""

import numpy as np

from hilserl_task import frames, load_task
from hilserl_task.action_codec import action_from_stick, stick_axes, target_pose
from hilserl_task.action_spec import ActionSpec


def turn(axis: str, angle: float) -> np.ndarray:
    """Elementary rotation, written out: these tests must not lean on the library that the code uses."""
    c, s = np.cos(angle), np.sin(angle)
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def test_defect_d3_a_shift_of_the_stick_never_turns_the_tool():
    """D3: the original moved actions between frames by an adjoint with its blocks swapped, so that a shift
    became a turn that grew with the distance from the base."""
    task = load_task("ram_insertion")
    assert task.operator.frame == "base"
    base_T_tcp = np.eye(4)
    base_T_tcp[:3, :3] = turn("z", 0.4) @ turn("x", np.pi)
    base_T_tcp[:3, 3] = (0.59, -0.1, 0.28)  # RAM insertion's pose in the original
    shift = np.array([0.3, 0.8, -0.4, 0.0, 0.0, 0.0])
    action = action_from_stick(stick_axes(task, base_T_tcp), shift)
    np.testing.assert_allclose(action[3:], 0.0, atol=1e-12)
    spec = ActionSpec()
    target = target_pose(base_T_tcp, action, spec)
    np.testing.assert_allclose(target[:3, :3], base_T_tcp[:3, :3], atol=1e-12)
    moved = target[:3, 3] - base_T_tcp[:3, 3]
    np.testing.assert_allclose(moved, shift[:3] * spec.translation_scale_m, atol=1e-12)
    # Nor does where the arm stands change what a stick means.
    nearer = base_T_tcp.copy()
    nearer[:3, 3] *= 0.1
    np.testing.assert_array_equal(action_from_stick(stick_axes(task, nearer), shift), action)


def test_defect_d4_pitch_keeps_its_sign_through_quaternions():
    """D4: Euler angles became quaternions in w x y z order, read as x y z w: right for pitch 0,
    wrong in sign otherwise (5.7 degrees for its own reset pose)."""
    roll, pitch, yaw = np.pi, 0.05, 0.3
    rotation = turn("z", yaw) @ turn("y", pitch) @ turn("x", roll)  # extrinsic x y z
    half = np.array([roll, pitch, yaw]) / 2
    (cr, cp, cy), (sr, sp, sy) = np.cos(half), np.sin(half)
    quaternion_xyzw = [
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
        cr * cp * cy + sr * sp * sy,
    ]
    pose = frames.pose_matrix([0.5, 0.0, 0.2], quaternion_xyzw)
    np.testing.assert_allclose(pose[:3, :3], rotation, atol=1e-12)
    assert np.arcsin(-pose[2, 0]) > 0.049
    vector = frames.pose_vector(pose)
    sign = 1.0 if quaternion_xyzw[3] >= 0 else -1.0
    np.testing.assert_allclose(vector[3:], sign * np.array(quaternion_xyzw), atol=1e-12)
    tilted = frames.position_and_rotvec(np.block([[turn("y", pitch), np.zeros((3, 1))], [0, 0, 0, 1]]))
    np.testing.assert_allclose(tilted[3:], [0.0, pitch, 0.0], atol=1e-12)
