# SPDX-License-Identifier: Apache-2.0
"""The part of a task file about the way from the end of an episode to the start of the next."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hilserl_task.section import Name, NonNegative, NonNegative3, Positive, Section, Vector3


class TaughtPose(Section):
    """base_T_tcp as a person showed it with the robot."""

    position_m: Vector3
    rotation_rad: Vector3 = Field(description="rotation vector, base axes")


class ResetSpec(Section):
    """Start pose relative to the taught target, its randomization (uniform, half ranges), the way there.

    On a robot the arm first retreats, then moves above the start pose and down to it (original:
    ram_insertion/wrapper.py, go_to_reset: up by 4 cm, then to a random pose around the reset pose).
    """

    taught_poses: dict[Name, TaughtPose] = Field(
        {},
        description="robot: base_T_tcp of every arm when the task is done; the program `teach` writes them",
    )
    offset_m: Vector3 = Field(
        (0.0, 0.0, 0.05), description="start above the inserted pose, board axes (z up); on a robot base axes"
    )
    translation_range_m: NonNegative3 = (0.02, 0.02, 0.0)
    yaw_range_rad: NonNegative = 0.105
    grasp_range_m: NonNegative = Field(0.005, description="object in the gripper, along its length")
    kind: Literal["scripted", "human"] = Field(
        "scripted", description="robot: the arm moves by itself, or a person puts everything in place"
    )
    confirm: bool = Field(
        False, description="scripted: wait for the success button before the episode begins"
    )
    retreat_m: Vector3 = Field((0.0, 0.0, 0.05), description="first movement, base axes")
    max_linear_speed: Positive = Field(0.1, le=0.5, description="m/s")
    max_angular_speed: Positive = Field(0.5, le=2.0, description="rad/s")
    tolerance_m: Positive = Field(0.005, le=0.05, description="arrived")
    tolerance_rad: Positive = Field(0.05, le=0.3, description="arrived")

    @property
    def waits_for_person(self) -> bool:
        """On a robot a success button ends the reset."""
        return self.confirm or self.kind == "human"
