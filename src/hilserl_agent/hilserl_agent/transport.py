# SPDX-License-Identifier: Apache-2.0
"""Brings transitions to the learner: at least once, in order, without ever blocking the control step."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any, Protocol

from rclpy.node import Node

from hilserl_agent.outbox import Outbox
from hilserl_msgs.msg import Transition
from hilserl_msgs.srv import InsertTransitions
from hilserl_task.compare import differences

MAX_BATCH = 50  # transitions a call
MAX_BATCH_BYTES = 2_000_000  # of the outbox's records; ten transitions with two 128 x 128 pictures
RETRY_PERIOD_S = 0.2
REPLY_TIMEOUT_S = 10.0  # longer than any insert with synchronous updates takes
ALIVE_PERIOD_S = 2.0  # without transitions an empty request says that this actor lives
BUSY_PATIENCE_S = 20.0  # twice as long as the learner waits for a sign of life of the actor before

Response = InsertTransitions.Response


@dataclass(frozen=True)
class Identity:
    """What the learner compares with its own: hash and content of the shared configuration, perception."""

    config_hash: str
    perception_id: str
    shared_config: dict[str, Any]


class UploadListener(Protocol):
    """Who is told how the upload goes."""

    def on_connected(self, newest_episode: int) -> None:
        """First answer; the newest episode of this actor that the learner holds, -1 before the first."""

    def on_acknowledged(self, policy_version: int, learner_session: str) -> None:
        """The learner has answered: newest policy it has published, and which process it is."""

    def on_refused(self, reason: str) -> None:
        """The learner will not take transitions from this process; they stay in the outbox."""

    def on_warning(self, text: str) -> None:
        """Something is delayed or was lost."""


class TransitionUploader:
    """Asynchronous calls of `learner/insert_transitions`, repeated until acknowledged.

    The first call is empty: its answer says which sequence number this actor continues from.

    Args:
        node: owner of the client and of the retry timer.
        service: name of the service.
        actor_id: under which the learner counts.
        identity: the learner refuses another one.
        outbox: where transitions wait.
        listener: see `UploadListener`.
    """

    def __init__(
        self,
        node: Node,
        service: str,
        actor_id: str,
        identity: Identity,
        outbox: Outbox,
        listener: UploadListener,
        reply_timeout_s: float = REPLY_TIMEOUT_S,
    ) -> None:
        self.outbox = outbox
        self.connected = False
        self._client = node.create_client(InsertTransitions, service)
        self._identity, self._listener = identity, listener
        self._sender = {"actor_id": actor_id, "session": uuid.uuid4().hex}
        self._reply_timeout_s = reply_timeout_s
        self._future: Any = None
        self._sent_at = -ALIVE_PERIOD_S
        self._waits_since: float | None = None  # for another process with this actor_id to fall silent
        self._refused = False
        self._timer = node.create_timer(RETRY_PERIOD_S, self._tick)

    @property
    def idle(self) -> bool:
        """The learner holds everything that was released."""
        return self.connected and not self.outbox.pending

    def send(self) -> None:
        """Sends what was released, one batch after another; returns at once."""
        if self.connected and self.outbox.pending:
            self._call()

    def close(self) -> None:
        """Stops sending; what the learner lacks stays in the outbox."""
        self._timer.cancel()
        self.outbox.close()

    def _call(self) -> None:
        if self._future is not None or self._refused or not self._client.service_is_ready():
            return
        batch: list[Transition] = []
        if self.connected:
            try:
                batch = self.outbox.head(MAX_BATCH, MAX_BATCH_BYTES)
            except OSError as error:
                self._give_up(f"outbox cannot be read: {error}")
                return
        self._sent_at = time.monotonic()
        request = InsertTransitions.Request(
            **self._sender,
            outbox=self.outbox.outbox_id,
            config_hash=self._identity.config_hash,
            perception_id=self._identity.perception_id,
            transitions=batch,
        )
        self._future = self._client.call_async(request)
        self._future.add_done_callback(self._answered)

    def _tick(self) -> None:
        now = time.monotonic()
        if self._future is not None and now - self._sent_at > self._reply_timeout_s:
            self._listener.on_warning(
                f"learner did not answer for {self._reply_timeout_s:g} s: {len(self.outbox)} transitions wait"
            )
            self._client.remove_pending_request(self._future)
            self._future = None
        if not self.idle or now - self._sent_at > ALIVE_PERIOD_S:
            self._call()

    def _answered(self, future: Any) -> None:
        if future is not self._future:
            return  # given up on earlier; a retry carries the same numbers
        self._future = None
        reply = future.result()
        if reply is None or self._must_wait(reply) or not self._is_admitted(reply):
            return
        first, before = not self.connected, self.outbox.acknowledged
        if not self._continue_from(reply):
            return
        if not reply.accepted and (first or reply.last_sequence == before):
            self._give_up(reply.message)
            return
        if first:
            self._listener.on_connected(reply.last_episode)
        if reply.accepted:
            self._listener.on_acknowledged(reply.policy_version, reply.learner_session)
        self.send()

    def _must_wait(self, reply: Any) -> bool:
        """The same request may succeed later; the timer repeats it."""
        if reply.accepted or reply.reason not in (Response.BUSY, Response.NOT_STORED):
            self._waits_since = None
            return False
        if reply.reason == Response.NOT_STORED:
            self._listener.on_warning(f"learner: {reply.message}; {len(self.outbox)} transitions wait")
            return True
        self._waits_since = self._waits_since or time.monotonic()
        if time.monotonic() - self._waits_since > BUSY_PATIENCE_S:
            self._give_up(reply.message)
        return True

    def _is_admitted(self, reply: Any) -> bool:
        """False when this process has no business with that learner."""
        if reply.configuration:
            wrong = differences(self._identity.shared_config, json.loads(reply.configuration))
            what = f"; keys that differ (here, at the learner): {'; '.join(wrong)}" if wrong else ""
            self._give_up(reply.message + what)
            return False
        if not reply.accepted and reply.reason == Response.REPLACED:
            self._give_up(reply.message)
            return False
        return True

    def _continue_from(self, reply: Any) -> bool:
        """Brings the outbox in line with what the learner holds; False when that is impossible."""
        outbox, first = self.outbox, not self.connected
        foreign = reply.last_outbox not in ("", outbox.outbox_id)
        if first and foreign and len(outbox):
            self._give_up(
                f"{len(outbox)} transitions in {outbox.folder} were overtaken by those of another outbox "
                "under the same actor_id; start with another actor_id and this folder renamed after it to "
                "deliver them, or move the folder away to give them up"
            )
            return False
        try:
            lost = outbox.reconcile(reply.last_sequence, may_jump=first or foreign)
        except ValueError as error:
            self._give_up(str(error))
            return False
        self.connected = True
        if lost and not foreign:
            self._listener.on_warning(
                f"learner came back without its newest {lost} transitions; continuing after them"
            )
        return True

    def _give_up(self, reason: str) -> None:
        self._refused = True
        self._listener.on_refused(reason)
