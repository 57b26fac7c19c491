# SPDX-License-Identifier: Apache-2.0
"""The acting side of the graph: resets, begins episodes, sends actions, hands on what comes back.

Used by the actor and by the Gymnasium environment. Everything is event-driven; nothing waits here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.action import ActionClient
from rclpy.node import Node

from hilserl_msgs.action import Reset
from hilserl_msgs.msg import Action, Observation, Reward
from hilserl_msgs.srv import BeginEpisode
from hilserl_ros import qos, topics
from hilserl_task import Task

# Without a sign of life: a robot may have to drive home, a person to put things in place.
RESET_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 5.0  # anything that only has to be answered
# Longer than the observation node waits itself: its answer names the topics that are missing.
BEGIN_TIMEOUT_S = 10.0


class EpisodeListener(Protocol):
    """Who is told about the running episode. Messages of other episodes never get here."""

    def on_observation(self, message: Observation) -> None:
        """Observation (episode, step)."""

    def on_executed(self, message: Action) -> None:
        """What the mux made of the action of a step."""

    def on_reward(self, message: Reward) -> None:
        """Judgement of an observation."""

    def on_start_failed(self, reason: str) -> None:
        """Reset or begin_episode did not succeed."""


class GraphClient:
    """Resets, episodes and actions over ROS.

    Args:
        node: owner of the connections.
        task: names of arms and cameras.
        listener: gets the messages of the running episode.
        use_reward: a reward node belongs to the graph.
    """

    def __init__(self, node: Node, task: Task, listener: EpisodeListener, use_reward: bool) -> None:
        self._node, self._task, self._listener, self._use_reward = node, task, listener, use_reward
        self.episode = 0
        self._attempt = 0
        self._starting = ""
        self._after_reset: Callable[[Time], None] = self._begin_here
        self._resetting: Any = None  # goal handle
        self._start_limit_s = self._start_deadline = 0.0
        self._open = False
        self._reset = ActionClient(node, Reset, topics.RESET)
        self._begin = node.create_client(BeginEpisode, topics.BEGIN_EPISODE)
        self._actions = node.create_publisher(Action, topics.POLICY_ACTION, qos.POLICY_ACTION)
        node.create_subscription(Observation, topics.OBSERVATION, self._on_observation, qos.OBSERVATION)
        node.create_subscription(Action, topics.EXECUTED_ACTION, self._on_executed, qos.EXECUTED_ACTION)
        if use_reward:
            node.create_subscription(Reward, topics.REWARD, self._on_reward, qos.REWARD)

    def missing_peers(self) -> list[str]:
        """What an episode needs and nobody offers yet, each with who should; empty when complete."""
        missing = []
        if not self._reset.server_is_ready():
            missing.append(f"action {topics.RESET} (simulation or robot reset)")
        if not self._begin.service_is_ready():
            missing.append(f"service {topics.BEGIN_EPISODE} (observation node)")
        if not self._actions.get_subscription_count():
            missing.append(f"subscriber of {topics.POLICY_ACTION} (intervention_mux)")
        for topic, who in self._streams().items():
            if not self._node.count_publishers(topic):
                missing.append(f"publisher of {topic} ({who})")
            elif not self._node.count_subscribers(topic):
                missing.append(f"subscriber of {topic}")
        return missing

    def start_episode(self, episode: int, seed: int, evaluation: bool) -> None:
        """Resets and begins an episode; observation (episode, 0) or `on_start_failed` follows."""
        self.reset(episode, seed, evaluation, self._begin_here)

    def reset(self, episode: int, seed: int, evaluation: bool, then: Callable[[Time], None]) -> None:
        """Resets alone; `then`, with the stamp of the first state after it, or `on_start_failed` follows."""
        self.episode, self._open = episode, False
        self._after_reset = then
        self._attempt += 1
        attempt = self._attempt
        self._now("reset: goal not answered", ANSWER_TIMEOUT_S)
        goal = Reset.Goal(episode=episode, seed=seed, evaluation=evaluation)
        future = self._reset.send_goal_async(goal, feedback_callback=lambda _: self._still_resetting(attempt))
        answered = self._goal_answered
        future.add_done_callback(lambda done: self._if_current(attempt, answered, done, cancel=True))

    def begin_episode(self, episode: int, not_before: Time) -> None:
        """Begins an episode where the arms are; observation (episode, 0), at `not_before` or later, or
        `on_start_failed` follows."""
        self.episode, self._attempt = episode, self._attempt + 1
        self._begin_here(not_before)

    def give_up_start(self) -> None:
        """Ends a reset or begin that is under way: whoever resets is asked to stop, and nothing follows."""
        self._attempt += 1
        self._starting = ""
        if self._resetting is not None:
            self._resetting.cancel_goal_async()
            self._resetting = None

    def check_start(self) -> None:
        """Gives up on a start whose present part takes too long; call it now and then."""
        if self._starting and time.monotonic() > self._start_deadline:
            self._start_failed(f"{self._starting} within {self._start_limit_s:g} s")

    def send_action(self, step: int, values: NDArray[Any], version: int, stamp: Time) -> None:
        """Publishes the policy's action (a,) in [-1, 1] for an observation and its stamp."""
        message = Action(episode=self.episode, step=step, source=Action.SOURCE_POLICY, policy_version=version)
        message.header.stamp = stamp
        message.values = [float(value) for value in values]
        message.policy_values = message.values
        self._actions.publish(message)

    def close_episode(self) -> None:
        """Later messages of this episode are not handed on."""
        self._open = False

    def _streams(self) -> dict[str, str]:
        """Topics of the control loop and who publishes them."""
        streams = {topics.OBSERVATION: "observation node", topics.EXECUTED_ACTION: "intervention_mux"}
        if self._use_reward:
            streams[topics.REWARD] = "reward node"
        for arm in self._task.arms:
            streams[topics.controller_target(arm.name)] = "intervention_mux"
            streams[topics.controller_state(arm.name)] = f"controller of arm '{arm.name}'"
        for camera in self._task.cameras:
            streams[camera.input_topic] = f"camera '{camera.name}'"
        return streams

    def _goal_answered(self, handle: Any) -> None:
        if handle is None or not handle.accepted:
            self._start_failed("reset: refused, another reset may be running")
            return
        attempt, self._resetting = self._attempt, handle
        self._now("reset: no result", RESET_TIMEOUT_S)
        handle.get_result_async().add_done_callback(
            lambda done: self._if_current(attempt, self._reset_done, done)
        )

    def _still_resetting(self, attempt: int) -> None:
        """Feedback: whoever resets is alive, however long it takes."""
        if attempt == self._attempt and self._starting.startswith("reset"):
            self._start_deadline = time.monotonic() + self._start_limit_s

    def _reset_done(self, response: Any) -> None:
        result, self._resetting = response.result, None
        if not result.success:
            self._start_failed(f"reset: failed: {result.message or 'no reason given'}")
            return
        self._starting = ""
        self._after_reset(result.stamp)

    def _begin_here(self, not_before: Time) -> None:
        self._open = True
        attempt = self._attempt
        self._now(f"{topics.BEGIN_EPISODE}: no answer and observation", BEGIN_TIMEOUT_S)
        request = BeginEpisode.Request(episode=self.episode, not_before=not_before)
        self._begin.call_async(request).add_done_callback(
            lambda done: self._if_current(attempt, self._begin_answered, done)
        )

    def _begin_answered(self, reply: Any) -> None:
        if not reply.accepted:
            self._start_failed(f"{topics.BEGIN_EPISODE}: refused: {reply.message or 'no reason given'}")

    def _now(self, part: str, limit_s: float) -> None:
        """Which part of a start is under way, and for how long it may be."""
        self._starting, self._start_limit_s = part, limit_s
        self._start_deadline = time.monotonic() + limit_s

    def _start_failed(self, reason: str) -> None:
        self._starting, self._open = "", False
        self._listener.on_start_failed(reason)

    def _if_current(
        self, attempt: int, callback: Callable[[Any], None], future: Any, cancel: bool = False
    ) -> None:
        """Answers of an attempt that was given up are ignored; with `cancel` a goal it was given ends."""
        if attempt == self._attempt and self._starting:
            callback(future.result())
        elif cancel and future.result() is not None and future.result().accepted:
            future.result().cancel_goal_async()

    def _on_observation(self, message: Observation) -> None:
        if self._is_mine(message):
            self._starting = ""
            self._listener.on_observation(message)

    def _on_executed(self, message: Action) -> None:
        if self._is_mine(message):
            self._listener.on_executed(message)

    def _on_reward(self, message: Reward) -> None:
        if self._is_mine(message):
            self._listener.on_reward(message)

    def _is_mine(self, message: Any) -> bool:
        return self._open and message.episode == self.episode
