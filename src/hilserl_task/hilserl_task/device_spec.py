# SPDX-License-Identifier: Apache-2.0
"""The part of a task file about the devices in the person's hands: which, for which arm, how calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from hilserl_task.section import Fraction, Name, Positive, Section

AXIS_NAMES = ("x", "y", "z", "roll", "pitch", "yaw")
BUTTON_ACTIONS = ("success", "discard", "failure", "gripper")
STRAIGHT = (0, 1, 2, 3, 4, 5)

Button = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)] | None
SignValue = Literal[-1, 1]
Sign6 = tuple[SignValue, SignValue, SignValue, SignValue, SignValue, SignValue]


def _six(value: Any) -> Any:
    """One number for all axes, or six."""
    if isinstance(value, list | tuple) and len(value) != 6:
        raise ValueError("must be one number for all axes, or six: x y z roll pitch yaw; example: 0.05")
    return [value] * 6 if isinstance(value, int | float) else value


Positive6 = Annotated[
    tuple[Positive, Positive, Positive, Positive, Positive, Positive], BeforeValidator(_six)
]
DeadBand = Annotated[Fraction, Field(lt=1)]
DeadBand6 = Annotated[
    tuple[DeadBand, DeadBand, DeadBand, DeadBand, DeadBand, DeadBand], BeforeValidator(_six)
]


class AxesSpec(Section):
    """From the device's axes to the stick's: x forward, y left, z up, then rotation about them.

    stick[i] = sign[i] * scale[i] * device[order[i]], without the dead-band, to the power `exponent`, within
    [-1, 1].
    """

    order: tuple[int, ...] = Field(STRAIGHT, description="device axis that moves each stick axis")
    sign: Sign6 = (1, 1, 1, 1, 1, 1)
    scale: Positive6 = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    deadband: DeadBand6 | None = Field(
        None, description="share of full deflection, one number or six; left out: the driver's default"
    )
    exponent: float = Field(1.0, ge=1, le=4, description="above 1: finer around the centre")

    @field_validator("order")
    @classmethod
    def _permutation(cls, order: tuple[int, ...]) -> tuple[int, ...]:
        if sorted(order) != list(STRAIGHT):
            raise ValueError(
                "must be a permutation: each of 0 to 5 exactly once; example: [1, 0, 2, 3, 4, 5]"
            )
        return order


class ButtonsSpec(Section):
    """Device button of each action, by number from 0 or by the model's name; left out: no button."""

    success: Button = None
    discard: Button = None
    failure: Button = None
    gripper: Button = None

    @model_validator(mode="after")
    def _distinct(self) -> ButtonsSpec:
        used: dict[str, str] = {}
        for action in BUTTON_ACTIONS:
            button = getattr(self, action)
            if button is None:
                continue
            if str(button) in used:
                raise ValueError(
                    f"button '{button}' is both {used[str(button)]} and {action}; each action needs a button "
                    "of its own; example: {success: 0, discard: 1}"
                )
            used[str(button)] = action
        return self


class LeaderSpec(Section):
    """How the pose of a leader arm is known: from its joints and its URDF, or as its driver publishes it."""

    joint_topic: str | None = Field(None, min_length=1, description="sensor_msgs/JointState")
    urdf: str | None = Field(None, min_length=1, description="file with the leader's URDF (not xacro)")
    tip: str | None = Field(None, min_length=1, description="link in the hand; left out: the only last link")
    base: str | None = Field(None, min_length=1, description="link the axes are of; left out: the root link")
    pose_topic: str | None = Field(None, min_length=1, description="geometry_msgs/PoseStamped")
    joy_topic: str | None = Field(None, min_length=1, description="sensor_msgs/Joy with its buttons")

    @model_validator(mode="after")
    def _one_source(self) -> LeaderSpec:
        if (self.joint_topic is None) == (self.pose_topic is None):
            raise ValueError(
                "give either joint_topic with urdf, or pose_topic; "
                "example: {joint_topic: leader/joint_states, urdf: config/leader.urdf, tip: tool}"
            )
        if self.joint_topic is not None and self.urdf is None:
            raise ValueError(
                "joint_topic needs urdf, the file of the leader's kinematics; example: urdf: leader.urdf"
            )
        return self


DriverName = Literal["spacenav", "hidraw", "gamepad", "keyboard", "leader", "external"]


