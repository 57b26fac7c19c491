# SPDX-License-Identifier: Apache-2.0
"""What the critics think of the transitions that arrive: topic `learner/value_estimate`, for people."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from rclpy.node import Node

from hilserl_agent.messages import TransitionRecord
from hilserl_agent.sender import Sender
from hilserl_learning.perception import Perception
from hilserl_learning.sac import RLPDAgent
from hilserl_msgs.msg import ValueEstimate
from hilserl_ros import qos, topics

EVERY_STEPS = 5  # of an episode one step in so many, and its last
AT_ONCE = 20  # estimates in one turn: a whole episode of 100 steps


class ValueWatch:
    """Notes arriving transitions; `publish` judges the newest in one pass of the critics.

    Costs nothing while nobody listens. Draws no random number, so training is the same with and without it.

    Args:
        node: owner of the publisher.
        agent: whose critics judge.
        perception: for transitions that come as pictures without features; None where features come.
    """

    def __init__(self, node: Node, agent: RLPDAgent, perception: Perception | None) -> None:
        self._node, self._agent, self._perception = node, agent, perception
        self._publisher = node.create_publisher(ValueEstimate, topics.VALUE_ESTIMATE, qos.INSIGHT)
        self._waiting: deque[tuple[str, TransitionRecord]] = deque(maxlen=AT_ONCE)

    def note(self, sender: Sender, records: list[TransitionRecord]) -> None:
        """Takes what the learner has just stored."""
        chosen = [record for record in records if record.last or record.step % EVERY_STEPS == 0]
        self._waiting.extend((sender.actor_id, record) for record in chosen)

    def publish(self) -> None:
        """Publishes an estimate of every waiting transition."""
        waiting = list(self._waiting)
        self._waiting.clear()
        if not waiting or not self._publisher.get_subscription_count():
            return
        stamp = self._node.get_clock().now().to_msg()
        values = self._values([record for _, record in waiting])
        for (actor_id, record), ensemble in zip(waiting, values.T.tolist(), strict=True):
            message = ValueEstimate(
                actor_id=actor_id,
                episode=record.episode,
                step=record.step,
                q_mean=sum(ensemble) / len(ensemble),
                q_min=min(ensemble),
                q_max=max(ensemble),
            )
            message.header.stamp = stamp
            self._publisher.publish(message)

    @torch.no_grad()
    def _values(self, records: list[TransitionRecord]) -> torch.Tensor:
        """Q of every ensemble member, (members, transitions)."""
        agent = self._agent
        device = agent.device
        features = torch.from_numpy(np.stack([self._features(record) for record in records])).to(device)
        state = torch.from_numpy(np.stack([record.state for record in records])).to(device)
        action = torch.from_numpy(np.stack([record.action for record in records])).to(device)
        return agent.critic(agent.encoder(features, state), agent.assembler.continuous(action)).cpu()

    def _features(self, record: TransitionRecord) -> np.ndarray:
        if self._perception is None or record.images is None:
            return record.features
        return self._perception.encode(record.images)[0]
