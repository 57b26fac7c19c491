# SPDX-License-Identifier: Apache-2.0
"""What a policy thought of an observation: topic `policy/insight`, for people."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from rclpy.node import Node

from hilserl_learning.actor_policy import Decision
from hilserl_msgs.msg import PolicyInsight
from hilserl_ros import qos, topics
from hilserl_ros.codec import floats32


class Insights:
    """Publishes one message an action. `node`: owner of the publisher."""

    def __init__(self, node: Node) -> None:
        self._publisher = node.create_publisher(PolicyInsight, topics.POLICY_INSIGHT, qos.INSIGHT)

    def publish(self, episode: int, step: int, version: int, stamp: Time, decision: Decision) -> None:
        """Mean and standard deviation behind the answer to observation (episode, step) with its stamp."""
        message = PolicyInsight(episode=episode, step=step, policy_version=version)
        message.header.stamp = stamp
        message.mean, message.std = floats32(decision.mean), floats32(decision.std)
        self._publisher.publish(message)
