# SPDX-License-Identifier: Apache-2.0
"""Brings transitions to the learner: at least once, in order, without ever blocking the control step."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from hilserl_agent.outbox import Outbox
from hilserl_msgs.msg import Transition
from hilserl_msgs.srv import InsertTransitions

BATCH = 10  # transitions a call: 1 MB with two 128 x 128 pictures
MAX_BATCH = 50  # when catching up
RETRY_PERIOD_S = 0.2
REPLY_TIMEOUT_S = 10.0  # longer than any insert with synchronous updates takes


class TransitionUploader:
    """Asynchronous calls of `learner/insert_transitions`, repeated until acknowledged.

    The first call is empty: its answer says which sequence number this actor continues from.

    Args:
        node: owner of the client and of the retry timer.
        service: name of the service.
        actor_id, config_hash, perception_id: sent with every call; the learner compares them.
        outbox: where transitions wait.
        on_acknowledged: called with the newest policy version whenever the learner has answered.
        on_refused: called with the learner's reason when it will not take transitions from this actor.
        on_warning: called with a text when something was lost or is delayed.
    """

    def __init__(
        self,
        node: Node,
        service: str,
        actor_id: str,
        config_hash: str,
        perception_id: str,
        outbox: Outbox,
        on_acknowledged: Callable[[int], None],
        on_refused: Callable[[str], None],
        on_warning: Callable[[str], None],
        reply_timeout_s: float = REPLY_TIMEOUT_S,
    ) -> None:
        self.outbox = outbox
        self.connected = False
        self._client = node.create_client(InsertTransitions, service)
        self._identity = {
            "actor_id": actor_id,
            "config_hash": config_hash,
            "perception_id": perception_id,
        }
        self._on_acknowledged, self._on_refused, self._on_warning = on_acknowledged, on_refused, on_warning
        self._reply_timeout_s = reply_timeout_s
        self._future: Any = None
        self._sent_at = 0.0
        self._sent_count = 0
        self._flushing = False
        self._refused = False
        self._timer = node.create_timer(RETRY_PERIOD_S, self._tick)

    @property
    def idle(self) -> bool:
        """The learner holds everything that was put."""
        return self.connected and not len(self.outbox)

    def put(self, message: Transition) -> None:
        """Queues a transition; a full batch leaves at once.

        Raises:
            OSError: memory and disk are full.
        """
        already_spilling = self.outbox.spilled > 0
        self.outbox.put(message)
        if self.outbox.spilled and not already_spilling:
            self._on_warning(f"learner does not answer: transitions go to disk after {len(self.outbox)}")
        if len(self.outbox) >= BATCH:
            self._send()

    def flush(self) -> None:
        """Sends everything without waiting for a full batch; returns at once."""
        self._flushing = True
        self._send()

    def close(self) -> None:
        """Stops sending and removes the spill file."""
        self._timer.cancel()
        self.outbox.close()

    def _send(self) -> None:
        if self._future is not None or self._refused or not self._client.service_is_ready():
            return
        batch: list[Transition] = self.outbox.head(MAX_BATCH) if self.connected else []
        if self.connected and not batch:
            self._flushing = False
            return
        self._sent_at, self._sent_count = time.monotonic(), len(batch)
        self._future = self._client.call_async(InsertTransitions.Request(transitions=batch, **self._identity))
        self._future.add_done_callback(self._answered)

    def _tick(self) -> None:
        if self._future is not None and time.monotonic() - self._sent_at > self._reply_timeout_s:
            self._on_warning(
                f"learner did not answer for {self._reply_timeout_s:g} s: {len(self.outbox)} transitions wait"
            )
            self._client.remove_pending_request(self._future)
            self._future = None
        if not self.connected or self._flushing or len(self.outbox) >= BATCH:
            self._send()

    def _answered(self, future: Any) -> None:
        if future is not self._future:
            return  # given up on earlier; a retry carries the same numbers
        self._future = None
        reply = future.result()
        if reply is None:
            return
        first, moved = not self.connected, reply.last_sequence != self.outbox.acknowledged
        self._continue_from(reply.last_sequence)
        if reply.accepted:
            self._on_acknowledged(reply.policy_version)
        elif first or not moved:
            self._refused = True
            self._on_refused(reply.message)
        if self._flushing or len(self.outbox) >= BATCH:
            self._send()

    def _continue_from(self, last_sequence: int) -> None:
        if not self.connected:
            self.connected = True
            self.outbox.acknowledged = last_sequence
            return
        try:
            lost = self.outbox.reconcile(last_sequence)
        except ValueError as error:
            self._refused = True
            self._on_refused(str(error))
            return
        if lost:
            self._on_warning(
                f"learner came back without its newest {lost} transitions; continuing after them"
            )
