# SPDX-License-Identifier: Apache-2.0
"""Raw pictures to the policy's input: crop, then resize."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hilserl_task.camera_spec import CropSpec

Picture = NDArray[np.uint8]


def prepared(picture: Picture, crop: CropSpec | None, size: int) -> Picture:
    """(size, size, 3) uint8 RGB of a raw (H, W, 3) picture.

    Raises:
        ValueError: the crop does not fit into the picture.
    """
    if crop is not None:
        height, width = picture.shape[:2]
        if crop.right > width or crop.bottom > height:
            raise ValueError(
                f"crop to right {crop.right}, bottom {crop.bottom} does not fit a picture of "
                f"{width} x {height}; "
                "example: the whole picture without a crop"
            )
        picture = picture[crop.top : crop.bottom, crop.left : crop.right]
    if picture.shape[:2] == (size, size):
        return picture
    # Area averaging keeps thin edges when a camera's picture is much larger.
    return np.asarray(
        cv2.resize(np.ascontiguousarray(picture), (size, size), interpolation=cv2.INTER_AREA), np.uint8
    )
