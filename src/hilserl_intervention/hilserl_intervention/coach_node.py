# SPDX-License-Identifier: Apache-2.0
"""The coach as a node: listens to training, publishes advice. It commands nothing.

ros2 run hilserl_intervention coach --ros-args -p task:=ram_insertion
"""

from __future__ import annotations

import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from hilserl_intervention.coach import QUIET, Advice, Coach
from hilserl_intervention.decision import Source
from hilserl_msgs.msg import Action, CoachAdvice, EpisodeSummary, InterventionState, Observation
from hilserl_ros import qos, topics
from hilserl_ros.node import HilserlNode, run

_COUNTED = (EpisodeSummary.OUTCOME_SUCCESS, EpisodeSummary.OUTCOME_FAILURE)


class CoachNode(HilserlNode):
    """Publishes the advice whenever it changes, and its figures after every episode."""

    def __init__(self) -> None:
        super().__init__("coach")
        self._coach = Coach(self.task)
        self._last: Advice | None = None
        self._advice = self.create_publisher(CoachAdvice, topics.COACH, qos.COACH)
        group = MutuallyExclusiveCallbackGroup()
        for message_type, topic, callback, profile in (
            (Observation, topics.OBSERVATION, self._on_observation, qos.OBSERVATION),
            (Action, topics.EXECUTED_ACTION, self._on_executed, qos.EXECUTED_ACTION),
            (EpisodeSummary, topics.EPISODE, self._on_episode, qos.EPISODE),
            (InterventionState, topics.INTERVENTION_STATE, self._on_state, qos.INTERVENTION_STATE),
        ):
            self.create_subscription(message_type, topic, callback, profile, callback_group=group)
        self._say()

    def _on_observation(self, message: Observation) -> None:
        positions = [arm.pose.position for arm in message.arms]
        places = np.array([(place.x, place.y, place.z) for place in positions])
        if len(places) == len(self.task.arms) and np.isfinite(places).all():
            self._coach.observe(message.episode, message.step, places)

    def _on_executed(self, message: Action) -> None:
        self._coach.execute(message.episode, message.step, Source(message.source))
        self._say()

    def _on_episode(self, message: EpisodeSummary) -> None:
        """Training episodes that were judged and kept are counted; the others are only over."""
        if message.phase != "train" or message.discarded or message.outcome not in _COUNTED:
            self._coach.leave(message.episode)
            self._say()
            return
        self._coach.finish(
            message.episode,
            message.outcome == EpisodeSummary.OUTCOME_SUCCESS,
            message.steps,
            message.intervention_steps,
            message.interventions,
        )
        self._last = None  # the figures are new even if the advice is not
        self._say()

    def _on_state(self, message: InterventionState) -> None:
        self._coach.may_help = message.enabled
        self._say()

    def _say(self) -> None:
        advice = self._coach.advice()
        if self._last is not None and advice.code == self._last.code:
            return
        if advice is not QUIET and (self._last is None or advice.code != self._last.code):
            self.get_logger().info(f"{advice.code}: {advice.text}")
        self._last = advice
        now = self._coach.figures()
        message = CoachAdvice(
            level=int(advice.level),
            code=advice.code,
            text=advice.text,
            window_episodes=now.episodes,
            success_rate=now.success_rate,
            intervention_rate=now.intervention_rate,
            interventions_per_episode=now.interventions_per_episode,
            mean_intervention_s=now.intervention_steps * self.task.period_s,
            rescued_rate=now.rescued_rate,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._advice.publish(message)


def main() -> None:
    """Entry point of the executable `coach`."""
    run(CoachNode)


if __name__ == "__main__":
    main()
