# SPDX-License-Identifier: Apache-2.0
"""Tells label collection which class the success button stands for, before the button goes down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from hilserl_ros import topics


class LabelClass:
    """One service of label collection a class; nothing to do in tasks without classes.

    Args:
        node: calls on its behalf.
        classes: of the reward; empty: none.
        when_set: called once a class was taken over.
        collecting: whether labels are collected at all.
    """

    def __init__(
        self, node: Node, classes: Sequence[str], when_set: Callable[[], None], collecting: bool
    ) -> None:
        wanted = classes if collecting else ()
        self._clients: dict[str, Client] = {
            name: node.create_client(Trigger, f"{topics.LABEL_CLASS}/{name}") for name in wanted
        }
        self._when_set = when_set
        self._set, self._asked = "", ""

    def is_set_to(self, name: str) -> bool:
        """Whether the button stands for the class; if not, asks for it. No class: nothing to wait for."""
        if name not in self._clients or name == self._set:
            return True
        client = self._clients[name]
        if name != self._asked and client.service_is_ready():
            self._asked = name
            client.call_async(Trigger.Request()).add_done_callback(partial(self._on_answer, name))
        return False

    def _on_answer(self, name: str, future: Future) -> None:
        result = future.result()
        if result is not None and result.success:
            self._set = name
        self._asked = ""
        self._when_set()
