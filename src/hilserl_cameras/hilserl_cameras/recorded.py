# SPDX-License-Identifier: Apache-2.0
"""Raw pictures of a camera from a file or a bag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image

from hilserl_cameras.frame import Pixels
from hilserl_ros import bag_storage
from hilserl_ros.image_transport import rgb_from_any
from hilserl_task import TaskError
from hilserl_task.camera_spec import CameraSpec


def from_file(path: Path) -> Pixels:
    """(H, W, 3) uint8 RGB of a picture file.

    Raises:
        TaskError: missing, or no picture.
    """
    if not path.is_file():
        raise TaskError(f"--image: file {path} does not exist; example: --image wrist_1.png")
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise TaskError(f"--image: {path} is no picture that OpenCV reads; example: a .png or .jpg")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def from_bag(folder: Path, camera: CameraSpec, count: int = 1) -> list[Pixels]:
    """Some raw pictures of a camera, evenly spread over a bag.

    Demonstrations hold pictures that are cropped and resized already: they cannot tell what a crop shows.

    Raises:
        TaskError: no bag, or no raw pictures of this camera in it.
    """
    if not folder.is_dir():
        raise TaskError(f"--bag: folder {folder} does not exist; example: --bag rosbag2_2025_01_31")
    try:
        reader = bag_storage.open_reader(folder)
    except Exception as error:  # the readers meet damage as errors of many kinds
        raise TaskError(f"--bag: {folder} is unreadable: {type(error).__name__}: {error}") from error
    try:
        topic = _picture_topic(folder, [topic.name for topic in reader.topics], camera)
        kind = CompressedImage if topic.endswith("/compressed") else Image
        stamps = [stamp for _, stamp, _ in reader.messages([topic])]
        chosen = (
            set(np.linspace(0, len(stamps) - 1, min(count, len(stamps))).astype(int)) if stamps else set()
        )
        messages: Iterator[tuple[str, int, bytes]] = reader.messages([topic])
        pictures = [
            rgb_from_any(deserialize_message(data, kind))
            for index, (_, _, data) in enumerate(messages)
            if index in chosen
        ]
    except ValueError as error:
        raise TaskError(f"--bag: {folder}: {error}") from error
    finally:
        reader.close()
    if not pictures:
        raise TaskError(f"--bag: {folder} has topic {topic}, but no picture on it")
    return pictures


def _picture_topic(folder: Path, names: list[str], camera: CameraSpec) -> str:
    """The raw topic if it was recorded, else the compressed one; a namespace before it does not matter."""
    for wanted in (camera.topic, camera.compressed_topic):
        found = [name for name in names if name.lstrip("/") == wanted or name.endswith(f"/{wanted}")]
        if found:
            return found[0]
    raise TaskError(
        f"--bag: {folder} has no raw pictures of camera '{camera.name}': neither {camera.topic} nor "
        f"{camera.compressed_topic}; its topics: {', '.join(sorted(names)) or 'none'}; record some with: "
        f"ros2 bag record {camera.compressed_topic}"
    )
