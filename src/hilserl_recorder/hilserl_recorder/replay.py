# SPDX-License-Identifier: Apache-2.0
"""Plays a bag to whoever listens, as the graph that was recorded would have spoken."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions

from hilserl_recorder.progress import track
from hilserl_ros import topics
from hilserl_ros.bags import Bag, BagError, BagMessage, offered_profile, read_bag

DISCOVERY_S = 1.0  # for publishers and subscribers to find each other
ACKNOWLEDGED_S = 10.0  # for all listeners to take the last messages; Fast DDS asks them every 3 s


class Replay(Node):
    """Publishes the messages of a bag on its topics, with the stamps they have.

    Nothing of it is a command: only what was observed, executed, judged and summarized is played. Still, a
    live graph would answer to it, so another publisher of these topics is refused.

    Args:
        bag: what is played.
        name: of the node.
    """

    def __init__(self, bag: Bag, name: str = "replay") -> None:
        super().__init__(name)
        self._bag = bag
        kinds = {entry.topic: type(entry.message) for entry in bag.messages}
        counts = Counter(entry.topic for entry in bag.messages)
        self._publishers_of = {
            topic: self.create_publisher(kind, _relative(topic), _whole(topic, counts[topic]))
            for topic, kind in kinds.items()
        }

    def check_alone(self) -> None:
        """Raises BagError where somebody else publishes a topic of the bag."""
        for topic in self._publishers_of:
            others = [
                f"{info.node_namespace.rstrip('/')}/{info.node_name}"
                for info in self.get_publishers_info_by_topic(_relative(topic))
                if info.node_name != self.get_name()
            ]
            if others:
                raise BagError(
                    f"replay: {topic} has another publisher, {', '.join(others)}; stop that graph, or take "
                    "another ROS_DOMAIN_ID"
                )

    def listeners(self) -> dict[str, int]:
        """Number of subscribers of every topic."""
        return {topic: one.get_subscription_count() for topic, one in self._publishers_of.items()}

    def wait_until_taken(self) -> None:
        """Raises BagError where a listener has not taken everything."""
        for topic, publisher in self._publishers_of.items():
            if not publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGED_S)):
                raise BagError(f"replay: a listener of {topic} has not taken all within {ACKNOWLEDGED_S:g} s")

    def play(self, rate: float, messages: list[BagMessage] | None = None) -> int:
        """Publishes everything in order; returns how many messages.

        Args:
            rate: 1 is the pace of the recording, 2 twice as fast. Topics have no common order, so much faster
                than listeners work the end of an episode could reach them before its middle.
        """
        entries = messages if messages is not None else self._bag.messages
        begun_s, first_ns = time.monotonic(), entries[0].stamp_ns
        for entry in track(entries, "playing"):
            due_s = begun_s + (entry.stamp_ns - first_ns) * 1e-9 / rate
            time.sleep(max(0.0, due_s - time.monotonic()))
            self._publishers_of[entry.topic].publish(entry.message)
        return len(entries)


def replay(paths: list[Path], rate: float, wait_s: float) -> int:
    """Plays bags one after the other; returns the number of messages.

    Args:
        rate: as of Replay.play.
        wait_s: for somebody to listen to the observations.

    Raises:
        BagError: unreadable, nobody listens, or another graph publishes the same topics.
    """
    played = 0
    with _ros() as executor:
        for path in paths:
            node = Replay(read_bag(path))
            executor.add_node(node)
            try:
                _wait_for_listeners(node, executor, wait_s)
                node.check_alone()
                played += node.play(rate)
                node.wait_until_taken()
            finally:
                executor.remove_node(node)
                node.destroy_node()
    return played


def _wait_for_listeners(node: Replay, executor: SingleThreadedExecutor, wait_s: float) -> None:
    begun_s = time.monotonic()
    while time.monotonic() < begun_s + max(wait_s, DISCOVERY_S):
        executor.spin_once(timeout_sec=0.05)
        heard = any(count for topic, count in node.listeners().items() if topic.endswith(topics.OBSERVATION))
        if heard and time.monotonic() > begun_s + DISCOVERY_S:
            return
    raise BagError(
        f"replay: nobody listens to {topics.OBSERVATION} for {wait_s:g} s; start a listener (same "
        "ROS_DOMAIN_ID), e.g. ros2 run hilserl_recorder recorder"
    )


@contextmanager
def _ros() -> Iterator[Any]:
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # Ctrl-C is Python's own
    executor = SingleThreadedExecutor()
    try:
        yield executor
    finally:
        executor.shutdown()
        rclpy.try_shutdown()


def _whole(topic: str, count: int) -> QoSProfile:
    """The profile of the topic with room for all of it: nothing is lost to a listener that lags behind."""
    offered = offered_profile(topic)
    return QoSProfile(depth=count, reliability=offered.reliability, durability=offered.durability)


def _relative(topic: str) -> str:
    """Without the leading slash, so that a namespace or a remapping may move it."""
    return topic.lstrip("/")
