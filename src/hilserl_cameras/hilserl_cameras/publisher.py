# SPDX-License-Identifier: Apache-2.0
"""Publishes a camera's pictures under the names that realsense2_camera and image_transport use."""

from __future__ import annotations

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hilserl_cameras.camera_loop import Picture
from hilserl_ros import codec, qos
from hilserl_ros.image_transport import camera_info, compressed_image
from hilserl_task.camera_spec import CameraSpec


class CameraPublisher:
    """Raw, compressed and calibration topics of one camera. Only what somebody listens to is made."""

    def __init__(self, node: Node, spec: CameraSpec) -> None:
        profile = qos.sensor("realtime")
        self._spec = spec
        self._raw = node.create_publisher(Image, spec.topic, profile)
        self._compressed = node.create_publisher(CompressedImage, spec.compressed_topic, profile)
        self._info = node.create_publisher(CameraInfo, spec.info_topic, profile)

    def publish(self, picture: Picture) -> None:
        """Sends one picture; called in the thread of its camera."""
        spec, rgb = self._spec, picture.frame.rgb
        stamp_ns, frame_id = picture.stamp_ns, spec.frame_id
        if self._raw.get_subscription_count():
            self._raw.publish(codec.image_from_array(rgb, stamp_ns, frame_id))
        if self._compressed.get_subscription_count():
            self._compressed.publish(
                compressed_image(
                    rgb,
                    stamp_ns,
                    frame_id,
                    spec.image_format,
                    quality=spec.jpeg_quality,
                    level=spec.png_level,
                )
            )
        if self._info.get_subscription_count():
            self._info.publish(self._camera_info(picture))

    def _camera_info(self, picture: Picture) -> CameraInfo:
        height, width, _ = picture.frame.rgb.shape
        known = picture.calibration
        if known is None:
            return camera_info(width, height, picture.stamp_ns, self._spec.frame_id)
        return camera_info(
            width,
            height,
            picture.stamp_ns,
            self._spec.frame_id,
            focal_px=known.focal_px,
            centre_px=known.centre_px,
            model=known.model,
            coefficients=known.coefficients,
        )
