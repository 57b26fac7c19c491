# SPDX-License-Identifier: Apache-2.0
"""Pictures on the wire: the format that image_transport's compressed plugin writes and reads."""

import cv2
import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from hilserl_ros import codec
from hilserl_ros.image_transport import (
    HAS_CV_BRIDGE,
    camera_info,
    compressed_image,
    rgb_from_any,
    rgb_from_compressed,
    rgb_from_image,
)

STAMP_NS = 12_345_678_901


def gradient(height=48, width=64):
    """Red grows to the right, green downwards, blue is constant: a swap of colours or axes shows."""
    picture = np.full((height, width, 3), 20, np.uint8)
    picture[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    picture[..., 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    return picture


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


def test_png_is_exact_and_carries_stamp_frame_and_the_plugins_format():
    message = over_the_wire(compressed_image(gradient(), STAMP_NS, "wrist_1_color_optical_frame", "png"))
    assert message.format == "rgb8; png compressed bgr8"
    assert codec.ns_from_stamp(message.header.stamp) == STAMP_NS
    assert message.header.frame_id == "wrist_1_color_optical_frame"
    np.testing.assert_array_equal(rgb_from_compressed(message), gradient())


def test_jpeg_keeps_the_colours_in_place_and_quality_sets_the_size():
    fine = over_the_wire(compressed_image(gradient(), STAMP_NS, "f", "jpeg", quality=95))
    coarse = compressed_image(gradient(), STAMP_NS, "f", "jpeg", quality=10)
    assert fine.format == "rgb8; jpeg compressed bgr8"
    assert bytes(fine.data[:3]) == b"\xff\xd8\xff"
    assert len(coarse.data) < len(fine.data)
    assert np.abs(rgb_from_any(fine).astype(int) - gradient()).mean() < 4


def test_a_png_level_changes_the_effort_not_the_picture():
    noise = np.random.default_rng(0).integers(0, 4, (64, 64, 3), np.uint8)
    sizes = []
    for level in (0, 9):
        message = compressed_image(noise, 0, "f", "png", level=level)
        np.testing.assert_array_equal(rgb_from_compressed(message), noise)
        sizes.append(len(message.data))
    assert sizes[1] < sizes[0] / 2


@pytest.mark.parametrize("said", ["bgr8; png compressed bgr8", "png", "rgb8; png compressed rgb8"])
def test_what_other_publishers_say_is_understood(said):
    """Old plugins name the file only; `compressed rgb8` stored the colours the wrong way round."""
    as_stored = gradient() if "compressed rgb8" in said else gradient()[..., ::-1]
    data = cv2.imencode(".png", np.ascontiguousarray(as_stored))[1]
    np.testing.assert_array_equal(
        rgb_from_compressed(CompressedImage(format=said, data=data.tobytes())), gradient()
    )


@pytest.mark.parametrize("data", [b"", b"\x00" * 40, b"\xff\xd8\xff\xe0 not a picture"])
def test_no_picture_is_refused_with_its_format_and_size(data):
    with pytest.raises(ValueError, match=f"{len(data)} bytes of format 'rgb8; jpeg compressed bgr8'"):
        rgb_from_compressed(CompressedImage(format="rgb8; jpeg compressed bgr8", data=data))


def test_raw_pictures_of_both_orders_are_read_without_a_bridge():
    message = codec.image_from_array(gradient(), STAMP_NS)
    np.testing.assert_array_equal(rgb_from_image(message), gradient())
    message.encoding = "bgr8"
    np.testing.assert_array_equal(rgb_from_any(message), gradient()[..., ::-1])


@pytest.mark.skipif(HAS_CV_BRIDGE, reason="cv_bridge converts it")
def test_without_cv_bridge_other_encodings_say_what_is_needed():
    with pytest.raises(ValueError, match=r"'mono8' must be rgb8 or bgr8.*cv_bridge"):
        rgb_from_image(Image(encoding="mono8", width=2, height=1, step=2, data=b"ab"))


@pytest.mark.skipif(not HAS_CV_BRIDGE, reason="cv_bridge is not installed")
def test_with_cv_bridge_grey_becomes_rgb_and_nonsense_an_error():
    grey = rgb_from_image(Image(encoding="mono8", width=2, height=1, step=2, data=b"ab"))
    np.testing.assert_array_equal(grey, [[[97] * 3, [98] * 3]])
    with pytest.raises(ValueError, match="'nonsense'"):
        rgb_from_image(Image(encoding="nonsense", width=2, height=1, step=2, data=b"ab"))


def test_a_calibration_is_complete_and_one_without_numbers_says_so():
    known = camera_info(
        64, 48, STAMP_NS, "f", focal_px=(60.0, 61.0), centre_px=(32.0, 24.0), model="plumb_bob",
        coefficients=(0.1, 0.0, 0.0, 0.0, 0.0),
    )  # fmt: skip
    assert list(known.k) == [60.0, 0.0, 32.0, 0.0, 61.0, 24.0, 0.0, 0.0, 1.0]
    assert list(known.p) == [60.0, 0.0, 32.0, 0.0, 0.0, 61.0, 24.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert list(known.d) == [0.1, 0.0, 0.0, 0.0, 0.0]
    assert not any(camera_info(64, 48, STAMP_NS, "f").k)
