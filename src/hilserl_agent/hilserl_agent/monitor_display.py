# SPDX-License-Identifier: Apache-2.0
"""Progress of a run for the terminal: a table that is redrawn, or plain lines elsewhere. No ROS."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from hilserl_agent.metrics import WINDOW_EPISODES, EpisodeStatistics, Row

_TITLES = {
    "labels": "collecting labels",
    "demos": "recording demonstrations",
    "train": "training",
    "evaluate": "evaluating",
}
_LINE_EVERY_S = 10.0


@dataclass
class Progress:
    """What is shown. None stands for "not known (yet)".

    Attributes:
        task, phase: what is going on.
        wall_s: since the phase began, breaks left out.
        statistics: episodes of this phase.
        open_steps: steps of the running episode.
        steps_per_s: of the environment.
        status: last row of status.jsonl.
        target: episodes, demonstrations or labels wanted.
        saved: how far that is.
        note: progress in words of the node that counts (labels, demonstrations).
    """

    task: str
    phase: str
    wall_s: float = 0.0
    statistics: EpisodeStatistics = field(default_factory=EpisodeStatistics)
    open_steps: int = 0
    steps_per_s: float = 0.0
    status: Row | None = None
    target: int | None = None
    saved: int | None = None
    note: str = ""


def progress_table(progress: Progress) -> Table:
    """The table of the live display."""
    table = Table(
        title=f"{progress.task}: {_TITLES[progress.phase]}, {_duration(progress.wall_s)}",
        show_header=False,
        title_justify="left",
        min_width=56,
    )
    table.add_column(style="bold")
    table.add_column()
    for name, value in _lines(progress):
        table.add_row(name, value)
    return table


def progress_line(progress: Progress) -> str:
    """The same in one line."""
    parts = [f"{name} {value}" for name, value in _lines(progress)]
    return f"{progress.task} {progress.phase} {_duration(progress.wall_s)}: " + "; ".join(parts)


def episode_line(row: Row) -> str:
    """One finished episode in a line."""
    # Labels are collected in episodes that the discard button ends: nothing of them is thrown away.
    ended = "ended" if row["phase"] == "labels" else "discarded"
    outcome = ended if row["discarded"] else row["outcome"]
    truth = {None: "", True: ", simulator: success", False: ", simulator: no success"}[row["truth_success"]]
    helped = f", {row['intervention_steps']} by the operator" if row["intervention_steps"] else ""
    return (
        f"{row['phase']} episode {row['episode']}: {outcome} ({row['termination_reason']}){truth}, "
        f"{row['steps']} steps{helped}, {row['duration_s']:.1f} s"
    )


class Display:
    """Redraws the table on a terminal; else prints a line per episode and one every 10 s."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._live: Live | None = None
        self._last_line_s = 0.0
        if self._stream.isatty():
            self._live = Live(console=Console(file=self._stream), auto_refresh=False, transient=False)
            self._live.start()

    def show(self, progress: Progress, now_s: float) -> None:
        """Shows where the run stands; `now_s` is any clock that goes forward."""
        if self._live is not None:
            self._live.update(progress_table(progress), refresh=True)
        elif now_s - self._last_line_s >= _LINE_EVERY_S:
            self._last_line_s = now_s
            self._print(progress_line(progress))

    def episode(self, row: Row) -> None:
        """Says that an episode is over; the table shows it anyway."""
        if self._live is None:
            self._print(episode_line(row))

    def close(self, progress: Progress) -> None:
        """Leaves the last state on the screen."""
        if self._live is not None:
            self._live.update(progress_table(progress), refresh=True)
            self._live.stop()
        else:
            self._print(progress_line(progress))

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


def _lines(progress: Progress) -> list[tuple[str, str]]:
    """Names and values, only those that mean something in this phase."""
    lines = []
    if progress.saved is not None:
        lines.append(("saved", f"{_of(progress.saved, progress.target)}{_note(progress.note)}"))
    if progress.phase != "labels":
        lines += _episode_lines(progress)
    steps = progress.statistics.env_steps + progress.open_steps
    lines.append(("environment steps", f"{steps} ({progress.steps_per_s:.1f}/s)"))
    if progress.status is not None:
        lines += _learner_lines(progress.status)
    return lines


def _episode_lines(progress: Progress) -> list[tuple[str, str]]:
    statistics = progress.statistics
    done = statistics.episodes - statistics.discarded
    wanted = progress.target if progress.phase == "evaluate" else None
    discarded = f", {statistics.discarded} discarded" if statistics.discarded else ""
    last = f"last {min(done, WINDOW_EPISODES)}"
    lines = [
        ("episodes", _of(done, wanted) + discarded),
        ("success", _percent(statistics.success_rate, last)),
    ]
    if statistics.truth_rate is not None:
        lines.append(("success, simulator", _percent(statistics.truth_rate, last)))
    if progress.phase == "train":
        lines.append(("intervention rate", _percent(statistics.intervention_rate, last)))
    if statistics.cycle_time_s is not None:
        lines.append(("cycle time", f"{statistics.cycle_time_s:.1f} s"))
    return lines


def _learner_lines(status: Row) -> list[tuple[str, str]]:
    return [
        ("learner", f"{status['state']}, policy {status['policy_version']}"),
        ("gradient steps", f"{status['gradient_steps']} ({status['updates_per_s']:.1f}/s)"),
        ("buffers", f"{status['online_size']} online, {status['demo_size']} demonstration transitions"),
    ]


def _of(count: int, target: int | None) -> str:
    return f"{count}" if target is None else f"{count}/{target}"


def _note(text: str) -> str:
    return f" ({text})" if text else ""


def _percent(value: float | None, what: str) -> str:
    return "–" if value is None else f"{value:.0%} ({what})"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
