# SPDX-License-Identifier: Apache-2.0
"""Messages of episodes until each is whole. Topics may overtake one another; gaps are not allowed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from hilserl_ros.bags import missing_parts

OBSERVATION, ACTION, REWARD = "observation", "executed_action", "reward"
# Topics overtake one another: the controller's last state may come after the summary of an episode.
STATES_PATIENCE_S = 0.5
KEPT_STATES = 20_000  # controller states since the last episode began: 20 s at 1 kHz


@dataclass(frozen=True)
class Recorded:
    """A message with its topic and stamp [ns]."""

    topic: str
    stamp_ns: int
    message: Any


@dataclass
class Episode:
    """Messages of one episode; `steps` is None until its summary is in."""

    number: int
    rewards_needed: bool = True
    parts: dict[str, dict[int, Recorded]] = field(
        default_factory=lambda: {OBSERVATION: {}, ACTION: {}, REWARD: {}}
    )
    summary: Recorded | None = None
    ended_at_s: float = 0.0

    @property
    def steps(self) -> int | None:
        """Actions of the episode, once known."""
        return None if self.summary is None else int(self.summary.message.steps)

    def missing(self) -> str:
        """What an ended episode still lacks; empty when whole."""
        assert self.steps is not None
        rewards = self.parts[REWARD] if self.rewards_needed else None
        return missing_parts(self.steps, self.parts[OBSERVATION], self.parts[ACTION], rewards)

    def messages(self) -> list[Recorded]:
        """Everything that belongs to a whole episode; what realtime sends after its end does not.

        The summary gets the stamp of the last observation: it may come from a node with another clock.
        """
        assert self.steps is not None
        assert self.summary is not None
        last = {OBSERVATION: self.steps, ACTION: self.steps - 1, REWARD: self.steps}
        kept = [
            part for kind, parts in self.parts.items() for step, part in parts.items() if step <= last[kind]
        ]
        return [*kept, replace(self.summary, stamp_ns=self.span_ns()[1])]

    def span_ns(self) -> tuple[int, int]:
        """Stamps of the first and the last observation of a whole episode."""
        assert self.steps is not None
        observations = self.parts[OBSERVATION]
        return observations[0].stamp_ns, observations[self.steps].stamp_ns


class EpisodeBuffer:
    """Sorts messages into episodes.

    Args:
        patience_s: an ended episode may wait this long for late parts.
        rewards_needed: false where a person alone judges: an episode is whole without rewards.
    """

    def __init__(self, patience_s: float, rewards_needed: bool = True) -> None:
        self._patience_s, self._rewards_needed = patience_s, rewards_needed
        self._open: dict[int, Episode] = {}
        self._closed: int | None = None
        self._states: deque[Recorded] = deque(maxlen=KEPT_STATES)
        self._newest_state_ns: dict[str, int] = {}  # by topic

    @property
    def recording(self) -> bool:
        """An episode is under way."""
        return bool(self._open)

    def holds(self, number: int) -> bool:
        """Whether messages of this episode are here."""
        return number in self._open

    def add(self, kind: str, recorded: Recorded) -> None:
        """Takes an observation, executed action or reward."""
        number, step = int(recorded.message.episode), int(recorded.message.step)
        if number == self._closed:
            if kind != OBSERVATION or step != 0:
                return  # realtime: the tail of a finished episode
            self._closed = None  # numbers started again
        episode = self._open.setdefault(number, self._episode(number))
        if kind == OBSERVATION and step == 0 and self._is_another_start(episode, recorded):
            episode = self._open[number] = self._episode(number)
        episode.parts[kind].setdefault(step, recorded)

    def add_state(self, recorded: Recorded) -> None:
        """Takes a controller state; it belongs to the episode in whose time it falls."""
        self._states.append(recorded)
        self._newest_state_ns[recorded.topic] = recorded.stamp_ns

    def end(self, recorded: Recorded, now_s: float) -> None:
        """Takes an EpisodeSummary; ignored without any other message (latched, from before we listened)."""
        episode = self._open.get(int(recorded.message.episode))
        if episode is not None and episode.summary is None:
            episode.summary, episode.ended_at_s = recorded, now_s

    def take_whole(self, now_s: float = 0.0) -> list[Recorded] | None:
        """Messages of the oldest whole episode in order of their stamps; None when there is none."""
        for episode in self._ended():
            if not episode.missing() and self._has_states(episode, now_s):
                self._close(episode)
                first, last = episode.span_ns()
                states = [state for state in self._states if first <= state.stamp_ns <= last]
                self._forget_states(last)
                return sorted([*episode.messages(), *states], key=lambda recorded: recorded.stamp_ns)
        return None

    def take_broken(self, now_s: float) -> tuple[int, str] | None:
        """(number, what it lacks) of an ended episode that waited too long; None when there is none."""
        for episode in self._ended():
            if episode.missing() and now_s - episode.ended_at_s > self._patience_s:
                self._close(episode)
                return episode.number, episode.missing()
        return None

    def _has_states(self, episode: Episode, now_s: float) -> bool:
        """Every controller has reported up to the last observation, or will not any more."""
        last_ns = episode.span_ns()[1]
        there = all(newest >= last_ns for newest in self._newest_state_ns.values())
        return there or now_s - episode.ended_at_s > STATES_PATIENCE_S

    def _episode(self, number: int) -> Episode:
        return Episode(number, self._rewards_needed)

    def _ended(self) -> list[Episode]:
        return [episode for episode in self._open.values() if episode.summary is not None]

    def _close(self, episode: Episode) -> None:
        """Forgets it, and older ones that never ended (their actor died)."""
        for number in [number for number in self._open if number <= episode.number]:
            del self._open[number]
        self._closed = episode.number

    def _forget_states(self, until_ns: int) -> None:
        while self._states and self._states[0].stamp_ns <= until_ns:
            self._states.popleft()

    @staticmethod
    def _is_another_start(episode: Episode, recorded: Recorded) -> bool:
        """The actor started again and uses the number once more: what we hold is a torso."""
        known = episode.parts[OBSERVATION].get(0)
        return known is not None and known.stamp_ns != recorded.stamp_ns
