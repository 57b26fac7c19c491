# SPDX-License-Identifier: Apache-2.0
"""Which process may speak for an actor: one at a time, and one that was replaced never again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hilserl_agent.sender import Sender

SILENCE_S = 10.0  # an actor gives a sign of life every 2 s


class SenderBusy(RuntimeError):
    """Another living process uses this actor_id."""


class SenderReplaced(RuntimeError):
    """This process was replaced by another one."""


class Sessions:
    """Admits one process an actor.

    A process with the same outbox takes over at once: it holds the outbox's lock, so the one before is dead.
    One with another outbox has to wait until the one before is silent.
    """

    def __init__(self, silence_s: float = SILENCE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._silence_s, self._clock = silence_s, clock
        self._current: dict[str, Sender] = {}
        self._heard_at: dict[str, float] = {}
        self._replaced: dict[str, set[str]] = {}

    def admit(self, sender: Sender) -> None:
        """Counts a sign of life.

        Raises:
            SenderBusy: try again later. SenderReplaced: never again.
        """
        actor, now = sender.actor_id, self._clock()
        if sender.session in self._replaced.get(actor, ()):
            raise SenderReplaced(
                f"actor '{actor}': this process was replaced by another one with the same actor_id; "
                "stop it, or start it with an actor_id of its own, e.g. actor_id:=left_robot"
            )
        current = self._current.get(actor)
        if current is not None and current.session != sender.session:
            silent_s = now - self._heard_at[actor]
            if current.outbox_id != sender.outbox_id and silent_s < self._silence_s:
                raise SenderBusy(
                    f"actor '{actor}': another process with this actor_id was heard {silent_s:.1f} s ago; "
                    f"give each its own, e.g. actor_id:=left_robot, or wait until it is silent for "
                    f"{self._silence_s:g} s"
                )
            self._replaced.setdefault(actor, set()).add(current.session)
        self._current[actor], self._heard_at[actor] = sender, now

    def remember(self, sender: Sender) -> None:
        """Who spoke last, from the log; those before were replaced.

        It may be alive and about to speak, so others have to wait as if it had just been heard.
        """
        current = self._current.get(sender.actor_id)
        if current is not None and current.session != sender.session:
            self._replaced.setdefault(sender.actor_id, set()).add(current.session)
        self._current[sender.actor_id], self._heard_at[sender.actor_id] = sender, self._clock()

    def state(self) -> dict[str, Any]:
        """What `restore` needs: plain texts."""
        return {
            actor: [sender.session, sender.outbox_id, *sorted(self._replaced.get(actor, ()))]
            for actor, sender in self._current.items()
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from `state()`; see `remember`."""
        for actor, (session, outbox_id, *replaced) in state.items():
            self._replaced[actor] = set(replaced)
            self.remember(Sender(actor, session, outbox_id))
