# SPDX-License-Identifier: Apache-2.0
"""Tells the person when to step in, for how long, and when their habits harm the training.

Free of ROS. It knows what was executed, where the tcp was and how episodes ended: never a simulator's truth.
Thresholds and their sources are in hilserl_task.coach_spec; the README has the rules as a table.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike

from hilserl_intervention.coach_window import Episode, Figures, figures
from hilserl_intervention.decision import Source
from hilserl_task import Task
from hilserl_task.frames import Array

ENOUGH_HELP = 3  # helped episodes before their pattern means anything


class Level(IntEnum):
    """Values as in hilserl_msgs/CoachAdvice."""

    QUIET = 0
    ADVICE = 1
    WARNING = 2


@dataclass(frozen=True)
class Advice:
    """What to tell the person; `code` is stable, the text is for reading."""

    level: Level
    code: str
    text: str


QUIET = Advice(Level.QUIET, "", "")


class Coach:
    """Watches one robot.

    Attributes:
        may_help: people may take over; while they may not, no advice is about the running episode.
    """

    def __init__(self, task: Task) -> None:
        self._spec, self._period_s = task.operator.coach, task.period_s
        limit = self._spec.long_share * task.episode.max_steps * task.period_s
        self._long_s = min(self._spec.long_s, limit)
        self.may_help = True
        self._window: deque[Episode] = deque(maxlen=self._spec.window_episodes)
        self._trace: deque[Array] = deque(maxlen=round(self._spec.stuck_s / task.period_s) + 1)
        self._begin(None)

    def _begin(self, episode: int | None) -> None:
        self._episode, self._step = episode, -1
        self._first_help: int | None = None
        self._human_steps = 0  # of the takeover under way
        self._position: Array | None = None
        self._trace.clear()

    # --- what happens ----------------------------------------------------------------------------------

    def observe(self, episode: int, step: int, positions: ArrayLike) -> None:
        """Takes an observation: tcp positions (arms, 3) [m]. Step 0 begins an episode."""
        if episode != self._episode or step == 0:
            self._begin(episode)
        self._position = np.array(positions, float)

    def execute(self, episode: int, step: int, source: Source) -> None:
        """Takes who decided the action that answers the newest observation."""
        if episode != self._episode or step <= self._step:
            return
        self._step = step
        if source is Source.HUMAN:
            self._human_steps += 1
            self._first_help = step if self._first_help is None else self._first_help
        else:
            self._human_steps = 0
        if source is Source.POLICY and self._position is not None:
            self._trace.append(self._position)
        else:
            self._trace.clear()

    def finish(
        self, episode: int, success: bool, steps: int, intervention_steps: int, interventions: int
    ) -> None:
        """Takes a training episode that counts; call `leave` for any other."""
        first = None
        if interventions:  # one that began before this coach did counts from its begin
            known = self._first_help if episode == self._episode else None
            first = (known or 0) / max(steps, 1)
        self._window.append(Episode(success, steps, intervention_steps, interventions, first))
        self.leave(episode)

    def leave(self, episode: int) -> None:
        """The episode is over."""
        if episode == self._episode:
            self._begin(None)

    # --- what to say -----------------------------------------------------------------------------------

    def figures(self) -> Figures:
        """Statistics of the window."""
        return figures(self._window)

    def advice(self) -> Advice:
        """The most pressing advice of now: about the running episode first, then about habits."""
        rules: list[Callable[[], Advice | None]] = []
        if self.may_help:
            rules += [self._hand_back, self._step_in]
        if len(self._window) >= self._spec.minimum_episodes:
            rules += [
                self._long_and_sparse,
                self._let_explore,
                self._help_more,
                self._stand_back,
                self._step_in_earlier,
            ]
        return next((advice for rule in rules if (advice := rule()) is not None), QUIET)

    def _hand_back(self) -> Advice | None:
        held_s = self._human_steps * self._period_s
        if held_s < self._long_s:
            return None
        return _advice(
            "hand_back",
            f"You have steered for {held_s:.1f} s: let go and let the policy go on; a correction of about "
            f"{self._spec.short_s:g} s is enough.",
        )

    def _step_in(self) -> Advice | None:
        if len(self._trace) < (self._trace.maxlen or 1):
            return None
        here = self._trace[-1]
        if max(_farthest(here, there) for there in self._trace) > self._spec.stuck_distance_m:
            return None
        return _advice(
            "step_in",
            f"The arm has not moved for {self._spec.stuck_s:g} s: step in, get it unstuck for about "
            f"{self._spec.short_s:g} s, then let go.",
        )

    def _long_and_sparse(self) -> Advice | None:
        """The pattern that the paper warns of: it makes the critic overestimate values."""
        rescued = [episode for episode in self._window if episode.success and episode.helped]
        if len(rescued) < ENOUGH_HELP or self.figures().rescued_rate < self._spec.rescued_rate:
            return None
        segments = sum(episode.interventions for episode in rescued)
        human = sum(episode.intervention_steps for episode in rescued)
        length_s = human / segments * self._period_s
        # Long by the clock, or by its share of an episode that is short itself.
        share = human / segments / (sum(episode.steps for episode in rescued) / len(rescued))
        long = length_s >= self._long_s or (share >= self._spec.long_share and length_s > self._spec.short_s)
        if not long or segments / len(rescued) > self._spec.sparse_per_episode:
            return None
        text = (
            f"{len(rescued)} of the last {len(self._window)} episodes succeeded by one long takeover "
            f"({length_s:.1f} s): values get overestimated and training unstable. Correct for about "
            f"{self._spec.short_s:g} s at a time, several times if need be, and let the policy finish."
        )
        return Advice(Level.WARNING, "long_and_sparse", text)

    def _let_explore(self) -> Advice | None:
        rate = self.figures().intervention_rate
        if not rate > self._spec.crowding_rate:
            return None
        return _advice(
            "let_explore",
            f"You decide {rate:.0%} of all steps: let the robot explore, and correct specific mistakes for "
            f"about {self._spec.short_s:g} s each.",
        )

    def _help_more(self) -> Advice | None:
        now = self.figures()
        enough = now.interventions_per_episode >= self._spec.early_interventions
        if now.success_rate >= self._spec.early_success_rate or enough:
            return None
        return _advice(
            "help_more",
            f"{now.success_rate:.0%} of the episodes succeed and you help in few. Let it explore for about "
            f"{self._spec.stuck_s:g} s, then guide it close to the goal for about {self._spec.short_s:g} s "
            "and let it try the rest; now and then help it finish.",
        )

    def _stand_back(self) -> Advice | None:
        now = self.figures()
        often = now.interventions_per_episode > self._spec.early_interventions
        if now.alone_rate < self._spec.able_alone_rate or not often:
            return None
        return _advice(
            "stand_back",
            f"It succeeds alone in {now.alone_rate:.0%} of the episodes: hold off, and step in only where it "
            "makes the same mistake again and again.",
        )

    def _step_in_earlier(self) -> Advice | None:
        helped = sum(episode.helped for episode in self._window)
        if helped < ENOUGH_HELP or not self.figures().first_help >= self._spec.late_position:
            return None
        return _advice(
            "step_in_earlier",
            f"Your help begins at {self.figures().first_help:.0%} of the episode: step in as soon as it goes "
            f"wrong, for about {self._spec.short_s:g} s.",
        )


def _advice(code: str, text: str) -> Advice:
    return Advice(Level.ADVICE, code, text)


def _farthest(here: Sequence[ArrayLike] | Array, there: Sequence[ArrayLike] | Array) -> float:
    """Largest distance [m] that any arm has between two moments."""
    return float(np.linalg.norm(np.asarray(here) - np.asarray(there), axis=-1).max())
