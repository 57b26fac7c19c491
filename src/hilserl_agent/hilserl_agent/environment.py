# SPDX-License-Identifier: Apache-2.0
"""A Gymnasium environment over the running graph: another algorithm in place of the actor.

The same nodes, messages and reward as in training. One process at a time may act: do not start an actor
beside it.
"""

from __future__ import annotations

import time
from typing import Any

import gymnasium
import numpy as np
import rclpy
import torch
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor

from hilserl_agent.episode_book import ClosedStep, Ending, EpisodeBook, Frame, Rules
from hilserl_agent.episode_summary import episode_summary
from hilserl_agent.graph_client import GraphClient
from hilserl_agent.observations import ObservationReader, executed_of
from hilserl_msgs.msg import Action, EpisodeSummary, Observation, Reward
from hilserl_ros import qos, topics
from hilserl_task import Task
from hilserl_task.action_codec import check_action
from hilserl_task.gripper import GripperPenalty
from hilserl_task.spaces import action_space, observation_space

LAST_SUMMARY_S = 2.0  # for monitor and recorder to acknowledge it
SETTLE_S = 0.5  # discovery between the other nodes may lag behind ours


class HilserlEnv(gymnasium.Env):
    """Steps through the graph.

    Observations are a dict of `state` and one uint8 picture a camera, see `hilserl_task.spaces`. `info` of a
    step holds `executed_action` (what the mux made of the action), `source` (Action.SOURCE_*), `success`,
    and `intervene_action` when a person acted, as in the original.

    Args:
        task: the task every other node runs with.
        evaluation: reset with the task's evaluation randomization.
        use_reward: a reward node belongs to the graph; without one all rewards are 0.
        timeout_s: for the graph to come up, a reset, and a step, each.
    """

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(
        self,
        task: Task,
        evaluation: bool = False,
        use_reward: bool = True,
        timeout_s: float = 60.0,
        render_mode: str | None = None,
    ) -> None:
        torch.set_num_threads(1)  # more only spin: the other nodes need the cores
        self.render_mode = render_mode
        self.observation_space = observation_space(task)
        self.action_space = action_space(task)
        self._task, self._evaluation, self._timeout_s = task, evaluation, timeout_s
        self._rules = Rules(task.episode.max_steps, use_reward, success_button=True)
        self._reader = ObservationReader(task)
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("hilserl_env", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._graph = GraphClient(self._node, task, self, use_reward)
        self._summaries = self._node.create_publisher(EpisodeSummary, topics.EPISODE, qos.EPISODE)
        self._episode = -1
        self._total_steps = 0
        self._book: EpisodeBook | None = None
        self._frame: Frame | None = None
        self._closed: ClosedStep | None = None
        self._stamps: dict[int, Time] = {}
        self._failure = ""
        self._began_at = 0.0

    # -- Gymnasium ------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Starts an episode. `options`: `evaluation` (bool) for this reset.

        Raises:
            RuntimeError: the graph is not complete, or the reset failed.
        """
        super().reset(seed=seed)
        if self._book is not None and self._book.ending is None and self._book.steps:
            self._book.finish(Ending.FAULT)
            self._publish_summary()
        self._wait_for_graph()
        self._episode += 1
        self._book = EpisodeBook(self._rules, GripperPenalty(self._task))
        self._closed, self._failure = None, ""
        self._stamps.clear()
        self._began_at = time.monotonic()
        reset_seed = int(self.np_random.integers(2**63))
        evaluation = bool((options or {}).get("evaluation", self._evaluation))
        self._graph.start_episode(self._episode, reset_seed, evaluation)
        book = self._book
        self._spin_until(lambda: book.frame(0) is not None, f"observation ({self._episode}, 0)")
        frame = book.frame(0)
        if frame is None:
            raise RuntimeError("reset: no observation")
        self._frame = frame
        return self._observation(frame), {"episode": self._episode}

    def step(self, action: NDArray[Any]) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        """Sends an action (a,) in [-1, 1] and waits for what followed.

        Raises:
            ValueError: wrong size or not finite.
            RuntimeError: not reset, the episode is over, or the graph does not answer.
        """
        book, frame = self._book, self._frame
        if book is None or frame is None or book.ending is not None:
            raise RuntimeError("step: call reset first; the episode is over or was never begun")
        values = check_action(action, self._task.action_dim)
        self._closed = None
        self._graph.send_action(frame.step, values, 0, self._stamps.pop(frame.step))
        self._spin_until(lambda: self._closed is not None, f"step {frame.step} of episode {self._episode}")
        closed: ClosedStep | None = self._closed
        if closed is None:
            raise RuntimeError("step: no transition")
        self._frame = closed.next_frame
        if closed.last:
            self._publish_summary()
        info = self._info(closed)
        return self._observation(closed.next_frame), closed.reward, closed.terminated, closed.truncated, info

    def render(self) -> NDArray[np.uint8] | None:
        """All cameras side by side, uint8 (H, cameras * W, 3); None before the first reset."""
        if self.render_mode is None or self._frame is None:
            return None
        return np.concatenate(list(self._frame.images), axis=1)

    def close(self) -> None:
        """Leaves the graph."""
        if self._context.ok():
            self._summaries.wait_for_all_acked(Duration(seconds=LAST_SUMMARY_S))
            self._executor.shutdown()
            self._node.destroy_node()
            rclpy.shutdown(context=self._context)

    # -- what arrives ---------------------------------------------------------------------------------

    def on_observation(self, message: Observation) -> None:
        """Takes observation k."""
        try:
            frame = self._reader.frame(message)
        except ValueError as error:
            self._failure = str(error)
            return
        self._stamps[frame.step] = message.header.stamp
        self._take(self._current_book().add_frame(frame))

    def on_executed(self, message: Action) -> None:
        """Takes what the mux made of action k."""
        try:
            executed = executed_of(message, self._task.action_dim)
        except ValueError as error:
            self._failure = str(error)
            return
        self._take(self._current_book().add_executed(int(message.step), executed))

    def on_reward(self, message: Reward) -> None:
        """Takes the judgement of observation k."""
        self._take(self._current_book().add_reward(int(message.step), bool(message.success)))

    def on_start_failed(self, reason: str) -> None:
        """Ends the wait for the reset."""
        self._failure = reason

    # -- inside ---------------------------------------------------------------------------------------

    def _current_book(self) -> EpisodeBook:
        if self._book is None:
            raise RuntimeError("message of an episode before the first reset")
        return self._book

    def _take(self, closed: list[ClosedStep]) -> None:
        if closed:
            self._closed = closed[-1]

    def _wait_for_graph(self) -> None:
        if self._episode >= 0:
            return
        self._spin_until(lambda: not self._graph.missing_peers(), "", self._graph.missing_peers)
        settled = time.monotonic() + SETTLE_S
        while time.monotonic() < settled:
            self._executor.spin_once(timeout_sec=0.05)

    def _spin_until(self, condition: Any, what: str, missing: Any = None) -> None:
        deadline = time.monotonic() + self._timeout_s
        while not condition():
            if self._failure:
                raise RuntimeError(self._failure)
            if time.monotonic() > deadline:
                lacking = "; ".join(missing()) if missing else what
                raise RuntimeError(f"after {self._timeout_s:g} s still waiting for: {lacking}")
            self._graph.check_start()
            self._executor.spin_once(timeout_sec=0.05)

    def _observation(self, frame: Frame) -> dict[str, NDArray[Any]]:
        pictures = {
            camera.name: picture for camera, picture in zip(self._task.cameras, frame.images, strict=True)
        }
        return {"state": frame.state, **pictures}

    def _info(self, closed: ClosedStep) -> dict[str, Any]:
        info: dict[str, Any] = {
            "executed_action": closed.executed.values,
            "source": closed.executed.source,
            "success": closed.terminated,
        }
        if closed.executed.source == Action.SOURCE_HUMAN:
            info["intervene_action"] = closed.executed.values
        return info

    def _publish_summary(self) -> None:
        book = self._current_book()
        self._total_steps += book.steps
        summary = episode_summary(
            book,
            self._task.period_s,
            self._node.get_clock().now().to_msg(),
            actor_id="gymnasium",
            phase="evaluate" if self._evaluation else "train",
            episode=self._episode,
            wall_s=time.monotonic() - self._began_at,
            total_steps=self._total_steps,
        )
        self._summaries.publish(summary)
