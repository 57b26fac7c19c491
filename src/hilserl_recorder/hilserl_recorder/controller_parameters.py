# SPDX-License-Identifier: Apache-2.0
"""What the controllers were set to while an episode was recorded, for the bag's metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.parameter_client import AsyncParameterClient
from rclpy.task import Future

from hilserl_ros import topics
from hilserl_task import Task


class ControllerParameters:
    """Asks the node that publishes an arm's controller state for its parameters.

    A simulated arm has no such node: its law runs inside the simulation, with the numbers of the task file.

    Args:
        node: asks, and gets the answers in its callbacks.
        task: names of the arms.
    """

    def __init__(self, node: Node, task: Task) -> None:
        self._node, self._task = node, task
        self._clients: dict[str, AsyncParameterClient] = {}
        self._known: dict[str, dict[str, Any]] = {
            arm.name: self._without_answer(arm.name) for arm in task.arms
        }

    def refresh(self) -> None:
        """Asks every controller again; answers come later, what was known stays until then."""
        if self._task.scene is not None:
            return
        for arm in self._task.arms:
            for publisher in self._node.get_publishers_info_by_topic(topics.controller_state(arm.name)):
                namespace = publisher.node_namespace.rstrip("/")
                self._ask(arm.name, f"{namespace}/{publisher.node_name}")

    def text(self) -> str:
        """YAML: for every arm the node and its parameters."""
        return yaml.safe_dump(self._known, sort_keys=False)

    def _without_answer(self, arm: str) -> dict[str, Any]:
        spec = next(spec for spec in self._task.arms if spec.name == arm)
        simulated = self._task.scene is not None
        source = "task file, simulated arm" if simulated else "task file, no controller node has answered"
        return {"source": source, "parameters": spec.controller.model_dump(mode="json")}

    def _ask(self, arm: str, controller: str) -> None:
        client = self._clients.setdefault(controller, AsyncParameterClient(self._node, controller))
        if client.services_are_ready():
            listed = client.list_parameters()
            listed.add_done_callback(lambda answer: self._on_names(arm, controller, answer))

    def _on_names(self, arm: str, controller: str, answer: Future) -> None:
        names = sorted(answer.result().result.names)
        values = self._clients[controller].get_parameters(names)
        values.add_done_callback(lambda answer: self._on_values(arm, controller, names, answer))

    def _on_values(self, arm: str, controller: str, names: Sequence[str], answer: Future) -> None:
        values = [_plain(parameter_value_to_python(value)) for value in answer.result().values]
        self._known[arm] = {
            "source": f"node {controller}",
            "parameters": dict(zip(names, values, strict=True)),
        }


def _plain(value: Any) -> Any:
    """Arrays of parameters as lists."""
    return list(value) if hasattr(value, "__len__") and not isinstance(value, str | bytes) else value
