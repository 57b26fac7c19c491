# SPDX-License-Identifier: Apache-2.0
"""What a gripper understands: the goal of its action for an opening from 0 (closed) to 1 (open)."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import Any

from hilserl_task import TaskError

KINDS = ("parallel", "franka")
# Franka Hand: widest opening (Franka Hand datasheet). A command below half of it with a force is a grasp, one
# to close always: fingers that stop half-way with a grasp's force would go on closing.
FRANKA_STROKE_M = 0.08
GRASP_BELOW, SHUT_BELOW = 0.5, 0.05
# It holds up to 70 N continuously (datasheet); somewhat more than half of it unless a command names a force.
FRANKA_FORCE_LIMIT_N, FRANKA_FORCE_N = 70.0, 40.0


@dataclass(frozen=True)
class Stroke:
    """Joint position of the closed and of the open gripper (m or rad)."""

    closed: float
    opened: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.closed) and math.isfinite(self.opened)) or self.closed == self.opened:
            raise TaskError(
                f"closed, open: {self.closed}, {self.opened} must be two different finite positions "
                "(m or rad); example: closed:=0.0 open:=0.04"
            )

    def position(self, opening: float) -> float:
        """Joint position of an opening; what is beyond 0 .. 1 counts as its end."""
        return self.closed + min(max(opening, 0.0), 1.0) * (self.opened - self.closed)

    def opening(self, position: float) -> float:
        """Opening 0 .. 1 of a joint position."""
        return min(max((position - self.closed) / (self.opened - self.closed), 0.0), 1.0)


@dataclass(frozen=True)
class Request:
    """One goal: the action's name below the driver's namespace, its type, and the goal."""

    action: str
    kind: type
    goal: Any


class ParallelGripper:
    """control_msgs/ParallelGripperCommand, as parallel_gripper_action_controller serves it."""

    def __init__(self, joint: str, stroke: Stroke) -> None:
        self._joint, self._stroke = joint, stroke
        self._action = _message("control_msgs.action", "ParallelGripperCommand", "ros-jazzy-control-msgs")
        self.actions = {"gripper_cmd": self._action}

    def request(self, opening: float, max_effort_n: float) -> Request:
        """Moves to the opening with at most this effort (N); 0: the driver's own."""
        goal = self._action.Goal()
        goal.command.name = [self._joint]
        goal.command.position = [self._stroke.position(opening)]
        goal.command.effort = [max_effort_n] if max_effort_n > 0.0 else []
        return Request("gripper_cmd", self._action, goal)


class FrankaHand:
    """franka_msgs Grasp and Move, as franka_gripper of franka_ros2 serves them.

    A move that meets an object gives up and does not hold it, so closing is a grasp.

    Args:
        speed_m_s: of the width.
        force_n: of a grasp whose command names none.
    """

    def __init__(self, speed_m_s: float, force_n: float) -> None:
        self._speed, self._force = speed_m_s, force_n
        self._grasp = _message("franka_msgs.action", "Grasp", "franka_ros2 (franka_msgs)")
        self._move = _message("franka_msgs.action", "Move", "franka_ros2 (franka_msgs)")
        self.actions = {"grasp": self._grasp, "move": self._move}

    def request(self, opening: float, max_effort_n: float) -> Request:
        """A grasp when it closes, or narrows with a force, whatever the width of the thing; else a move."""
        width = Stroke(0.0, FRANKA_STROKE_M).position(opening)
        if opening < (GRASP_BELOW if max_effort_n > 0.0 else SHUT_BELOW):
            goal = self._grasp.Goal()
            goal.width, goal.speed, goal.force = (
                width,
                self._speed,
                max_effort_n if max_effort_n > 0.0 else self._force,
            )
            goal.epsilon.inner = goal.epsilon.outer = FRANKA_STROKE_M
            return Request("grasp", self._grasp, goal)
        goal = self._move.Goal()
        goal.width, goal.speed = width, self._speed
        return Request("move", self._move, goal)


def _message(module: str, name: str, package: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise TaskError(
            f"kind: needs {module.split('.')[0]}/{name}, which is not installed: install {package}"
        ) from error
