# SPDX-License-Identifier: Apache-2.0
"""The actor's side of the learner: transitions go there, policies come from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from std_srvs.srv import Trigger

from hilserl_agent.actor_policy import LearnedPolicy
from hilserl_agent.config import encodes_in_update, keeps_images
from hilserl_agent.episode_book import ClosedStep
from hilserl_agent.messages import transition_message
from hilserl_agent.outbox import Outbox, OutboxError
from hilserl_agent.policy_codec import PolicyRejected
from hilserl_agent.transport import Identity, TransitionUploader
from hilserl_msgs.msg import PolicyWeights
from hilserl_ros import qos, topics
from hilserl_ros.node import WARN, HilserlNode
from hilserl_task import TaskError


class LearnerLink:
    """Keeps and uploads closed steps, receives policies, asks for the last checkpoint.

    Steps of an episode are held back until it ends, so that nothing of a discarded one is ever learnt from.
    With synchronous updates every step leaves at once: the next action waits for what is learnt from it, so
    the steps of an episode that is discarded later are in the buffer already.

    Attributes:
        recovered_steps: steps of an episode that the process before left open; they were kept.
        newest_episode: of this actor, here or at the learner; the next one needs a higher number.

    Args:
        node: owner of the connections.
        policy: gets every good policy.
        actor_id: who uploads; unique among all actors of a learner.
        perception_id: which frozen perception computed the features.
        learner_namespace: where the learner lives, e.g. `/`; empty: in the node's own namespace.
        on_progress: called when the learner has answered or a policy has come.
        on_fault: called with a text when training cannot go on.

    Raises:
        TaskError: the outbox is in use by another process, damaged, or on a full disk.
    """

    def __init__(
        self,
        node: HilserlNode,
        policy: LearnedPolicy,
        actor_id: str,
        perception_id: str,
        learner_namespace: str,
        on_progress: Callable[[], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self._node, self._policy = node, policy
        self._on_progress, self._on_fault = on_progress, on_fault
        self._with_images, self._with_features = keeps_images(node.task), not encodes_in_update(node.task)
        self._every_step = node.task.learner.updates == "synchronous"
        self._expected_version = 1
        self._finished: Callable[[], None] | None = None
        self._learner_session = self._asked_to_save = ""
        self._outbox = outbox = self._open_outbox(node.run_dir / "outbox" / quote(actor_id, safe=""))
        self.newest_episode = outbox.newest_episode
        identity = Identity(node.task.config_hash(), perception_id, node.task.shared_config())
        service = topics.of_learner(learner_namespace, topics.INSERT_TRANSITIONS)
        self._uploader = TransitionUploader(node, service, actor_id, identity, outbox, self)
        self._save = node.create_client(Trigger, topics.of_learner(learner_namespace, topics.LEARNER_SAVE))
        node.create_subscription(
            PolicyWeights,
            topics.of_learner(learner_namespace, topics.POLICY),
            self._policy_came,
            qos.POLICY,
        )
        policy.on_incomplete = lambda text: node.diagnose(WARN, text)

    @property
    def ready(self) -> bool:
        """The learner has answered and a policy is in use."""
        return self._uploader.connected and self._policy.version > 0

    @property
    def up_to_date(self) -> bool:
        """The learner holds every released step, and the policy it had published by then is in use."""
        return self._uploader.idle and self._policy.version >= self._expected_version

    def put(self, steps: list[ClosedStep], episode: int) -> None:
        """Keeps the steps that an episode has closed; they are on disk when this returns.

        Raises:
            OSError: disk full; what was put before is safe.
        """
        for step in steps:
            self._outbox.put(transition_message(step, episode, self._with_images, self._with_features))
        if self._every_step:
            self._outbox.release(durable=False)
            self._uploader.send()

    def end_episode(self, discarded: bool) -> None:
        """Lets the episode go, or forgets what is held of it; returns at once, batches leave one by one.

        Raises:
            OSError: disk full; what was put before is safe.
        """
        if discarded:
            self._outbox.discard()
        else:
            self._outbox.release()
        self._uploader.send()

    def finish(self, done: Callable[[], None]) -> None:
        """Delivers everything, has the learner save, then calls `done`."""
        self._finished = done
        self._uploader.send()
        self._save_when_delivered()

    def close(self) -> None:
        """Stops the upload."""
        self._uploader.close()

    # -- how the upload goes --------------------------------------------------------------------------

    def on_connected(self, newest_episode: int) -> None:
        """The learner may hold episodes that this run folder knows nothing of."""
        self.newest_episode = max(self.newest_episode, newest_episode)

    def on_acknowledged(self, policy_version: int, learner_session: str) -> None:
        """A step may have waited for this."""
        self._expected_version, self._learner_session = max(1, policy_version), learner_session
        self._save_when_delivered()
        self._on_progress()

    def on_refused(self, reason: str) -> None:
        """Training cannot go on."""
        self._on_fault(f"learner refuses transitions: {reason}")

    def on_warning(self, text: str) -> None:
        """Acting goes on."""
        self._node.diagnose(WARN, text)

    def _save_when_delivered(self) -> None:
        """At the end; asks again where the learner that was asked has died."""
        delivered = self._finished is not None and self._uploader.idle
        if delivered and self._asked_to_save != self._learner_session:
            self._asked_to_save = self._learner_session
            self._save.call_async(Trigger.Request()).add_done_callback(self._saved)

    def _saved(self, future: Any) -> None:
        reply = future.result()
        if self._finished is None:
            return
        if reply.success:
            self._finished()
        else:
            self._on_fault(f"learner could not save: {reply.message}")

    def _policy_came(self, message: PolicyWeights) -> None:
        try:
            if self._policy.offer(message):
                self._on_progress()
        except PolicyRejected as error:
            self._node.diagnose(WARN, f"{error}; acting goes on with policy {self._policy.version}")

    def _open_outbox(self, folder: Path) -> Outbox:
        try:
            outbox = Outbox(folder)
            self.recovered_steps = outbox.close_cut_episode()
        except OutboxError as error:
            raise TaskError(str(error)) from error
        except OSError as error:
            raise TaskError(f"outbox {folder}: {error}; free disk space and start again") from error
        for text in outbox.warnings:
            self._node.diagnose(WARN, text)
        return outbox
