# SPDX-License-Identifier: Apache-2.0
"""Subscriptions that are looked into at the dashboard's pace instead of waking it for every message.

DDS keeps the newest messages of a topic and drops older ones by itself, so a controller that speaks 1000
times a second costs this process as little Python as one that speaks 10 times, and nobody ever waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy


def glance(depth: int = 1) -> QoSProfile:
    """Best effort and volatile: matches every publisher, never slows one down."""
    return QoSProfile(
        depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT, durability=DurabilityPolicy.VOLATILE
    )


class Polled(CallbackGroup):
    """Keeps its subscriptions out of the executor's wait set."""

    def can_execute(self, entity: Any) -> bool:
        """Never by the executor."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Never by the executor."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Nothing was begun."""


class Feed:
    """One polled topic.

    Args:
        node: makes the subscription.
        group: of all polled subscriptions.
        message_type, topic, profile: of the subscription; `profile.depth` messages are taken at most a turn.
        on_message: gets each message.
        every_s: looked into at most that often; 0: every turn.
    """

    def __init__(
        self,
        node: Node,
        group: Polled,
        message_type: type,
        topic: str,
        profile: QoSProfile,
        on_message: Callable[[Any], None],
        every_s: float = 0.0,
    ) -> None:
        self._node, self._on_message, self._every_s = node, on_message, every_s
        self._depth, self._next_s = profile.depth, 0.0
        self._subscription = node.create_subscription(
            message_type, topic, on_message, profile, callback_group=group
        )

    def poll(self, now_s: float) -> None:
        """Takes what has come, if it is time again."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._every_s
        for _ in range(self._depth):
            with self._subscription.handle:
                taken = self._subscription.handle.take_message(self._subscription.msg_type, False)
            if taken is None:
                return
            self._on_message(taken[0])

    def close(self) -> None:
        """Ends the subscription."""
        self._node.destroy_subscription(self._subscription)
