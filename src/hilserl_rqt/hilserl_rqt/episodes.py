# SPDX-License-Identifier: Apache-2.0
"""The table of episodes, and what the last of them say."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hilserl_msgs.msg import EpisodeSummary, TrainingStatus
from hilserl_ros.codec import ns_from_stamp
from hilserl_ros.names import OUTCOMES, TERMINATION_REASONS

WINDOW = 20  # episodes; the paper's running mean
KEPT = 2000


@dataclass(frozen=True)
class Episode:
    """One finished episode; `corrected` is the outcome a person gave it afterwards."""

    actor: str
    phase: str
    number: int
    stamp_ns: int
    outcome: str
    reason: str
    discarded: bool
    steps: int
    intervention_steps: int
    interventions: int
    duration_s: float
    policy_version: int
    corrected: str | None = None

    @property
    def judged(self) -> str:
        """The outcome that counts."""
        return self.corrected or self.outcome


@dataclass(frozen=True)
class Running:
    """Figures over the last episodes.

    Attributes:
        episodes: how many they are made of.
        success, interventions: shares, 0..1; None before the first.
        cycle_time_s: mean of the successes; None before the first.
        source: "learner" or "seen here".
    """

    episodes: int
    success: float | None
    interventions: float | None
    cycle_time_s: float | None
    source: str = "seen here"


class EpisodeBook:
    """Finished episodes in the order of their end."""

    def __init__(self) -> None:
        self._episodes: dict[tuple[str, int, int], Episode] = {}
        self.changes = 0

    def add(self, message: EpisodeSummary) -> None:
        """Takes a summary; the topic is latched, so one may come twice."""
        episode = _episode(message)
        key = (episode.actor, episode.number, episode.stamp_ns)
        if key in self._episodes:
            return
        self._episodes[key] = episode
        while len(self._episodes) > KEPT:
            del self._episodes[next(iter(self._episodes))]
        self.changes += 1

    def correct(self, number: int, outcome: str) -> None:
        """The label of the newest episode with this number was corrected."""
        for key in reversed(self._episodes):
            if self._episodes[key].number == number:
                self._episodes[key] = replace(self._episodes[key], corrected=outcome)
                self.changes += 1
                return

    def newest(self, count: int) -> list[Episode]:
        """The last episodes, newest first."""
        return list(self._episodes.values())[: -count - 1 : -1]

    def running(self, status: TrainingStatus | None) -> Running:
        """Figures over the last 20 episodes of the present phase that were not discarded.

        Args:
            status: of a learner that is alive; it knows the episodes from before this window was opened.
        """
        here = self._running_here()
        last = self.newest(1)
        training = not last or last[0].phase == "train"
        if status is None or not training or here.episodes >= min(WINDOW, status.episodes):
            return here
        return Running(
            min(WINDOW, status.episodes),
            _known(status.success_rate),
            _known(status.intervention_rate),
            _known(status.cycle_time_s),
            "learner",
        )

    def _running_here(self) -> Running:
        newest = self.newest(KEPT)
        phase = newest[0].phase if newest else ""
        chosen = [e for e in newest if e.phase == phase and not e.discarded][:WINDOW]
        if not chosen:
            return Running(0, None, None, None)
        good = [episode.duration_s for episode in chosen if episode.judged == "success"]
        steps = sum(episode.steps for episode in chosen)
        return Running(
            len(chosen),
            len(good) / len(chosen),
            sum(episode.intervention_steps for episode in chosen) / steps if steps else None,
            sum(good) / len(good) if good else None,
        )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _word(words: tuple[str, ...], number: int) -> str:
    return words[number] if number < len(words) else f"unknown ({number})"


def _episode(message: EpisodeSummary) -> Episode:
    return Episode(
        actor=message.actor_id,
        phase=message.phase,
        number=message.episode,
        stamp_ns=ns_from_stamp(message.header.stamp),
        outcome=_word(OUTCOMES, message.outcome),
        reason=_word(TERMINATION_REASONS, message.termination_reason),
        discarded=message.discarded,
        steps=message.steps,
        intervention_steps=message.intervention_steps,
        interventions=message.interventions,
        duration_s=message.duration_s,
        policy_version=message.policy_version,
    )
