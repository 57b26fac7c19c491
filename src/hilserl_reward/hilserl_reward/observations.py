# SPDX-License-Identifier: Apache-2.0
"""Pictures of an Observation by camera name, and the poses of its arms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilserl_ros.codec import array_from_image, matrix_from_pose


def camera_images(observation: Any, cameras: tuple[str, ...], image_size: int) -> NDArray[np.uint8]:
    """Pictures of the named cameras, in this order: [n_cam, H, W, 3] uint8 RGB, a copy.

    Args:
        observation: hilserl_msgs/Observation.
        cameras: names out of the task.
        image_size: pixels, square (observation.image_size of the task).

    Raises:
        ValueError: a camera is missing, or a picture is broken or of another size.
    """
    by_name = dict(zip(observation.camera_names, observation.images, strict=False))
    pictures = []
    for name in cameras:
        if name not in by_name:
            raise ValueError(f"camera '{name}' is not in the observation, it has {list(by_name)}")
        picture = array_from_image(by_name[name])
        if picture.shape != (image_size, image_size, 3):
            raise ValueError(
                f"camera '{name}': picture is {picture.shape[1]}x{picture.shape[0]}, "
                f"must be {image_size}x{image_size} (observation.image_size)"
            )
        pictures.append(picture)
    return np.stack(pictures)


def arm_poses(observation: Any) -> NDArray[np.float64]:
    """base_T_tcp of every arm, [arms, 4, 4], each in the base frame of its arm.

    Raises:
        ValueError: no arm, or a pose that is none.
    """
    return np.stack([matrix_from_pose(arm.pose) for arm in observation.arms])
