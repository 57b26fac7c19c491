# SPDX-License-Identifier: Apache-2.0
"""The interfaces of franka_ros2 and ros2_control that this package speaks, looked for in this one place."""

from __future__ import annotations

import importlib
from typing import Any

from hilserl_task import TaskError

_PACKAGES = {
    "franka_msgs": "install franka_ros2 (Jazzy)",
    "controller_manager_msgs": "install ros-jazzy-controller-manager-msgs",
}


def _find(kind: str) -> Any:
    package, folder, name = kind.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.{folder}"), name)
    except ImportError as error:
        raise TaskError(f"franka_arm: needs {kind}, which is not installed: {_PACKAGES[package]}") from error


class Messages:
    """The message types. Raises TaskError naming the one that is missing and what to install."""

    def __init__(self) -> None:
        self.collision_behavior = _find("franka_msgs/srv/SetFullCollisionBehavior")
        self.error_recovery = _find("franka_msgs/action/ErrorRecovery")
        self.activity = _find("controller_manager_msgs/msg/ControllerManagerActivity")
        self.list_hardware = _find("controller_manager_msgs/srv/ListHardwareComponents")
        self.set_hardware_state = _find("controller_manager_msgs/srv/SetHardwareComponentState")
        self.list_controllers = _find("controller_manager_msgs/srv/ListControllers")
        self.switch_controllers = _find("controller_manager_msgs/srv/SwitchController")
