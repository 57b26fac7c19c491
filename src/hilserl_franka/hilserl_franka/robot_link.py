# SPDX-License-Identifier: Apache-2.0
"""Calls of services and actions that wait for their answer, with a time-out and the name in every error."""

from __future__ import annotations

import threading
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

POLL_S = 0.1


class StepFailed(Exception):
    """A step towards a running arm did not work; the text says which and why."""


class RobotLink:
    """An own node in an own thread, so that a callback of another node may wait for an answer.

    Args:
        name, namespace: of that node; the names of services and actions are relative to the namespace.
        timeout_s: for a server to be there, and again for its answer.
    """

    def __init__(self, name: str, namespace: str, timeout_s: float) -> None:
        self._node = Node(name, namespace=namespace, use_global_arguments=False)
        self._timeout_s = timeout_s
        self._clients: dict[str, Client | ActionClient] = {}
        self._closing = threading.Event()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name=name, daemon=True)
        self._thread.start()

    def call(self, kind: Any, name: str, request: Any) -> Any:
        """Answer of a service.

        Raises:
            StepFailed: it is not there, or does not answer in time.
        """
        if name not in self._clients:
            self._clients[name] = self._node.create_client(kind, name)
        client = self._clients[name]
        self._wait_for(client.service_is_ready, f"service {self._full(name)}")
        return self._answer(client.call_async(request), f"service {self._full(name)}")

    def act(self, kind: Any, name: str, goal: Any) -> Any:
        """Result of an action.

        Raises:
            StepFailed: it is not there, refuses, fails, or does not end in time.
        """
        if name not in self._clients:
            self._clients[name] = ActionClient(self._node, kind, name)
        client = self._clients[name]
        what = f"action {self._full(name)}"
        self._wait_for(client.server_is_ready, what)
        handle = self._answer(client.send_goal_async(goal), what)
        if not handle.accepted:
            raise StepFailed(f"{what} refused the goal")
        answer = self._answer(handle.get_result_async(), what)
        if answer.status != GoalStatus.STATUS_SUCCEEDED:
            raise StepFailed(f"{what} failed (status {answer.status})")
        return answer.result

    def wait(self, condition: Any, what: str) -> None:
        """Asks `condition` again and again until it holds.

        Raises:
            StepFailed: it does not hold in time.
        """
        for _ in range(max(1, round(self._timeout_s / POLL_S))):
            if condition():
                return
            if self._closing.wait(POLL_S):
                raise StepFailed(f"{what}: the node ends")
        raise StepFailed(f"{what}: not within {self._timeout_s:g} s")

    def close(self) -> None:
        """Ends the thread and the node; a call that waits fails."""
        self._closing.set()
        self._executor.shutdown()
        self._thread.join(5.0)
        self._node.destroy_node()

    def _full(self, name: str) -> str:
        return str(self._node.resolve_service_name(name))

    def _wait_for(self, ready: Any, what: str) -> None:
        self.wait(ready, f"{what} is not there: does franka_ros2 run, in this namespace?")

    def _answer(self, future: Future, what: str) -> Any:
        answered = threading.Event()
        future.add_done_callback(lambda _: answered.set())
        self.wait(answered.is_set, f"{what} does not answer")
        return future.result()

    def _spin(self) -> None:
        while not self._closing.is_set():
            self._executor.spin_once(timeout_sec=POLL_S)
