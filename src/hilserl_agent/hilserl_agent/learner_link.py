# SPDX-License-Identifier: Apache-2.0
"""The actor's side of the learner: transitions go there, policies come from there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from std_srvs.srv import Trigger

from hilserl_agent.actor_policy import LearnedPolicy
from hilserl_agent.config import encodes_in_update, keeps_images
from hilserl_agent.episode_book import ClosedStep
from hilserl_agent.messages import transition_message
from hilserl_agent.outbox import Outbox
from hilserl_agent.policy_codec import PolicyRejected
from hilserl_agent.transport import TransitionUploader
from hilserl_msgs.msg import PolicyWeights, Transition
from hilserl_ros import qos, topics
from hilserl_ros.node import WARN, HilserlNode


class LearnerLink:
    """Uploads closed steps, receives policies, asks for the last checkpoint.

    Steps of an episode are held back until it ends, so that nothing of a discarded one is ever learnt from.
    With synchronous updates every step leaves at once: the next action waits for what is learnt from it, so
    the steps of an episode that is discarded later are in the buffer already.

    Args:
        node: owner of the connections.
        policy: gets every good policy.
        actor_id, perception_id: who uploads, and which frozen perception computed the features.
        on_progress: called when the learner has answered or a policy has come.
        on_fault: called with a text when training cannot go on.
    """

    def __init__(
        self,
        node: HilserlNode,
        policy: LearnedPolicy,
        actor_id: str,
        perception_id: str,
        on_progress: Callable[[], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self._node, self._policy = node, policy
        self._on_progress, self._on_fault = on_progress, on_fault
        self._with_images, self._with_features = keeps_images(node.task), not encodes_in_update(node.task)
        self._every_step = node.task.learner.updates == "synchronous"
        self._held: list[Transition] = []
        self._expected_version = 1
        self._finished: Callable[[], None] | None = None
        self._saving = False
        self._uploader = TransitionUploader(
            node,
            topics.INSERT_TRANSITIONS,
            actor_id,
            node.task.config_hash(),
            perception_id,
            Outbox(node.run_dir / "outbox" / f"{actor_id}.spill"),
            on_acknowledged=self._acknowledged,
            on_refused=lambda reason: on_fault(f"learner refuses transitions: {reason}"),
            on_warning=lambda text: node.diagnose(WARN, text),
        )
        self._save = node.create_client(Trigger, topics.LEARNER_SAVE)
        node.create_subscription(PolicyWeights, topics.POLICY, self._policy_came, qos.POLICY)

    @property
    def ready(self) -> bool:
        """The learner has answered and a policy is in use."""
        return self._uploader.connected and self._policy.version > 0

    @property
    def up_to_date(self) -> bool:
        """The learner holds every step, and the policy it had published by then is in use."""
        return self._uploader.idle and self._policy.version >= self._expected_version

    def put(self, steps: list[ClosedStep], episode: int) -> None:
        """Takes the steps that an episode has closed.

        Raises:
            OSError: nowhere left to keep them.
        """
        for step in steps:
            self._held.append(transition_message(step, episode, self._with_images, self._with_features))
        if self._every_step:
            self._release()

    def end_episode(self, discarded: bool) -> None:
        """Queues the episode, or forgets what is held of it; returns at once, batches leave one by one.

        Raises:
            OSError: nowhere left to keep it.
        """
        if discarded:
            self._held.clear()
        self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        for message in held:
            self._uploader.put(message)
        self._uploader.flush()

    def finish(self, done: Callable[[], None]) -> None:
        """Delivers everything, has the learner save, then calls `done`."""
        self._finished = done
        self._uploader.flush()
        self._save_when_delivered()

    def close(self) -> None:
        """Stops the upload."""
        self._uploader.close()

    def _acknowledged(self, policy_version: int) -> None:
        self._expected_version = max(1, policy_version)
        self._save_when_delivered()
        self._on_progress()

    def _save_when_delivered(self) -> None:
        if self._finished is None or self._saving or not self._uploader.idle:
            return
        self._saving = True
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
