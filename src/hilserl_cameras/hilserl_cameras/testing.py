# SPDX-License-Identifier: Apache-2.0
"""A RealSense without the metal, for tests: pyrealsense2's own software device.

Its quirks in 2.59: a context announces it to the changed-devices callback but never lists it, it cannot be
taken out of a context again, and only sensors (no pipeline) find its streams.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyrealsense2 as rs

from hilserl_cameras.frame import Pixels

PROFILES = ((640, 480, 30), (640, 480, 15), (1280, 720, 30))


class SoftwareCamera:
    """One device with a colour sensor; `show` is what its lens sees next."""

    def __init__(
        self, serial, profiles=((640, 480, 30), (640, 480, 15), (1280, 720, 30)), fmt=rs.format.rgb8
    ):
        self.device = rs.software_device()
        self.device.register_info(rs.camera_info.serial_number, serial)
        self.device.register_info(rs.camera_info.name, "Software D405")
        self.sensor = self.device.add_sensor("Stereo Module")
        self._add_depth()
        self._streams = [
            self._add_colour(index, profile, fmt).as_video_stream_profile()
            for index, profile in enumerate(profiles)
        ]
        self._number = 0

    def plug_in(self, context: Any) -> SoftwareCamera:
        """Adds it to a context, for good."""
        self.device.add_to(context)
        return self

    def with_exposure(self, low: float = 1, high: float = 165_000, default: float = 33_000) -> SoftwareCamera:
        """Gives it an exposure, in microseconds, and an automatic."""
        self._option(rs.option.exposure, low, high, default)
        self._option(rs.option.enable_auto_exposure, 0, 1, 1)
        return self

    def option(self, option: Any) -> float:
        """Value of an rs.option."""
        return float(self.sensor.get_option(option))

    def show(
        self,
        rgb: Pixels,
        device_ms: float,
        *,
        profile: int = 0,
        skip: int = 0,
        domain: Any = rs.timestamp_domain.hardware_clock,
        exposure: int | None = None,
    ) -> None:
        """Sends one picture through librealsense, as a device would.

        Args:
            rgb: (H, W, 3) uint8.
            device_ms: its time stamp, by the clock that `domain` names.
            profile: index of the profile.
            skip: frames lost before this one.
            exposure: metadata, microseconds.
        """
        self._number += 1 + skip
        stream = self._streams[profile]
        frame = rs.software_video_frame()
        pixels = rgb[..., ::-1] if stream.format() == rs.format.bgr8 else rgb
        frame.pixels = np.ascontiguousarray(pixels)
        frame.bpp, frame.stride = 3, 3 * stream.width()
        frame.timestamp, frame.domain = device_ms, domain
        frame.frame_number, frame.profile = self._number, stream
        if exposure is not None:
            self.sensor.set_metadata(rs.frame_metadata_value.actual_exposure, exposure)
        self.sensor.on_video_frame(frame)

    def _add_depth(self) -> None:
        stream = _stream(rs.stream.depth, 99, 640, 480, 30, rs.format.z16, 2)
        self.sensor.add_video_stream(stream)

    def _add_colour(self, index: int, profile: tuple[int, int, int], fmt: Any) -> Any:
        width, height, fps = profile
        stream = _stream(rs.stream.color, index + 1, width, height, fps, fmt, 3)
        return self.sensor.add_video_stream(stream, index == 0)

    def _option(self, option: Any, low: float, high: float, default: float) -> None:
        allowed = rs.option_range()
        allowed.min, allowed.max, allowed.step, allowed.default = low, high, 1, default
        self.sensor.add_option(option, allowed, True)


def _stream(kind: Any, uid: int, width: int, height: int, fps: int, fmt: Any, bpp: int) -> Any:
    stream = rs.video_stream()
    stream.type, stream.index, stream.uid = kind, 0, uid
    stream.width, stream.height, stream.fps, stream.fmt, stream.bpp = width, height, fps, fmt, bpp
    intrinsics = rs.intrinsics()
    intrinsics.width, intrinsics.height = width, height
    intrinsics.fx, intrinsics.fy, intrinsics.ppx, intrinsics.ppy = 380.0, 381.0, width / 2, height / 2
    intrinsics.model, intrinsics.coeffs = rs.distortion.inverse_brown_conrady, [0.1, -0.2, 0.0, 0.01, 0.3]
    stream.intrinsics = intrinsics
    return stream
