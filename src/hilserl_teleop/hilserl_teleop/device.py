# SPDX-License-Identifier: Apache-2.0
"""Publishes what a hand does like the stock spacenav driver: Joy and TwistStamped, unit range."""

from __future__ import annotations

from collections.abc import Sequence

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TwistStamped
from numpy.typing import ArrayLike
from rclpy.node import Node
from sensor_msgs.msg import Joy

from hilserl_ros import codec, qos, topics

PUBLISH_RATE_HZ = 30.0  # of the scripted operator
# Of devices. Also when nothing moves, so that a still hand and a dead driver look different to the mux.
DEVICE_RATE_HZ = 50.0
FRAME = "spacenav"


class DevicePublisher:
    """The two topics of an input device.

    Args:
        node: publishes on its behalf.
        arm: the one arm it moves; None for all.
    """

    def __init__(self, node: Node, arm: str | None = None) -> None:
        self._joy = node.create_publisher(Joy, topics.joy(arm), qos.TELEOP)
        self._twist = node.create_publisher(TwistStamped, topics.twist(arm), qos.TELEOP)

    @property
    def heard(self) -> bool:
        """Somebody listens to both topics. They are volatile, as the stock driver's are: what is said
        before the mux has found this node is lost."""
        return bool(self._joy.get_subscription_count() and self._twist.get_subscription_count())

    def publish(self, stamp: Time, stick: ArrayLike, buttons: Sequence[bool]) -> None:
        """One reading.

        Args:
            stamp: of the reading.
            stick: (6,) in [-1, 1], translation xyz then rotation xyz.
            buttons: success, discard, failure, gripper (close / open); trailing ones may be left out.

        Raises:
            ValueError: the stick is not six finite numbers.
        """
        deflection = codec.finite("stick", stick, 6)
        joy = Joy(axes=codec.floats32(deflection), buttons=[int(button) for button in buttons])
        joy.header.stamp, joy.header.frame_id = stamp, FRAME
        twist = TwistStamped(twist=codec.twist_from_vector(deflection))
        twist.header.stamp, twist.header.frame_id = stamp, FRAME
        self._joy.publish(joy)
        self._twist.publish(twist)
