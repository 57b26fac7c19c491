# SPDX-License-Identifier: Apache-2.0
"""Progress of a chain for the terminal: a table that is redrawn, or plain lines elsewhere. No ROS but the
status message."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from hilserl_agent.metrics import Row
from hilserl_msgs.msg import ChainStatus
from hilserl_task.chain_spec import ChainSpec

_STATES = {
    ChainStatus.STATE_IDLE: "idle",
    ChainStatus.STATE_MOVING: "moving",
    ChainStatus.STATE_ACTING: "acting",
    ChainStatus.STATE_DONE: "done",
    ChainStatus.STATE_FAILED: "failed",
}


class ChainDisplay:
    """Redraws a table on a terminal; else prints a line for every change of state and every chain.

    Attributes:
        status: the newest.
    """

    def __init__(self, chain: ChainSpec, target: int, stream: TextIO | None = None) -> None:
        self.status: ChainStatus | None = None
        self._skills = [skill.name for skill in chain.skills]
        self._name, self._target = chain.name, target
        self._stream = stream if stream is not None else sys.stdout
        self._said = ""
        self._live: Live | None = None
        if self._stream.isatty():
            self._live = Live(console=Console(file=self._stream), auto_refresh=False)
            self._live.start()

    def show(self, rows: Sequence[Row]) -> None:
        """Shows where the chain stands."""
        if self._live is not None:
            self._live.update(self._table(rows), refresh=True)
            return
        line = state_line(self.status)
        if line != self._said:
            self._said = line
            self._print(line)

    def chain_over(self, row: Row) -> None:
        """Says that a chain is over; the table shows it anyway."""
        if self._live is None:
            self._print(f"chain {row['chain']}: {chain_line(row)}")

    def close(self, result: Sequence[str]) -> None:
        """Leaves the result on the screen."""
        if self._live is not None:
            self._live.stop()
        for line in result:
            self._print(line)

    def _table(self, rows: Sequence[Row]) -> Table:
        status = self.status
        target = f"/{self._target}" if self._target else ""
        table = Table(
            title=f"chain {self._name}: {len(rows)}{target} run", title_justify="left", min_width=64
        )
        for column in ("skill", "now", "attempt", "p(success)", "so far"):
            table.add_column(column)
        for index, name in enumerate(self._skills):
            table.add_row(name, *_now(status, index), _so_far(rows, index))
        good = sum(row["success"] for row in rows)
        table.add_section()
        now = "" if status is None else status.message
        table.add_row("whole chain", now, "", "", f"{good} of {len(rows)} succeeded" if rows else "")
        return table

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


def state_line(status: ChainStatus | None) -> str:
    """Where the chain stands, in a line that changes with the state only."""
    if status is None:
        return "waiting for the chain"
    about = f" '{status.skill}', attempt {status.attempt} of {status.max_attempts}" if status.skill else ""
    said = f": {status.message}" if status.message else ""
    return f"{_STATES.get(status.state, '?')}{about}{said}"


def chain_line(row: Row) -> str:
    """A chain that is over, in a line."""
    parts = [
        f"{skill['name']} {skill['reason']} after {skill['attempts']} attempt(s), {skill['duration_s']:.1f} s"
        for skill in row["skills"]
        if skill["attempts"]
    ]
    outcome = "success" if row["success"] else f"failure ({row['message']})"
    return f"{outcome} in {row['duration_s']:.1f} s; " + "; ".join(parts)


def _now(status: ChainStatus | None, index: int) -> tuple[str, str, str]:
    """State, attempt and probability of one skill."""
    if status is None:
        return "", "", ""
    if index < len(status.skills):
        result = status.skills[index]
        return result.reason, str(result.attempts), ""
    busy = status.state in (ChainStatus.STATE_MOVING, ChainStatus.STATE_ACTING)
    if not busy or index != status.skill_index:
        return "", "", ""
    attempt = f"{status.attempt} of {status.max_attempts}"
    if status.state == ChainStatus.STATE_MOVING:
        return "moving", attempt, ""
    return f"acting, step {status.step}", attempt, f"{status.success_probability:.2f}"


def _so_far(rows: Sequence[Row], index: int) -> str:
    reached = [row["skills"][index] for row in rows if row["skills"][index]["attempts"]]
    return f"{sum(skill['success'] for skill in reached)} of {len(reached)}" if reached else ""
