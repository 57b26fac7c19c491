# SPDX-License-Identifier: Apache-2.0
"""Episodes without interventions in the middle of training, asked for by service `~/evaluate`.

They begin like the trials of the phase evaluate, with the policy of the moment, and leave no trace in what is
learnt: not in the replay, not in the stopping rule, not in the seeds of the training episodes that follow.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

import numpy as np
from std_srvs.srv import SetBool

from hilserl_agent.actor_policy import LearnedPolicy
from hilserl_agent.episode_book import EpisodeBook, Outcome
from hilserl_agent.episode_plan import EpisodePlan
from hilserl_learning.evaluation import wilson_interval
from hilserl_msgs.msg import InterventionState
from hilserl_msgs.srv import Evaluate
from hilserl_ros import qos, topics
from hilserl_ros.node import OK, WARN, HilserlNode

MUX_ENABLED = f"intervention_mux/{topics.SET_ENABLED.removeprefix('~/')}"
MOST_EPISODES = 10_000
DISCARDED_IN_A_ROW = 10  # so many say that something is broken


class _Now(Enum):
    IDLE = auto()
    ASKED = auto()
    SWITCHING = auto()
    RUNNING = auto()
    OVER = auto()


class TrainingTrials:
    """One evaluation at a time.

    Args:
        node: owner of the connections.
        policy: of training; a frozen copy of it is evaluated.
        disturbed: with events, as the task's evaluation says.
        people_off: an actor before this one left interventions switched off.
    """

    def __init__(self, node: HilserlNode, policy: LearnedPolicy, disturbed: bool, people_off: bool) -> None:
        self._node, self._policy, self._disturbed = node, policy, disturbed
        self._now = _Now.OVER if people_off else _Now.IDLE
        self._people_were_on = True  # until the mux says something else
        self._switch = node.create_client(SetBool, MUX_ENABLED)
        self._listener: Any = None
        self._wanted = self._discarded_in_a_row = 0
        self._deterministic = False
        self._frozen = policy
        self._successes: list[bool] = []
        self._durations: list[float] = []

    @property
    def pending(self) -> bool:
        """Asked for or under way: training is not over yet, whatever its rule says."""
        return self._now is not _Now.IDLE

    @property
    def people_off(self) -> bool:
        """Interventions are switched off, or about to be on again."""
        return self._now in (_Now.SWITCHING, _Now.RUNNING, _Now.OVER)

    def ask(self, request: Evaluate.Request, default_episodes: int) -> str:
        """Takes a request; returns why not, or an empty text."""
        if self.pending:
            left = f"{len(self._successes)} of {self._wanted} episodes are done"
            return f"an evaluation is under way already: {left}; ask again when it is over"
        if request.episodes > MOST_EPISODES:
            return f"episodes: {request.episodes} must be at most {MOST_EPISODES}; example: 20"
        if not self._switch.service_is_ready():
            return f"service {MUX_ENABLED} is not there, so interventions cannot be switched off"
        self._wanted, self._deterministic = int(request.episodes) or default_episodes, request.deterministic
        self._successes, self._durations, self._discarded_in_a_row = [], [], 0
        self._now, self._people_were_on = _Now.ASKED, True
        self._listener = self._node.create_subscription(
            InterventionState, topics.INTERVENTION_STATE, self._people, qos.INTERVENTION_STATE
        )
        return ""

    def ready(self, then: Callable[[], None]) -> bool:
        """Call it before every episode. False: interventions are being switched; `then` is called after."""
        if self._now is _Now.ASKED:
            self._frozen = self._policy.frozen(self._deterministic)
            self._set_people(False, _Now.RUNNING, then)
            return False
        if self._now is _Now.OVER:
            self._set_people(self._people_were_on, _Now.IDLE, then)
            return False
        return self._now is not _Now.SWITCHING

    def plan(self) -> EpisodePlan | None:
        """The next trial; None when the next episode is one of training."""
        if self._now is not _Now.RUNNING:
            return None
        index = len(self._successes)
        return EpisodePlan("evaluate", "evaluate", index, self._disturbed, self._frozen, learnt=False)

    def add(self, book: EpisodeBook, period_s: float) -> None:
        """Takes a finished trial. One that was discarded, or that a person took part in, is repeated."""
        if book.discarded or book.intervention_steps:
            self._discarded_in_a_row += 1
            if self._discarded_in_a_row >= DISCARDED_IN_A_ROW:
                self._finish(f"given up: {DISCARDED_IN_A_ROW} episodes in a row were discarded or helped")
            return
        self._discarded_in_a_row = 0
        self._successes.append(book.outcome is Outcome.SUCCESS)
        self._durations.append(book.steps * period_s)
        if len(self._successes) == self._wanted:
            self._finish("")

    def _finish(self, problem: str) -> None:
        self._now = _Now.OVER
        count, good = len(self._successes), sum(self._successes)
        facts: dict[str, object] = {
            "policy": self._frozen.version,
            "mode": "deterministic" if self._deterministic else "stochastic",
            "episodes": count,
            "success": good,
        }
        if count:
            low, high = wilson_interval(good, count)
            facts["interval_95"] = f"{low:.1%} to {high:.1%}"
        if good:
            times = np.array(self._durations)[np.array(self._successes)]
            facts["cycle_time_s"] = f"{times.mean():.2f}"
        text = f"evaluation of policy {self._frozen.version} {problem or 'done'}"
        self._node.diagnose(WARN if problem else OK, text, **facts)

    def _people(self, message: InterventionState) -> None:
        """Newest state of the mux, until we change it."""
        if self._now is _Now.ASKED:
            self._people_were_on = bool(message.enabled)

    def _set_people(self, on: bool, afterwards: _Now, then: Callable[[], None]) -> None:
        self._now = _Now.SWITCHING
        if self._listener is not None:
            self._node.destroy_subscription(self._listener)
            self._listener = None

        def switched(_: Any) -> None:
            self._now = afterwards
            then()

        # What it answers does not matter: it refuses "on" where no person belongs to the graph.
        self._switch.call_async(SetBool.Request(data=on)).add_done_callback(switched)