class DeviceSpec(Section):
    """One input device.

    `external`: any node that publishes `spacenav/joy` and `spacenav/twist_stamped`, e.g. the stock driver.
    Without `arm` a device publishes under `spacenav/`, with it under `<arm>/spacenav/`.
    """

    driver: DriverName
    arm: Name | None = Field(None, description="the arm it moves; left out: the one device for all")
    serial: str | None = Field(None, min_length=1, description="of several: the one with this serial number")
    path: str | None = Field(
        None, min_length=1, description="/dev/hidraw3, /dev/input/by-id/...; spacenav: spacenavd's socket"
    )
    product: str | None = Field(
        None, min_length=1, description="of several: the one whose name contains this"
    )
    topic: str | None = Field(None, min_length=1, description="gamepad: read this sensor_msgs/Joy instead")
    full_scale: Positive | None = Field(None, description="device counts at full deflection")
    stuck_s: Positive | None = Field(
        None, ge=0.05, le=60, description="deflected without a report for so long: neutral"
    )
    axes: AxesSpec = AxesSpec()
    buttons: ButtonsSpec | None = Field(None, description="left out: the model's usual buttons")
    leader: LeaderSpec | None = None

    @model_validator(mode="after")
    def _fits_driver(self) -> DeviceSpec:
        if (self.driver == "leader") != (self.leader is not None):
            raise ValueError(
                "section 'leader' belongs to driver: leader, and that one needs it; "
                "example: {driver: leader, arm: left, leader: {pose_topic: leader/pose}}"
            )
        for key, drivers in _KEYS_OF.items():
            if getattr(self, key) is not None and self.driver not in drivers:
                raise ValueError(
                    f"{key}: '{getattr(self, key)}' means nothing to driver: {self.driver}; "
                    f"only to {', '.join(drivers)}"
                )
        if self.topic is not None and (self.path or self.serial or self.product):
            raise ValueError("topic: excludes path, serial and product; the joy node chooses its device")
        return self


_KEYS_OF = {
    "serial": ("hidraw", "gamepad"),
    "product": ("hidraw", "gamepad"),
    "path": ("spacenav", "hidraw", "gamepad"),
    "topic": ("gamepad",),
    "full_scale": ("spacenav", "hidraw"),
    "stuck_s": ("spacenav", "hidraw", "gamepad"),
}


def check_devices(devices: Sequence[DeviceSpec], arms: Sequence[str]) -> None:
    """Devices and arms fit together.

    Raises:
        ValueError: names the device, the arm and the rule.
    """
    holder: dict[str | None, int] = {}
    for index, device in enumerate(devices):
        where = f"operator.devices.{index} ({device.driver})"
        if device.arm is not None and device.arm not in arms:
            raise ValueError(f"{where}: arm '{device.arm}' is not one of the arms {list(arms)}")
        if device.arm in holder:
            whose = f"moves arm '{device.arm}'" if device.arm else "is the device for all arms"
            raise ValueError(
                f"{where}: operator.devices.{holder[device.arm]} already {whose}; one device an arm; "
                f"example: {{driver: {device.driver}, arm: {_free(arms, holder)}}}"
            )
        holder[device.arm] = index
    if None in holder and len(holder) > 1:
        raise ValueError(
            f"operator.devices.{holder[None]}: needs an arm, because others have one; example: arm: {arms[0]}"
        )
    _check_shared(devices)


def _free(arms: Sequence[str], holder: dict[str | None, int]) -> str:
    return next((arm for arm in arms if arm not in holder), arms[0])


def _check_shared(devices: Sequence[DeviceSpec]) -> None:
    """One piece of hardware cannot be in two hands."""
    seen: dict[tuple[str | None, ...], int] = {}
    for index, device in enumerate(devices):
        if device.driver == "external":
            continue
        key: tuple[str | None, ...] = (
            device.driver,
            device.serial,
            device.path,
            device.product,
            device.topic,
        )
        if device.driver == "leader" and device.leader is not None:
            key = (device.driver, device.leader.joint_topic or device.leader.pose_topic)
        if key in seen:
            hint = _SHARED_HINT.get(device.driver, "give each its serial, path or product")
            raise ValueError(f"operator.devices.{index}: the same {device.driver} as {seen[key]}; {hint}")
        seen[key] = index


_SHARED_HINT = {
    "spacenav": "spacenavd mixes all SpaceMice; use driver: hidraw with a serial or path each",
    "keyboard": "there is one keyboard; use another driver for one of the arms",
    "leader": "each leader arm has a topic of its own",
}
