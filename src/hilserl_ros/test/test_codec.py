# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from geometry_msgs.msg import Pose, Twist, Wrench
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image

from hilserl_msgs.msg import Observation, Transition
from hilserl_ros import codec
from hilserl_task.frames import pose_matrix

finite = st.floats(-1e3, 1e3)
six = hnp.arrays(float, 6, elements=finite)


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


@given(st.integers(0, 2**31 * codec.NS_PER_S - 1))
def test_stamps_are_exact(nanoseconds):
    assert codec.ns_from_stamp(over_the_wire(codec.header(nanoseconds)).stamp) == nanoseconds


def test_a_negative_stamp_is_refused():
    with pytest.raises(ValueError, match="-1 ns must not be negative"):
        codec.stamp_from_ns(-1)


@given(six, hnp.arrays(float, 4, elements=finite).filter(lambda q: np.linalg.norm(q) > 1e-3))
def test_poses_survive(position, quaternion):
    a_T_b = pose_matrix(position[:3], quaternion)
    np.testing.assert_allclose(
        codec.matrix_from_pose(over_the_wire(codec.pose_from_matrix(a_T_b))), a_T_b, atol=1e-9
    )


@given(six)
def test_twists_and_wrenches_survive(vector):
    assert (codec.vector_from_twist(over_the_wire(codec.twist_from_vector(vector))) == vector).all()
    assert (codec.vector_from_wrench(over_the_wire(codec.wrench_from_vector(vector))) == vector).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_refused_on_both_sides(bad):
    pose = Pose()
    pose.orientation.x = bad
    twist, wrench = Twist(), Wrench()
    twist.angular.z = wrench.force.x = bad
    vector = [0, 0, bad, 0, 0, 0]
    for call, argument in (
        (codec.matrix_from_pose, pose),
        (codec.vector_from_twist, twist),
        (codec.vector_from_wrench, wrench),
        (codec.twist_from_vector, vector),
        (codec.wrench_from_vector, vector),
        (codec.pose_from_matrix, np.full((4, 4), bad)),
    ):
        with pytest.raises(ValueError, match=r"finite|must be 3 and 4"):
            call(argument)


def test_wrong_sizes_are_refused_by_name():
    with pytest.raises(ValueError, match="twist: 5 numbers, must be 6"):
        codec.twist_from_vector(np.zeros(5))


def test_a_zero_quaternion_is_refused():
    pose = Pose()
    pose.orientation.w = 0.0
    with pytest.raises(ValueError, match="length zero"):
        codec.matrix_from_pose(pose)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_pictures_survive(pixels):
    message = over_the_wire(codec.image_from_array(pixels, 5, "wrist_1"))
    assert (message.encoding, message.header.frame_id) == ("rgb8", "wrist_1")
    np.testing.assert_array_equal(codec.array_from_image(message), pixels)


def test_bgr_and_padded_rows_are_read_right():
    pixels = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
    rows = np.zeros((2, 8), np.uint8)
    rows[:, :6] = pixels[..., ::-1].reshape(2, 6)
    message = Image(height=2, width=2, step=8, encoding="bgr8", data=codec.bytes_field(rows))
    np.testing.assert_array_equal(codec.array_from_image(message), pixels)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "mono8"}, "encoding 'mono8' must be rgb8 or bgr8"),
        ({"height": 3}, "does not fit 12 bytes"),
        ({"height": 0}, "does not fit"),
        ({"step": 5}, "does not fit"),
    ],
)
def test_a_picture_that_contradicts_itself_is_refused(change, words):
    message = codec.image_from_array(np.zeros((2, 2, 3), np.uint8), 0)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ValueError, match=words):
        codec.array_from_image(message)


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3))]
)
def test_an_array_that_is_no_picture_is_refused(pixels):
    with pytest.raises(ValueError, match=r"must be \(height, width, 3\) of uint8"):
        codec.image_from_array(pixels, 0)


def test_array_fields_take_numbers_and_bytes_unchanged():
    values = np.random.default_rng(0).normal(size=7)
    pixels = np.arange(200, dtype=np.uint8)
    message = over_the_wire(Transition(state=codec.floats32(values), images=codec.bytes_field(pixels[::2])))
    np.testing.assert_array_equal(message.state, values.astype(np.float32))
    np.testing.assert_array_equal(message.images, pixels[::2])


def test_an_observation_gives_its_pictures_and_state():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    message = Observation(
        images=[codec.image_from_array(picture, 0) for picture in pictures], state=codec.floats32([1, 2])
    )
    np.testing.assert_array_equal(codec.images_of_observation(over_the_wire(message)), pictures)
    np.testing.assert_array_equal(codec.state_of_observation(message), np.float32([1, 2]))
    message.images[1] = codec.image_from_array(pictures[1, :4], 0)
    with pytest.raises(ValueError, match="must be one shape"):
        codec.images_of_observation(message)
    message.state = codec.floats32([float("nan")])
    with pytest.raises(ValueError, match=r"observation\.state"):
        codec.state_of_observation(message)
