# SPDX-License-Identifier: Apache-2.0
"""Intervention statistics over the last episodes. No ROS in here, and nothing but what a robot knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan


@dataclass(frozen=True)
class Episode:
    """A finished training episode.

    Attributes:
        steps, intervention_steps: actions, and those of a person.
        interventions: takeovers (segments).
        first_help: where in the episode the first one began, 0 begin .. 1 end; None: there was none.
    """

    success: bool
    steps: int
    intervention_steps: int = 0
    interventions: int = 0
    first_help: float | None = None

    @property
    def helped(self) -> bool:
        """A person took part."""
        return self.interventions > 0


@dataclass(frozen=True)
class Figures:
    """Over a window of episodes; rates are nan where there is nothing to divide by.

    Attributes:
        success_rate, intervention_rate: of episodes, of steps (paper, Fig. 3).
        interventions_per_episode: segments.
        intervention_steps: mean length of one.
        rescued_rate: successes a person took part in, of all successes.
        alone_rate: successes without help, of all episodes.
        first_help: mean of the episodes' `first_help`.
    """

    episodes: int = 0
    success_rate: float = nan
    intervention_rate: float = nan
    interventions_per_episode: float = nan
    intervention_steps: float = nan
    rescued_rate: float = nan
    alone_rate: float = nan
    first_help: float = nan


def figures(episodes: Sequence[Episode]) -> Figures:
    """Figures of a window."""
    count, segments = len(episodes), sum(episode.interventions for episode in episodes)
    successes = [episode for episode in episodes if episode.success]
    human = sum(episode.intervention_steps for episode in episodes)
    starts = [episode.first_help for episode in episodes if episode.first_help is not None]
    return Figures(
        episodes=count,
        success_rate=_ratio(len(successes), count),
        intervention_rate=_ratio(human, sum(episode.steps for episode in episodes)),
        interventions_per_episode=_ratio(segments, count),
        intervention_steps=_ratio(human, segments),
        rescued_rate=_ratio(sum(episode.helped for episode in successes), len(successes)),
        alone_rate=_ratio(sum(not episode.helped for episode in successes), count),
        first_help=_ratio(sum(starts), len(starts)),
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else nan
