# SPDX-License-Identifier: Apache-2.0
"""How the learner is doing: its status for the dashboard, the points of its curves, and what is wrong."""

from __future__ import annotations

import math
import shutil
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from hilserl_agent.checkpoint import BEST, CHECKPOINTS, size_bytes
from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.metrics import Row
from hilserl_agent.training_episodes import TrainingEpisodes
from hilserl_msgs.msg import TrainingStatus

RATE_WINDOW_S = 5.0  # updates/s are a mean over it: profile `original` needs seconds for one cycle
IDLE_S = 5.0  # so long without an update, and nothing due: waiting
SILENT_S = 30.0  # longer than an episode and its reset at 10 Hz; living actors speak more often
SLOW_S = 20.0  # updates must be slow for so long before anybody is told
LEAST_FREE_BYTES = 1 << 30


class LearnerStatus:
    """Watches a core from outside.

    Attributes:
        paused: a person wants no updates.
        failure: why training has ended; empty as long as it has not.
    """

    def __init__(self, core: LearnerCore, clock: Callable[[], float] = time.monotonic) -> None:
        self._core, self._clock = core, clock
        self.paused, self.failure = False, ""
        self._heard_at: dict[str, float] = {}
        self._began_at = clock()
        self._policy_at = math.nan
        self._cycles: deque[tuple[float, int]] = deque([(self._began_at, core.cycles)])
        self._advanced_at = -math.inf
        self._fast_at = self._began_at
        self._measured: tuple[Path | None, int] = (None, 0)

    def heard(self, actor_id: str) -> None:
        """An actor has called."""
        self._heard_at[actor_id] = self._clock()

    def published(self) -> None:
        """A policy has gone out."""
        self._policy_at = self._clock()

    def message(self) -> TrainingStatus:
        """The status now, without stamp. Called at the status period: it measures rates between calls."""
        core, now = self._core, self._clock()
        status = TrainingStatus(
            cycles=core.cycles,
            gradient_steps=core.agent.gradient_steps,
            updates_per_s=self._rate(now),
            workers=core.workers,
            policy_version=core.policy_version,
            policy_age_s=now - self._policy_at,
            online_size=len(core.online),
            online_capacity=core.online.capacity,
            demo_size=len(core.demonstrations),
            demo_capacity=core.demonstrations.capacity,
            disk_free_bytes=shutil.disk_usage(core.run_dir).free,
            metric_names=list(core.metrics),
            metric_values=list(core.metrics.values()),
        )
        status.state, status.reason = self._state(now)
        self._add_actors(status, now)
        self._add_episodes(status)
        self._add_checkpoints(status)
        return status

    def problems(self, status: TrainingStatus) -> dict[str, dict[str, object]]:
        """What somebody should look at: text and facts, none when all is well.

        Args:
            status: of now, from `message`.
        """
        found: dict[str, dict[str, object]] = {}
        for actor, silent_s in zip(status.actor_ids, status.actor_silent_s, strict=True):
            if math.isnan(silent_s):  # known from an earlier start, and not heard of since
                silent_s = self._clock() - self._began_at
            if silent_s > SILENT_S:
                found[f"actor '{actor}' is silent; is it still running?"] = {"silent_s": round(silent_s)}
        needed = max(LEAST_FREE_BYTES, 2 * self._checkpoint_bytes())
        if status.disk_free_bytes < needed:
            found["disk is nearly full; training stops when a checkpoint does not fit"] = {
                "free_mib": status.disk_free_bytes >> 20,
                "wanted_mib": needed >> 20,
            }
        if self._slow(status):
            found["updates are slower than the robot's steps"] = {
                "updates_per_s": round(status.updates_per_s, 2),
                "steps_per_s": 1.0 / self._core.task.period_s,
            }
        return found

    # -- parts ----------------------------------------------------------------------------------------

    def _state(self, now: float) -> tuple[str, str]:
        core = self._core
        if self.failure:
            return "failed", self.failure
        if self.paused:
            return "paused", "asked for by service; learner/resume goes on"
        if core.due > 0 or now - self._advanced_at < IDLE_S:
            return "training", ""
        missing = core.task.learner.training_starts - core.inserted
        if missing > 0:
            return "waiting", f"for {missing} more transitions (learner.training_starts)"
        return "waiting", "for new transitions: all updates that are due are done"

    def _rate(self, now: float) -> float:
        """Update cycles per second over the window."""
        if self._core.cycles != self._cycles[-1][1]:
            self._advanced_at = now
        self._cycles.append((now, self._core.cycles))
        while now - self._cycles[1][0] >= RATE_WINDOW_S:
            self._cycles.popleft()
        (then, before) = self._cycles[0]
        return (self._core.cycles - before) / max(now - then, 1e-9)

    def _slow(self, status: TrainingStatus) -> bool:
        now = self._clock()
        due = status.state == "training" and self._core.due > 0
        if not due or status.updates_per_s * self._core.task.period_s >= 1.0:
            self._fast_at = now
        return now - self._fast_at > SLOW_S

    def _add_actors(self, status: TrainingStatus, now: float) -> None:
        ledgers = self._core.intake.state()
        status.actor_ids = sorted(set(ledgers) | set(self._heard_at))
        status.actor_last_sequences = [
            ledgers[actor]["sequence"] if actor in ledgers else 0 for actor in status.actor_ids
        ]
        status.actor_silent_s = [now - self._heard_at.get(actor, math.nan) for actor in status.actor_ids]

    def _add_episodes(self, status: TrainingStatus) -> None:
        statistics = self._core.episodes.statistics
        status.episodes = statistics.episodes
        status.success_rate = _or_nan(statistics.success_rate)
        status.intervention_rate = _or_nan(statistics.intervention_rate)
        status.cycle_time_s = _or_nan(statistics.cycle_time_s)

    def _add_checkpoints(self, status: TrainingStatus) -> None:
        newest, best = self._core.checkpoint, self._core.run_dir / CHECKPOINTS / BEST
        status.checkpoint_age_s = math.nan
        if newest is not None and newest.is_dir():
            status.checkpoint = str(newest)
            status.checkpoint_age_s = time.time() - newest.stat().st_mtime
        if best.is_dir():
            status.best_checkpoint = str(best.resolve())

    def _checkpoint_bytes(self) -> int:
        newest = self._core.checkpoint
        if newest is not None and newest != self._measured[0]:
            self._measured = newest, size_bytes(newest)
        return self._measured[1]


def learner_scalars(status: TrainingStatus) -> dict[str, float]:
    """Points of the curves over gradient steps."""
    losses = {
        f"learner/{name}": value
        for name, value in zip(status.metric_names, status.metric_values, strict=True)
    }
    return losses | {
        "learner/updates_per_s": status.updates_per_s,
        "replay/online": status.online_size,
        "replay/demonstrations": status.demo_size,
        "policy/version": status.policy_version,
        "policy/age_s": status.policy_age_s,
    }


def episode_scalars(row: Row, episodes: TrainingEpisodes) -> dict[str, float]:
    """Points of the curves over environment steps, one an episode: its own, and running over the last 20.

    Args:
        row: the episode, not discarded.
        episodes: with it.
    """
    success, statistics = row["outcome"] == "success", episodes.statistics
    return {
        "episode/success": float(success),
        "episode/interventions": row["intervention_steps"] / max(1, row["steps"]),
        "episode/cycle_time_s": row["duration_s"] if success else math.nan,
        "running/success_rate": _or_nan(statistics.success_rate),
        "running/intervention_rate": _or_nan(statistics.intervention_rate),
        "running/cycle_time_s": _or_nan(statistics.cycle_time_s),
    }


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
