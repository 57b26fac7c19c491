# SPDX-License-Identifier: Apache-2.0
"""Help for tests that start real nodes: an own ROS domain, peers, and waiting for conditions.

with RosGraph(task="ram_insertion", seed=1) as graph:
    node = graph.add(ObservationNode)
    peer = graph.peer()
    seen = peer.collect(Observation, topics.OBSERVATION, qos.OBSERVATION)
    graph.spin_until(lambda: seen, what="an observation")
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import rclpy
from domain_coordinator import domain_id
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

_domain = contextlib.ExitStack()  # held until the process ends
_DOMAINS = range(51, 101)  # runs started by hilserl_bringup use the lower ones
AnyNode = TypeVar("AnyNode", bound=Node)


def own_domain() -> int:
    """Gives this process, and its children, a ROS_DOMAIN_ID that no other test run on this machine uses."""
    if "HILSERL_TEST_DOMAIN" not in os.environ:
        domain = _domain.enter_context(domain_id(selector=lambda: random.choice(_DOMAINS)))
        os.environ["HILSERL_TEST_DOMAIN"] = str(domain)
    os.environ["ROS_DOMAIN_ID"] = os.environ["HILSERL_TEST_DOMAIN"]
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return int(os.environ["ROS_DOMAIN_ID"])


class Peer(Node):
    """The other nodes of a graph, as a test plays them."""

    def collect(self, message_type: type, topic: str, profile: QoSProfile) -> list[Any]:
        """A list that fills with the messages of a topic."""
        received: list[Any] = []
        self.create_subscription(message_type, topic, received.append, profile)
        return received


class RosGraph:
    """ROS, up for one test. All nodes live in this process and share one executor.

    Args:
        parameters: of every node added; values as JSON types, e.g. overrides=["episode.max_steps=5"].
    """

    def __init__(self, **parameters: Any) -> None:
        self._parameters = parameters
        self._nodes: list[Node] = []

    def __enter__(self) -> RosGraph:
        own_domain()
        arguments = ["--ros-args"]
        for name, value in self._parameters.items():
            arguments += ["-p", f"{name}:={json.dumps(value)}"]
        rclpy.init(args=arguments if self._parameters else [])
        self.executor = SingleThreadedExecutor()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in reversed(self._nodes):
            close = getattr(node, "close", None)
            if close is not None:
                close()
            self.executor.remove_node(node)
            node.destroy_node()
        self.executor.shutdown()
        rclpy.try_shutdown()

    def add(self, make: Callable[[], AnyNode]) -> AnyNode:
        """Makes a node and spins it with the others."""
        node = make()
        self._nodes.append(node)
        self.executor.add_node(node)
        return node

    def peer(self, name: str = "peer") -> Peer:
        """A node the test speaks and listens through."""
        return self.add(lambda: Peer(name))

    def spin_until(
        self, predicate: Callable[[], Any], timeout_s: float = 10.0, what: str = "condition"
    ) -> Any:
        """Runs callbacks until a condition holds, and returns what it gave.

        Raises:
            AssertionError: it does not hold in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            result = predicate()
            if result:
                return result
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {timeout_s:g} s")
            self.executor.spin_once(timeout_sec=0.01)

    def spin_for(self, duration_s: float) -> None:
        """Runs callbacks for a while: to see that something does not happen."""
        deadline = time.monotonic() + duration_s
        while time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.01)

    def connect(self, peer: Node, topics: dict[str, str], timeout_s: float = 10.0) -> None:
        """Waits for the other end of topics.

        Args:
            peer: the node that asks.
            topics: name -> "publisher" or "subscriber", the end that must be there.
        """
        for name, end in topics.items():
            count = peer.count_publishers if end == "publisher" else peer.count_subscribers
            self.spin_until(partial(count, name), timeout_s, f"{end} of {name}")

    def call(self, client: Any, request: Any, timeout_s: float = 10.0) -> Any:
        """Calls a service and returns its answer."""
        self.spin_until(client.service_is_ready, timeout_s, f"service {client.srv_name}")
        future = client.call_async(request)
        self.spin_until(future.done, timeout_s, f"answer of {client.srv_name}")
        return future.result()
