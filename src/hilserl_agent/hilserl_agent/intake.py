# SPDX-License-Identifier: Apache-2.0
"""Transitions into the replay buffers: each exactly once, interventions into both."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hilserl_agent.messages import TransitionRecord
from hilserl_agent.sender import Sender
from hilserl_learning.errors import LearningError
from hilserl_learning.replay import ReplayBuffer
from hilserl_learning.sampling import add_with_intervention


class InsertRefused(ValueError):
    """A batch that must not be stored; nothing of it was."""


@dataclass(frozen=True)
class Ledger:
    """What is held of one actor: highest sequence number, whose number that is, newest (episode, step)."""

    sequence: int = 0
    episode: int = -1
    step: int = -1
    outbox_id: str = ""


class TransitionIntake:
    """Idempotent insert. Nothing of a refused batch is stored."""

    def __init__(self, online: ReplayBuffer, demonstrations: ReplayBuffer) -> None:
        self._online, self._demonstrations = online, demonstrations
        self._ledgers: dict[str, Ledger] = {}

    def ledger(self, actor_id: str) -> Ledger:
        """What is held of an actor; all numbers up to the highest are held."""
        return self._ledgers.get(actor_id, Ledger())

    def fresh(self, sender: Sender, records: list[TransitionRecord]) -> list[TransitionRecord]:
        """What is new of a batch; changes nothing.

        Raises:
            InsertRefused: a gap in the numbers, numbers of an outbox that has not asked where to continue,
                steps that are not after the newest held, or features that the buffers cannot take.
        """
        ledger = self.ledger(sender.actor_id)
        fresh = [record for record in records if record.sequence > ledger.sequence]
        known = ledger.outbox_id in ("", sender.outbox_id)
        if not known and len(fresh) < len(records):
            raise InsertRefused(
                f"actor '{sender.actor_id}': sequence {records[0].sequence} is of another outbox than the "
                f"numbers up to {ledger.sequence} ({ledger.outbox_id}); its first request must be empty"
            )
        _check(sender.actor_id, ledger, fresh)
        self._check_features(sender.actor_id, fresh)
        return fresh

    def _check_features(self, actor_id: str, fresh: list[TransitionRecord]) -> None:
        """Before the log has them: what is in there must be storable at every later start too."""
        for record in fresh:
            for features in (record.features, record.next_features):
                try:
                    if features is not None:
                        self._online.frames.features.check(features)
                except LearningError as error:
                    raise InsertRefused(f"actor '{actor_id}': sequence {record.sequence}: {error}") from error

    def store(self, sender: Sender, records: list[TransitionRecord]) -> None:
        """Puts what `fresh` gave into the buffers.

        Raises:
            OSError: pictures go to a disk that is full; what the ledger counts is stored.
        """
        for record in records:
            add_with_intervention(
                self._online, self._demonstrations, record.human, **_step_arguments(sender.actor_id, record)
            )
            self._ledgers[sender.actor_id] = Ledger(
                record.sequence, record.episode, record.step, sender.outbox_id
            )

    def state(self) -> dict[str, Any]:
        """What `restore` needs: plain numbers and texts."""
        return {actor: asdict(ledger) for actor, ledger in self._ledgers.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from `state()`."""
        self._ledgers = {actor: Ledger(**entry) for actor, entry in state.items()}


def _check(actor_id: str, ledger: Ledger, fresh: list[TransitionRecord]) -> None:
    position = (ledger.episode, ledger.step)
    for expected, record in enumerate(fresh, start=ledger.sequence + 1):
        if record.sequence != expected:
            raise InsertRefused(
                f"actor '{actor_id}': sequence {record.sequence} follows {expected - 1}, "
                "a transition is missing between them"
            )
        if (record.episode, record.step) <= position:
            raise InsertRefused(
                f"actor '{actor_id}': sequence {record.sequence} is episode {record.episode} step "
                f"{record.step}, but (episode, step) {position} is held already; steps must only grow"
            )
        position = (record.episode, record.step)


def _step_arguments(actor_id: str, record: TransitionRecord) -> dict[str, Any]:
    """Keyword arguments of `ReplayBuffer.add_step`."""
    return {"actor_id": actor_id} | {key: value for key, value in vars(record).items() if key != "human"}
