# SPDX-License-Identifier: Apache-2.0
"""Frames and the action codec, by property."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hilserl_task import frames, load_task
from hilserl_task.action_codec import action_from_stick, check_action, stick_axes, target_pose
from hilserl_task.action_spec import ActionSpec
from hilserl_task.spaces import STATE_NAMES, ArmReading, state_vector

number = st.floats(-1, 1)
six = st.lists(number, min_size=6, max_size=6).map(np.array)
pose = six.map(lambda v: np.vstack([np.c_[Rotation.from_rotvec(3 * v[3:]).as_matrix(), v[:3]], [0, 0, 0, 1]]))
SPEC = ActionSpec()
TASK = load_task("ram_insertion")


def mounted(frame: str, *rpy: float):
    """The task with a stick in the axes of a camera that is turned by rpy in base or tcp."""
    mount = f"cameras.0.mount={{frame: {frame}, rpy_rad: {list(rpy)}}}"
    return load_task("ram_insertion", ["operator.frame=camera", "operator.camera=wrist_1", mount])


def by_hand(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """URDF's roll, pitch, yaw, written out."""
    (cr, cp, cy), (sr, sp, sy) = np.cos([roll, pitch, yaw]), np.sin([roll, pitch, yaw])
    x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    return z @ y @ x


# For every frame of the stick: a task, and base_R_stick as it must be for a base_R_tcp.
FRAMED = {
    "base": (TASK, lambda base_R_tcp: np.eye(3)),
    "tcp": (load_task("ram_insertion", ["operator.frame=tcp"]), lambda base_R_tcp: base_R_tcp),
    "camera in base": (mounted("base", 0.3, -0.7, 2.0), lambda base_R_tcp: by_hand(0.3, -0.7, 2.0)),
    "camera at tcp": (
        mounted("tcp", -1.1, 0.4, 0.9),
        lambda base_R_tcp: base_R_tcp @ by_hand(-1.1, 0.4, 0.9),
    ),
}


@given(pose)
def test_inverse_and_vector_round_trip(a_T_b):
    np.testing.assert_allclose(frames.inverse(a_T_b) @ a_T_b, np.eye(4), atol=1e-12)
    vector = frames.pose_vector(a_T_b)
    np.testing.assert_allclose(frames.pose_matrix(vector[:3], vector[3:]), a_T_b, atol=1e-12)


@given(pose, six)
def test_stick_to_action_and_back(base_T_tcp, stick):
    """A base-frame stick stored as tcp-frame action moves the arm along the stick (defect D3)."""
    stick = stick / 2  # stays inside the unit box after any rotation
    action = action_from_stick(stick_axes(TASK, base_T_tcp), stick)
    target = target_pose(base_T_tcp, action, SPEC)
    np.testing.assert_allclose(
        target[:3, 3] - base_T_tcp[:3, 3], stick[:3] * SPEC.translation_scale_m, atol=1e-9
    )
    turned = Rotation.from_matrix(target[:3, :3] @ base_T_tcp[:3, :3].T).as_rotvec()
    np.testing.assert_allclose(turned, stick[3:] * SPEC.rotation_scale_rad, atol=1e-9)


@pytest.mark.parametrize("frame", list(FRAMED))
@given(base_T_tcp=pose, stick=six)
def test_every_stick_frame_moves_the_arm_along_its_own_axes(frame, base_T_tcp, stick):
    stick = stick / 2
    task, base_R_stick = FRAMED[frame]
    action = action_from_stick(stick_axes(task, base_T_tcp), stick)
    target = target_pose(base_T_tcp, action, SPEC)
    base_R_tcp = base_T_tcp[:3, :3]
    np.testing.assert_allclose(
        target[:3, 3] - base_T_tcp[:3, 3],
        base_R_stick(base_R_tcp) @ stick[:3] * SPEC.translation_scale_m,
        atol=1e-9,
    )
    turned = Rotation.from_matrix(target[:3, :3] @ base_R_tcp.T).as_rotvec()
    np.testing.assert_allclose(
        turned, base_R_stick(base_R_tcp) @ stick[3:] * SPEC.rotation_scale_rad, atol=1e-9
    )


@given(pose)
def test_translation_never_turns_the_tool(base_T_tcp):
    action = action_from_stick(stick_axes(TASK, base_T_tcp), [0.5, -0.3, 0.2, 0, 0, 0])
    np.testing.assert_allclose(action[3:], 0, atol=1e-12)


@given(pose, pose, six, six)
def test_state_does_not_depend_on_where_the_base_is(moved, base_T_start, twist, wrench):
    """The whole scene moved rigidly gives the same proprioception: no absolute position leaks."""
    base_T_tcp = base_T_start @ np.diag([1.0, -1.0, -1.0, 1.0])
    here = ArmReading(base_T_tcp, base_T_start, twist, wrench)
    there = ArmReading(
        moved @ base_T_tcp, moved @ base_T_start, frames.rotate_both(moved[:3, :3], twist), wrench
    )
    a, b = state_vector([here]), state_vector([there])
    assert a.shape == (len(STATE_NAMES),)
    # A half turn has two rotation vectors: compare those as rotations.
    np.testing.assert_allclose(np.delete(a, slice(3, 6)), np.delete(b, slice(3, 6)), atol=1e-5)
    np.testing.assert_allclose(
        Rotation.from_rotvec(a[3:6]).as_matrix(), Rotation.from_rotvec(b[3:6]).as_matrix(), atol=1e-5
    )


@pytest.mark.parametrize("bad", [[np.nan] * 6, [np.inf] + [0] * 5, [0.0] * 5])
def test_bad_actions_are_refused(bad):
    with pytest.raises(ValueError, match="action"):
        check_action(bad, 6)


def test_actions_are_clipped():
    np.testing.assert_array_equal(check_action([3, -3, 0, 0, 0, 0.5], 6), [1, -1, 0, 0, 0, 0.5])


@pytest.mark.parametrize("quaternion", [[0, 0, 0, 0], [np.nan, 0, 0, 1]])
def test_bad_quaternions_are_refused(quaternion):
    with pytest.raises(ValueError, match="quaternion"):
        frames.pose_matrix([0, 0, 0], quaternion)
