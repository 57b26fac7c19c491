# SPDX-License-Identifier: Apache-2.0
"""A gamepad as `ros2 run joy game_controller_node` publishes it: on any computer of the network.

That node's axes, forward and left positive: left stick x y, right stick x y, left and right trigger (0 to
-1); its buttons in SDL's order: A B X Y, back, guide, start, sticks, shoulders, d-pad up down left right. It
repeats itself 20 times a second, so silence means trouble.
"""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Joy

from hilserl_ros import codec, qos
from hilserl_task.device_spec import ButtonsSpec
from hilserl_teleop.driver import Driver
from hilserl_teleop.gamepad import DEADBAND

SILENT_S = 0.15  # neutral within 0.2 s
AXES, DPAD_LEFT, DPAD_RIGHT = 6, 13, 14


class JoyDriver(Driver):
    """Reads a sensor_msgs/Joy topic of game_controller_node."""

    usual_buttons = ButtonsSpec(success=0, discard=1, failure=2, gripper=3)
    deadband = DEADBAND
    silent_s = SILENT_S

    def __init__(self, node: Node, topic: str) -> None:
        super().__init__()
        self._node, self.title = node, topic
        self._waiting: list[Joy] = []
        node.create_subscription(Joy, topic, self._waiting.append, qos.TELEOP)

    def poll(self, now_s: float) -> bool:
        """Takes in all messages; unusable ones count as silence."""
        self.tapped = frozenset()
        taken = [self._take(message) for message in self._waiting]
        self._waiting.clear()
        return any(taken)

    def _take(self, message: Joy) -> bool:
        try:
            left_x, left_y, right_x, right_y, left, right = codec.finite("axes", message.axes, AXES)
        except ValueError as error:
            self._node.get_logger().warning(
                f"{self.title}: {error}; expected game_controller_node's Joy", throttle_duration_sec=1.0
            )
            return False
        buttons = list(message.buttons)
        roll = _at(buttons, DPAD_RIGHT) - _at(buttons, DPAD_LEFT)
        self.axes = np.clip([left_y, left_x, abs(right) - abs(left), roll, right_y, right_x], -1.0, 1.0)
        self._press({str(number) for number, level in enumerate(buttons) if level})
        return True


def _at(buttons: list[int], index: int) -> int:
    return int(bool(buttons[index])) if index < len(buttons) else 0
