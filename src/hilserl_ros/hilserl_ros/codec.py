# SPDX-License-Identifier: Apache-2.0
"""Messages to numpy and back. What comes from a message is checked: finite, right size, right encoding."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, Twist, Wrench
from numpy.typing import ArrayLike, NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from hilserl_task.frames import Array, pose_matrix, pose_vector

NS_PER_S = 1_000_000_000


def ns_from_stamp(stamp: Time) -> int:
    """Nanoseconds of a time stamp."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def stamp_from_ns(nanoseconds: int) -> Time:
    """Time stamp of nanoseconds.

    Raises:
        ValueError: negative.
    """
    if nanoseconds < 0:
        raise ValueError(f"stamp: {nanoseconds} ns must not be negative; example: 1000000000")
    seconds, rest = divmod(int(nanoseconds), NS_PER_S)
    return Time(sec=seconds, nanosec=rest)


def header(stamp_ns: int, frame_id: str = "") -> Header:
    """Header with a stamp in nanoseconds."""
    return Header(stamp=stamp_from_ns(stamp_ns), frame_id=frame_id)


def floats32(values: ArrayLike) -> array:
    """What a float32[] field takes fastest: a generated setter copies an ndarray element by element."""
    return array("f", np.ascontiguousarray(values, np.float32).tobytes())


def floats64(values: ArrayLike) -> array:
    """What a float64[] field takes fastest."""
    return array("d", np.ascontiguousarray(values, np.float64).tobytes())


def bytes_field(values: NDArray[np.uint8]) -> array:
    """What a uint8[] field takes fastest; a list or memoryview would take 50 to 90 ms a megabyte."""
    return array("B", np.ascontiguousarray(values, np.uint8).tobytes())


def finite(what: str, values: ArrayLike, size: int | None = None) -> Array:
    """Values as a float64 vector.

    Args:
        what: name for the error text.
        values: numbers.
        size: how many there must be; any number if None.

    Raises:
        ValueError: wrong size, NaN or infinite.
    """
    vector = np.asarray(values, float)
    if size is not None and vector.shape != (size,):
        raise ValueError(f"{what}: {vector.size} numbers, must be {size}")
    if not np.isfinite(vector).all():
        raise ValueError(f"{what}: {vector.tolist()} must be finite")
    return vector


def matrix_from_pose(pose: Pose) -> Array:
    """4x4 matrix of a pose message.

    Raises:
        ValueError: not finite, or a quaternion of length zero.
    """
    p, q = pose.position, pose.orientation
    return pose_matrix((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))


def pose_from_matrix(a_T_b: Array) -> Pose:
    """Pose message of a 4x4 matrix.

    Raises:
        ValueError: not finite.
    """
    vector = pose_vector(finite("pose", a_T_b)).tolist()
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = vector[:3]
    q = pose.orientation
    q.x, q.y, q.z, q.w = vector[3:]
    return pose


def vector_from_twist(twist: Twist) -> Array:
    """(6,) linear [m/s], angular [rad/s].

    Raises:
        ValueError: not finite.
    """
    v, w = twist.linear, twist.angular
    return finite("twist", (v.x, v.y, v.z, w.x, w.y, w.z))


def twist_from_vector(vector: ArrayLike) -> Twist:
    """Twist message of (6,) linear, angular.

    Raises:
        ValueError: wrong size or not finite.
    """
    values = finite("twist", vector, 6).tolist()
    twist = Twist()
    twist.linear.x, twist.linear.y, twist.linear.z = values[:3]
    twist.angular.x, twist.angular.y, twist.angular.z = values[3:]
    return twist


def vector_from_wrench(wrench: Wrench) -> Array:
    """(6,) force [N], torque [Nm].

    Raises:
        ValueError: not finite.
    """
    f, t = wrench.force, wrench.torque
    return finite("wrench", (f.x, f.y, f.z, t.x, t.y, t.z))


def wrench_from_vector(vector: ArrayLike) -> Wrench:
    """Wrench message of (6,) force, torque.

    Raises:
        ValueError: wrong size or not finite.
    """
    values = finite("wrench", vector, 6).tolist()
    wrench = Wrench()
    wrench.force.x, wrench.force.y, wrench.force.z = values[:3]
    wrench.torque.x, wrench.torque.y, wrench.torque.z = values[3:]
    return wrench


def image_from_array(pixels: NDArray[np.uint8], stamp_ns: int, frame_id: str = "") -> Image:
    """rgb8 message of (H, W, 3) uint8 RGB.

    Raises:
        ValueError: other shape or type.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(
            f"image: shape {pixels.shape} of {pixels.dtype}, must be (height, width, 3) of uint8"
        )
    height, width, _ = pixels.shape
    return Image(
        header=header(stamp_ns, frame_id),
        height=height,
        width=width,
        encoding="rgb8",
        step=3 * width,
        data=bytes_field(pixels),
    )


def array_from_image(image: Image) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of an rgb8 or bgr8 message. Shares the message's memory where it can.

    Raises:
        ValueError: other encoding, no pixels, or a size that does not fit the data.
    """
    if image.encoding not in ("rgb8", "bgr8"):
        raise ValueError(f"image: encoding '{image.encoding}' must be rgb8 or bgr8")
    height, width, step = image.height, image.width, image.step
    if not height or not width or step < 3 * width or len(image.data) != height * step:
        raise ValueError(
            f"image: {width} x {height} with {step} bytes a row does not fit {len(image.data)} bytes; "
            "example: 128 x 128, 384 bytes a row, 49152 bytes"
        )
    rows = np.frombuffer(image.data, np.uint8).reshape(height, step)
    pixels = rows[:, : 3 * width].reshape(height, width, 3)
    return pixels[..., ::-1] if image.encoding == "bgr8" else pixels


def images_of_observation(observation: Any) -> NDArray[np.uint8]:
    """(cameras, H, W, 3) uint8 of an Observation, in task-file order; a copy.

    Raises:
        ValueError: no pictures, a broken one, or sizes that differ.
    """
    pictures = [array_from_image(image) for image in observation.images]
    if not pictures or len({picture.shape for picture in pictures}) != 1:
        raise ValueError(
            f"observation: pictures of shapes {[picture.shape for picture in pictures]}, must be one shape"
        )
    return np.stack(pictures)


def state_of_observation(observation: Any) -> NDArray[np.float32]:
    """(n,) float32 proprioception of an Observation; a copy.

    Raises:
        ValueError: NaN or infinite.
    """
    state = np.array(observation.state, np.float32)
    finite("observation.state", state)
    return state
