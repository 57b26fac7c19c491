# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hilserl_ros.pictures import prepared
from hilserl_task.camera_spec import CropSpec


def test_a_picture_of_the_right_size_is_not_touched():
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert prepared(picture, None, 64) is picture


def test_crop_keeps_exactly_the_region():
    picture = np.random.default_rng(0).integers(0, 256, (100, 160, 3), np.uint8)
    crop = CropSpec(left=30, top=20, right=94, bottom=84)
    np.testing.assert_array_equal(prepared(picture, crop, 64), picture[20:84, 30:94])


def test_halving_averages_two_by_two_pixels_of_each_colour():
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[::2, :, 0] = 200
    picture[..., 2] = 7
    small = prepared(picture, None, 64)
    assert small.shape == (64, 64, 3)
    assert (small == (100, 0, 7)).all()


def test_mirrored_memory_is_resized_right():
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[..., 0] = 9
    assert (prepared(picture[..., ::-1], None, 64) == (0, 0, 9)).all()


def test_a_crop_outside_the_picture_is_refused():
    with pytest.raises(ValueError, match="right 200, bottom 50 does not fit a picture of 160 x 100"):
        prepared(np.zeros((100, 160, 3), np.uint8), CropSpec(left=0, top=0, right=200, bottom=50), 64)
