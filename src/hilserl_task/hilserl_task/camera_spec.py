# SPDX-License-Identifier: Apache-2.0
"""The part of a task file about cameras: device, settings, and what is cut out of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from hilserl_task.section import Name, Section, Vector3

Driver = Literal["simulated", "realsense", "v4l2", "external"]
# What the drivers of this repository start a process for.
OWN_DRIVERS = ("realsense", "v4l2")


def _setting(value: object) -> object:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or value == "auto" or (number and 0 <= value < float("inf")):  # type: ignore[operator]
        return value
    raise ValueError(f"must be auto or a number of the device's unit, got {value!r}; example: auto, or 8000")


Setting = Annotated[float | Literal["auto"], BeforeValidator(_setting)]

# Says where a picture comes from and how it travels, not what it shows: actor and learner need not agree.
DEVICE_ONLY = (
    "driver", "serial", "device", "width", "height", "fps", "pixel_format", "exposure", "gain",
    "white_balance", "transport", "image_format", "jpeg_quality", "png_level",
)  # fmt: skip
_DEVICE_SETTINGS = ("width", "height", "fps", "exposure", "gain", "white_balance")
_KEYS_OF: dict[str, tuple[str, ...]] = {
    "realsense": ("serial", *_DEVICE_SETTINGS),
    "v4l2": ("device", "pixel_format", *_DEVICE_SETTINGS),
}


class CropSpec(Section):
    """Pixel region kept of the raw picture: left, top (inclusive) to right, bottom (exclusive)."""

    left: int = Field(ge=0)
    top: int = Field(ge=0)
    right: int = Field(gt=0)
    bottom: int = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> CropSpec:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("left must be below right and top below bottom")
        return self


class MountSpec(Section):
    """How a camera is turned: axes of its body frame (REP 103, realsense2_camera's `<camera>_link`: x out of
    the lens, y left and z up in the picture), not of its optical frame."""

    frame: Literal["base", "tcp"] = Field(description="base of the arm, or its tcp for a camera at the wrist")
    rpy_rad: Vector3 = Field(description="roll, pitch, yaw about the fixed axes of that frame, as in URDF")


class CameraSpec(Section):
    """One camera. Raw pictures come on `<arm>/<name>/color/image_raw`, or JPEG or PNG below it.

    Left out, `driver` is the simulation in a task with a scene and `external` (somebody else's driver, such
    as realsense2_camera) in one without. Width, height and fps are the device's profile; left out, its
    default. Exposure, gain and white balance: `auto`, or a number in the unit of the device (exposure:
    microseconds on a RealSense stereo module such as the D405's, 100 microseconds on other RealSense colour
    sensors and V4L2; white balance: kelvin); left out, as the device is.
    """

    name: Name
    arm: Name = "arm"
    crop: CropSpec | None = None
    mount: MountSpec | None = Field(None, description="needed for operator.frame: camera only")
    driver: Driver | None = None
    serial: str | None = Field(
        None, min_length=1, description="RealSense; may be left out if it is the only one"
    )
    device: str | None = Field(
        None, min_length=1, description="V4L2: /dev/video0, /dev/v4l/by-id/..., or a video file"
    )
    width: int | None = Field(None, ge=16, le=8192)
    height: int | None = Field(None, ge=16, le=8192)
    fps: int | None = Field(None, ge=1, le=300)
    pixel_format: str | None = Field(None, pattern=r"^[A-Z0-9]{4}$", description="V4L2 fourcc: MJPG, YUYV")
    exposure: Setting | None = None
    gain: Setting | None = None
    white_balance: Setting | None = None
    transport: Literal["raw", "compressed"] = Field("raw", description="what the observation node listens to")
    image_format: Literal["jpeg", "png"] = Field("jpeg", description="of the compressed topic of our drivers")
    jpeg_quality: int = Field(95, ge=1, le=100, description="image_transport's default is 95")
    png_level: int = Field(3, ge=0, le=9, description="image_transport's default is 3")

    @field_validator("serial", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        if isinstance(value, int):
            raise ValueError(f"a serial number is text, put it in quotes: serial: '{value}'")
        return value

    @model_validator(mode="after")
    def _fits_driver(self) -> CameraSpec:
        driver = self.driver or "external"
        allowed = _KEYS_OF.get(driver, ())
        for key in ("serial", "device", "pixel_format", *_DEVICE_SETTINGS):
            if getattr(self, key) is not None and key not in allowed:
                fitting = " or ".join(name for name, keys in _KEYS_OF.items() if key in keys)
                raise ValueError(f"camera '{self.name}': {key} needs driver: {fitting}, not {driver}")
        if driver == "v4l2" and self.device is None:
            raise ValueError(
                f"camera '{self.name}': driver v4l2 needs device; example: device: /dev/v4l/by-id/usb-..."
                "-video-index0 (ros2 run hilserl_cameras check --list shows them)"
            )
        if None not in (self.exposure, self.gain) and (self.exposure == "auto") != (self.gain == "auto"):
            raise ValueError(
                f"camera '{self.name}': exposure {self.exposure} does not go with gain {self.gain}: one "
                "automatic sets both; give both a number, or exposure: auto alone"
            )
        if (self.width is None) != (self.height is None):
            raise ValueError(
                f"camera '{self.name}': width and height go together; example: width: 640, height: 480"
            )
        return self

    def driver_in(self, simulated: bool) -> Driver:
        """The driver in a task with or without a simulated scene."""
        return self.driver or ("simulated" if simulated else "external")

    @property
    def topic(self) -> str:
        """Relative topic of the raw picture (realsense2_camera's naming)."""
        return f"{self.arm}/{self.name}/color/image_raw"

    @property
    def compressed_topic(self) -> str:
        """Relative topic of the compressed picture (image_transport's naming)."""
        return f"{self.topic}/compressed"

    @property
    def info_topic(self) -> str:
        """Relative topic of the calibration (realsense2_camera's naming)."""
        return f"{self.arm}/{self.name}/color/camera_info"

    @property
    def input_topic(self) -> str:
        """The topic that the observation node listens to."""
        return self.compressed_topic if self.transport == "compressed" else self.topic

    @property
    def frame_id(self) -> str:
        """Optical frame (realsense2_camera's naming)."""
        return f"{self.name}_color_optical_frame"


def check_cameras(cameras: Sequence[CameraSpec], simulated: bool) -> None:
    """What cameras of one task must fulfil together.

    Raises:
        ValueError: a driver that the task cannot use, or one device named twice.
    """
    for camera in cameras:
        driver = camera.driver_in(simulated)
        if driver == "simulated" and not simulated:
            raise ValueError(
                f"camera '{camera.name}': driver simulated needs a scene; example: driver: realsense"
            )
        if driver != "simulated" and simulated:
            raise ValueError(
                f"camera '{camera.name}': driver {driver}, but the scene renders every camera of the task; "
                "leave driver out, or scene"
            )
        if driver == "simulated" and camera.transport != "raw":
            raise ValueError(f"camera '{camera.name}': the simulation publishes transport: raw only")
    _check_devices_differ(cameras)


def _check_devices_differ(cameras: Sequence[CameraSpec]) -> None:
    realsense = [camera for camera in cameras if camera.driver == "realsense"]
    for camera in realsense:
        if camera.serial is None and len(realsense) > 1:
            raise ValueError(
                f"camera '{camera.name}': serial is missing, and there is more than one RealSense; example: "
                "serial: '128422270679' (ros2 run hilserl_cameras check --list shows them)"
            )
    seen: dict[str, str] = {}
    for camera in cameras:
        for key in ("serial", "device"):
            value = getattr(camera, key)
            if value is not None and value in seen:
                raise ValueError(
                    f"cameras '{seen[value]}' and '{camera.name}': the same {key} '{value}'; "
                    "each needs its own"
                )
            if value is not None:
                seen[value] = camera.name
