# SPDX-License-Identifier: Apache-2.0
"""What an arm shall do in one control period: the modes of hilserl_msgs/CartesianTarget as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hilserl_msgs.msg import CartesianTarget, GripperCommand
from hilserl_ros import codec
from hilserl_task.action_codec import ArmTarget
from hilserl_task.frames import Array

WrenchFrame = Literal["base", "tcp"]
_FRAMES: dict[int, WrenchFrame] = {
    CartesianTarget.WRENCH_FRAME_BASE: "base",
    CartesianTarget.WRENCH_FRAME_TCP: "tcp",
}


@dataclass(frozen=True)
class Command:
    """A pose, a twist, a wrench, or a pose with a wrench.

    Attributes:
        base_T_target: 4x4.
        twist: (6,) base axes, m/s and rad/s.
        wrench: (6,) at the tcp, N and Nm, in the axes of `wrench_frame`.
    """

    base_T_target: Array | None = None
    twist: Array | None = None
    wrench: Array | None = None
    wrench_frame: WrenchFrame = "base"

    @staticmethod
    def of(target: ArmTarget) -> Command:
        """What the intervention mux would send of an action's target."""
        return Command(target.base_T_target, wrench=target.wrench, wrench_frame=target.frame)

    def finite(self) -> bool:
        """No number is NaN or infinite."""
        parts = (self.base_T_target, self.twist, self.wrench)
        return all(part is None or bool(np.isfinite(part).all()) for part in parts)


@dataclass(frozen=True)
class GripperGoal:
    """Where a gripper shall go: 0 closed .. 1 open, with at most so many N (0: what it can)."""

    position: float
    max_effort: float = 0.0


def gripper_goal(message: GripperCommand) -> GripperGoal:
    """The goal in a message.

    Raises:
        ValueError: position not in 0..1, or effort negative or not finite.
    """
    if not 0.0 <= message.position <= 1.0:
        raise ValueError(f"position: {message.position} must be within 0 (closed) and 1 (open); example: 0.0")
    if not 0.0 <= message.max_effort < np.inf:
        raise ValueError(f"max_effort: {message.max_effort} N must not be negative; example: 20.0")
    return GripperGoal(message.position, message.max_effort)


def command_from_message(message: CartesianTarget) -> Command:
    """The part of the message that its mode names.

    Raises:
        ValueError: unknown mode or wrench frame, not finite, no unit quaternion.
    """
    mode = message.mode
    if mode == CartesianTarget.MODE_POSE:
        return Command(codec.matrix_from_pose(message.pose))
    if mode == CartesianTarget.MODE_TWIST:
        return Command(twist=codec.vector_from_twist(message.twist))
    if mode not in (CartesianTarget.MODE_WRENCH, CartesianTarget.MODE_POSE_AND_WRENCH):
        raise ValueError(f"mode: {mode} is unknown; example: MODE_POSE (0)")
    if message.wrench_frame not in _FRAMES:
        raise ValueError(f"wrench_frame: {message.wrench_frame} is unknown; example: WRENCH_FRAME_BASE (0)")
    wrench, frame = codec.vector_from_wrench(message.wrench), _FRAMES[message.wrench_frame]
    if mode == CartesianTarget.MODE_WRENCH:
        return Command(wrench=wrench, wrench_frame=frame)
    return Command(codec.matrix_from_pose(message.pose), wrench=wrench, wrench_frame=frame)
