# SPDX-License-Identifier: Apache-2.0
"""Training episodes as the learner hears of them: each once, remembered over restarts."""

from __future__ import annotations

from pathlib import Path

from hilserl_agent.metrics import (
    WINDOW_EPISODES,
    EpisodeStatistics,
    MetricsError,
    Row,
    append_row,
    episode_row,
    read_rows,
)
from hilserl_msgs.msg import EpisodeSummary
from hilserl_task import TaskError


class TrainingEpisodes:
    """Running numbers over training episodes of all actors.

    The topic is latched: a learner that starts anew hears the last episodes of running actors again. So what
    was heard is kept in a file.

    Args:
        path: JSON lines, read at start and appended to.

    Raises:
        TaskError: the file is not usable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.statistics = EpisodeStatistics()
        self._heard: set[tuple[str, int, int]] = set()
        try:
            rows = read_rows(path)
        except MetricsError as error:
            raise TaskError(f"{error}; move the file away, or use a new run folder") from error
        for row in rows:
            self._take(row)

    def add(self, summary: EpisodeSummary) -> Row | None:
        """Takes a summary; returns it as a row, or None if it is of another phase or was heard before.

        Raises:
            OSError: the file cannot be written; the episode counts all the same.
        """
        row = episode_row(summary, summary.phase, summary.wall_s, None)
        if summary.phase != "train" or self._key(row) in self._heard:
            return None
        self._take(row)
        append_row(self._path, row)
        return row

    @property
    def success_rate(self) -> float | None:
        """Share of successes in a full window of episodes; None before there are so many."""
        return self.statistics.success_rate if self.statistics.judged >= WINDOW_EPISODES else None

    def _take(self, row: Row) -> None:
        self._heard.add(self._key(row))
        self.statistics.add(row)

    @staticmethod
    def _key(row: Row) -> tuple[str, int, int]:
        return row["actor_id"], row["episode"], row["stamp_ns"]
