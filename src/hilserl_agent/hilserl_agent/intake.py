# SPDX-License-Identifier: Apache-2.0
"""Transitions into the replay buffers: each exactly once, interventions into both."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hilserl_agent.messages import TransitionRecord
from hilserl_learning.replay import ReplayBuffer
from hilserl_learning.sampling import add_with_intervention


class InsertRefused(ValueError):
    """A batch that must not be stored; nothing of it was."""


@dataclass
class Ledger:
    """What is held of one actor: highest sequence number and the newest (episode, step)."""

    sequence: int = 0
    episode: int = -1
    step: int = -1


class TransitionIntake:
    """Idempotent insert. Nothing of a refused batch is stored."""

    def __init__(self, online: ReplayBuffer, demonstrations: ReplayBuffer) -> None:
        self._online, self._demonstrations = online, demonstrations
        self._ledgers: dict[str, Ledger] = {}

    def last_sequence(self, actor_id: str) -> int:
        """Highest sequence number held of an actor; all before it are held too. 0 before the first."""
        return self._ledgers[actor_id].sequence if actor_id in self._ledgers else 0

    def insert(self, actor_id: str, records: list[TransitionRecord]) -> int:
        """Stores what is new of a batch; returns how many that were.

        Raises:
            InsertRefused: a gap in the numbers, or steps that are not after the newest held.
        """
        ledger = self._ledgers.get(actor_id, Ledger())
        fresh = [record for record in records if record.sequence > ledger.sequence]
        _check(actor_id, ledger, fresh)
        for record in fresh:
            add_with_intervention(
                self._online, self._demonstrations, record.human, **_step_arguments(actor_id, record)
            )
            self._ledgers[actor_id] = Ledger(record.sequence, record.episode, record.step)
        return len(fresh)

    def state(self) -> dict[str, Any]:
        """What `restore` needs: plain numbers."""
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
