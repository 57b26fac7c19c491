# SPDX-License-Identifier: Apache-2.0
"""What is measured while a run goes on, and how it is kept. No ROS."""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]

# The paper's curves are running means over 20 episodes (Fig. 3).
WINDOW_EPISODES = 20
OUTCOMES = ("unlabelled", "success", "failure")
TERMINATIONS = ("none", "reward", "timeout", "operator", "fault", "deactivated")


class MetricsError(RuntimeError):
    """A metrics file is unusable. The text names the file, the line and what is wrong."""


def append_row(path: Path, row: Row) -> None:
    """Appends one JSON line and hands it to the system, so a crash costs at most one row.

    A number that is not finite becomes null: JSON knows no NaN.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(_finite(row), allow_nan=False) + "\n"
    with path.open("ab+") as stream:
        if stream.tell() and _last_byte(stream) != b"\n":
            line = "\n" + line  # the process was killed within a row: keep the torn one apart from this one
        stream.write(line.encode())
        stream.flush()


def read_rows(path: Path) -> list[Row]:
    """Rows of a JSON lines file; none when it does not exist. A row torn by a crash is left out.

    Raises:
        MetricsError: the file cannot be read, or most of it is not JSON lines.
    """
    if not path.exists():
        return []
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise MetricsError(f"metrics file {path}: not readable: {error}") from error
    rows = [row for row in map(_parse, lines) if row is not None]
    if len(rows) * 2 < len(lines):
        raise MetricsError(
            f"metrics file {path}: {len(lines) - len(rows)} of {len(lines)} lines are not JSON objects"
        )
    return rows


def running_mean(values: Iterable[float | None], window: int = WINDOW_EPISODES) -> list[float]:
    """Mean of the last `window` values at every position; None is left out, NaN where nothing is left."""
    last: deque[float | None] = deque(maxlen=window)
    means = []
    for value in values:
        last.append(value)
        known = [item for item in last if item is not None]
        means.append(sum(known) / len(known) if known else math.nan)
    return means


def episode_row(summary: Any, phase: str, wall_s: float, truth_success: bool | None) -> Row:
    """One row of episodes.jsonl.

    Args:
        summary: hilserl_msgs/EpisodeSummary.
        phase: what the run was at: demos, train, evaluate.
        wall_s: seconds since the phase began, breaks left out.
        truth_success: of the simulator; None where nobody knows.
    """
    return {
        "phase": phase,
        "wall_s": round(wall_s, 3),
        "stamp_ns": summary.header.stamp.sec * 1_000_000_000 + summary.header.stamp.nanosec,
        "actor_id": summary.actor_id,
        "episode": int(summary.episode),
        "outcome": _name(OUTCOMES, summary.outcome),
        "termination_reason": _name(TERMINATIONS, summary.termination_reason),
        "discarded": bool(summary.discarded),
        "steps": int(summary.steps),
        "intervention_steps": int(summary.intervention_steps),
        "interventions": int(summary.interventions),
        "duration_s": float(summary.duration_s),
        "episode_wall_s": float(summary.wall_s),
        "episode_return": float(summary.episode_return),
        "policy_version": int(summary.policy_version),
        "total_steps": int(summary.total_steps),
        "truth_success": truth_success,
    }


def status_row(status: Any, phase: str, wall_s: float, env_steps: int, steps_per_s: float) -> Row:
    """One row of status.jsonl from hilserl_msgs/TrainingStatus."""
    return {
        "phase": phase,
        "wall_s": round(wall_s, 3),
        "state": status.state,
        "gradient_steps": int(status.gradient_steps),
        "policy_version": int(status.policy_version),
        "updates_per_s": float(status.updates_per_s),
        "online_size": int(status.online_size),
        "demo_size": int(status.demo_size),
        "env_steps": env_steps,
        "steps_per_s": round(steps_per_s, 2),
        "metrics": dict(zip(status.metric_names, map(float, status.metric_values), strict=False)),
    }


def wall_so_far(run_dir: Path, phase: str) -> float:
    """Seconds this phase has taken in earlier starts of this run, so that time goes on where it stopped."""
    rows = read_rows(run_dir / "metrics" / "episodes.jsonl") + read_rows(run_dir / "metrics" / "status.jsonl")
    return max((float(row["wall_s"]) for row in rows if row.get("phase") == phase), default=0.0)


@dataclass
class EpisodeStatistics:
    """Numbers of one phase. Discarded episodes count as steps, but neither as success nor as failure."""

    episodes: int = 0
    discarded: int = 0
    env_steps: int = 0
    cycle_time_s: float | None = None
    _outcomes: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW_EPISODES))
    _truths: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW_EPISODES))
    _steps: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=WINDOW_EPISODES))
    _cycles: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW_EPISODES))

    def add(self, row: Row) -> None:
        """Takes a row of episodes.jsonl."""
        self.episodes += 1
        self.env_steps += row["steps"]
        if row["discarded"]:
            self.discarded += 1
            return
        success = row["outcome"] == "success"
        self._outcomes.append(success)
        self._steps.append((row["intervention_steps"], row["steps"]))
        if row["truth_success"] is not None:
            self._truths.append(row["truth_success"])
        if success:
            self._cycles.append(row["duration_s"])
            self.cycle_time_s = sum(self._cycles) / len(self._cycles)

    @property
    def judged(self) -> int:
        """Episodes that the running numbers are made of."""
        return len(self._outcomes)

    @property
    def success_rate(self) -> float | None:
        """Share of successes (as the reward sees it) of the last episodes."""
        return sum(self._outcomes) / len(self._outcomes) if self._outcomes else None

    @property
    def truth_rate(self) -> float | None:
        """Share of successes as the simulator knows them."""
        return sum(self._truths) / len(self._truths) if self._truths else None

    @property
    def intervention_rate(self) -> float | None:
        """Steps that a person decided, of all steps of the last episodes."""
        return intervention_rate(self._steps)


def intervention_rate(episodes: Iterable[tuple[int, int]]) -> float | None:
    """Intervened steps / steps over (intervened steps, steps) of episodes; None without a step."""
    pairs = list(episodes)
    steps = sum(pair[1] for pair in pairs)
    return sum(pair[0] for pair in pairs) / steps if steps else None


class TruthLog:
    """Simulator truth by (episode, stamp), kept for the newest episodes only."""

    def __init__(self, episodes_kept: int = 8) -> None:
        self._by_episode: dict[int, dict[int, bool]] = {}
        self._kept = episodes_kept

    def add(self, episode: int, stamp_ns: int, success: bool) -> None:
        """Truth at one instant."""
        self._by_episode.setdefault(episode, {})[stamp_ns] = success
        while len(self._by_episode) > self._kept:
            del self._by_episode[next(iter(self._by_episode))]

    def at(self, episode: int, stamp_ns: int, tolerance_ns: int = 0) -> bool | None:
        """Truth of an episode at a stamp, or at the nearest one within the tolerance; None when unknown."""
        stamps = self._by_episode.get(episode, {})
        nearest = min(stamps, key=lambda stamp: abs(stamp - stamp_ns), default=None)
        if nearest is None or abs(nearest - stamp_ns) > tolerance_ns:
            return None
        return stamps[nearest]


class RateMeter:
    """Events per second over the last seconds."""

    def __init__(self, window_s: float = 10.0) -> None:
        self._window_s = window_s
        self._times: deque[float] = deque()

    def tick(self, now_s: float) -> None:
        """One event."""
        self._times.append(now_s)
        self._forget(now_s)

    def rate(self, now_s: float) -> float:
        """Events per second, 0 with fewer than two events in the window."""
        self._forget(now_s)
        if len(self._times) < 2:
            return 0.0
        return len(self._times) / max(now_s - self._times[0], 1e-6)

    def _forget(self, now_s: float) -> None:
        while self._times and now_s - self._times[0] > self._window_s:
            self._times.popleft()


def _name(names: tuple[str, ...], value: int) -> str:
    return names[value] if 0 <= value < len(names) else f"unknown_{value}"


def _parse(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _last_byte(stream: Any) -> bytes:
    stream.seek(-1, os.SEEK_END)
    return bytes(stream.read(1))
