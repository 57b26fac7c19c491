# SPDX-License-Identifier: Apache-2.0
"""One RealSense colour stream through pyrealsense2's sensors.

Sensors rather than pipelines: a pipeline hides which option belongs to which sensor, and it does not find
software devices, which the tests need. The colour stream of a D405 comes from its stereo module, so the
sensor is found by its streams, not by its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from hilserl_cameras.frame import Calibration, CameraLost, Frame
from hilserl_cameras.realsense_devices import RealSenseDevices
from hilserl_task import TaskError
from hilserl_task.camera_spec import CameraSpec

# The newest frame and the one before: what is older when the reader comes is skipped anyway.
QUEUE = 2
USUAL_FPS = 30


class RealSenseSource:
    """A Source (see frame.py) for the colour stream of one device."""

    def __init__(self, spec: CameraSpec, devices: RealSenseDevices) -> None:
        import pyrealsense2 as rs

        self._rs = rs
        self._spec = spec
        self._devices = devices
        self._serial = spec.serial or ""
        self._sensor: Any = None
        self._profile: Any = None
        self._queue: Any = None

    def open(self) -> str:
        """Finds the device, sets it up, starts its colour stream."""
        rs = self._rs
        device = self._devices.find(self._spec.serial)
        self._serial = device.get_info(rs.camera_info.serial_number)
        name = device.get_info(rs.camera_info.name)
        try:
            sensor, profiles = self._colour_sensor(device, name)
            self._profile = self._choose(profiles, name)
            self._apply_settings(sensor, name)
            self._queue = rs.frame_queue(QUEUE, keep_frames=True)
            sensor.open(self._profile)
            self._sensor = sensor
            sensor.start(self._queue)
        except RuntimeError as error:  # what librealsense raises for everything
            self.close()
            raise CameraLost(f"{name} {self._serial}: {error}") from error
        return f"{name} {self._serial}, {_size(self._profile)} at {self._profile.fps()} Hz"

    def read(self, timeout_s: float) -> Frame:
        """The newest frame."""
        if self._devices.lost(self._serial):
            raise CameraLost(f"RealSense '{self._serial}' was unplugged")
        try:
            frame = self._queue.wait_for_frame(round(timeout_s * 1000))
        except RuntimeError as error:
            raise CameraLost(f"RealSense '{self._serial}': no frame for {timeout_s:g} s") from error
        while newer := self._queue.poll_for_frame():
            frame = newer
        return self._frame(frame)

    def calibration(self) -> Calibration:
        """Factory calibration of the chosen profile."""
        intrinsics = self._profile.get_intrinsics()
        fisheye = intrinsics.model in (self._rs.distortion.kannala_brandt4, self._rs.distortion.ftheta)
        return Calibration(
            (intrinsics.fx, intrinsics.fy),
            (intrinsics.ppx, intrinsics.ppy),
            "equidistant" if fisheye else "plumb_bob",
            tuple(intrinsics.coeffs),
        )

    def close(self) -> None:
        """Stops the stream, whatever state the device is in."""
        sensor, self._sensor = self._sensor, None
        if sensor is None:
            return
        for step in (sensor.stop, sensor.close):
            try:
                step()
            except RuntimeError:  # a device that is gone cannot be stopped, and need not be
                continue

    def _colour_sensor(self, device: Any, name: str) -> tuple[Any, list[Any]]:
        """The sensor with a colour stream, and its RGB8 and BGR8 profiles."""
        rs = self._rs
        for sensor in device.query_sensors():
            profiles = [
                profile.as_video_stream_profile()
                for profile in sensor.get_stream_profiles()
                if profile.stream_type() == rs.stream.color
                and profile.format() in (rs.format.rgb8, rs.format.bgr8)
            ]
            if profiles:
                return sensor, profiles
        raise TaskError(
            f"camera '{self._spec.name}': {name} {self._serial} has no colour stream; example: a D405 or D435"
        )

    def _choose(self, profiles: Sequence[Any], name: str) -> Any:
        """The profile of the task file; where it leaves something open, the device's default, then 30 Hz.

        Raises:
            TaskError: not offered; the text lists what is.
        """
        spec = self._spec
        size = (spec.width, spec.height)
        fitting = [
            profile
            for profile in profiles
            if (spec.width is None or (profile.width(), profile.height()) == size)
            and (spec.fps is None or profile.fps() == spec.fps)
        ]
        if not fitting:
            raise TaskError(
                f"camera '{spec.name}': {name} {self._serial} offers no {_wanted(spec)}; it offers "
                f"{_offered(profiles)}"
            )
        return min(
            fitting,
            key=lambda profile: (
                not profile.is_default(),
                abs(profile.fps() - USUAL_FPS),
                profile.format() != self._rs.format.rgb8,
            ),
        )

    def _apply_settings(self, sensor: Any, name: str) -> None:
        option, spec = self._rs.option, self._spec
        pairs = (
            ("exposure", spec.exposure, option.exposure, option.enable_auto_exposure),
            ("gain", spec.gain, option.gain, option.enable_auto_exposure),
            ("white_balance", spec.white_balance, option.white_balance, option.enable_auto_white_balance),
        )
        for key, value, manual, automatic in pairs:
            if value == "auto":
                self._set(sensor, name, key, automatic, 1.0)
            elif value is not None:
                if sensor.supports(automatic):
                    sensor.set_option(automatic, 0.0)
                self._set(sensor, name, key, manual, float(value))

    def _set(self, sensor: Any, name: str, key: str, option: Any, value: float) -> None:
        what = f"camera '{self._spec.name}': {key}"
        if not sensor.supports(option):
            raise TaskError(f"{what}: {name} {self._serial} has no option '{option.name}'; leave {key} out")
        allowed = sensor.get_option_range(option)
        if not allowed.min <= value <= allowed.max:
            raise TaskError(
                f"{what}: {value:g} must be within {allowed.min:g} .. {allowed.max:g} on {name} "
                f"{self._serial}; example: {key}: {allowed.default:g}"
            )
        sensor.set_option(option, value)

    def _frame(self, frame: Any) -> Frame:
        rs = self._rs
        pixels = np.asanyarray(frame.get_data())
        # A copy in any case: librealsense uses the memory of a frame again.
        rgb = pixels[..., ::-1].copy() if self._profile.format() == rs.format.bgr8 else pixels.copy()
        by_device = frame.get_frame_timestamp_domain() == rs.timestamp_domain.hardware_clock
        clock: Literal["system", "device"] = "device" if by_device else "system"
        exposure = rs.frame_metadata_value.actual_exposure
        return Frame(
            rgb,
            float(frame.get_timestamp()),
            clock,
            int(frame.get_frame_number()),
            float(frame.get_frame_metadata(exposure)) if frame.supports_frame_metadata(exposure) else None,
        )


def _size(profile: Any) -> str:
    return f"{profile.width()} x {profile.height()}"


def _wanted(spec: CameraSpec) -> str:
    size = f"{spec.width} x {spec.height}" if spec.width else "any size"
    return f"{size} at {spec.fps} Hz" if spec.fps else size


def _offered(profiles: Sequence[Any]) -> str:
    """`640 x 480 at 15, 30 Hz; 1280 x 720 at 30 Hz`."""
    rates: dict[tuple[int, int], set[int]] = {}
    for profile in profiles:
        rates.setdefault((profile.width(), profile.height()), set()).add(profile.fps())
    return "; ".join(
        f"{width} x {height} at {', '.join(str(fps) for fps in sorted(fps_set))} Hz"
        for (width, height), fps_set in sorted(rates.items())
    )
