# SPDX-License-Identifier: Apache-2.0
"""The counts of all sensors, and how each of them is in one line of diagnostics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hilserl_observation.source_counts import SourceCounts
from hilserl_ros.node import ERROR, OK, WARN


@dataclass(frozen=True)
class SourceReport:
    """How a source is: level and message of a diagnostic, and its numbers."""

    source: str
    level: bytes
    message: str
    values: dict[str, str]


class SourceWatch:
    """Counts what the sensors deliver.

    Args:
        sources: topics.
        patience_s: realtime: silence for so long is an error. None: lockstep, where silence is the wait for
            an action.
    """

    def __init__(self, sources: Iterable[str], patience_s: float | None) -> None:
        self.counts = {source: SourceCounts(realtime=patience_s is not None) for source in sources}
        self._patience_s = patience_s
        self._reported = dict.fromkeys(self.counts, 0)
        self._sets = 0
        self._spread_ns = 0

    def take_matcher_counts(self, late: Mapping[str, int], unmatched: Mapping[str, int]) -> None:
        """Takes over what the exact matcher counted."""
        for source, counts in self.counts.items():
            counts.late, counts.unmatched = late.get(source, 0), unmatched.get(source, 0)

    def matched(self, spread_ns: int) -> None:
        """A set became an observation; its newest and oldest part are so far apart."""
        self._sets += 1
        self._spread_ns = max(self._spread_ns, spread_ns)

    def blame(self, sources: Iterable[str]) -> None:
        """A period passed without an observation because of these."""
        for source in sources:
            self.counts[source].blamed += 1

    def reports(self, now_s: float, now_ns: int) -> list[SourceReport]:
        """One report a source, and one of what was matched since the last time.

        Args:
            now_s: monotonic time.
            now_ns: ROS time, for the age of the newest part.
        """
        sources = [self._report(source, counts, now_s, now_ns) for source, counts in self.counts.items()]
        return [*sources, self._matching()]

    def _matching(self) -> SourceReport:
        """How many sets, and the largest distance between two parts of one."""
        sets, spread_ns, self._sets, self._spread_ns = self._sets, self._spread_ns, 0, 0
        values = {"observations": str(sets), "spread_ms": f"{spread_ns * 1e-6:.1f}"}
        return SourceReport("matching", OK, f"{sets} observations", values)

    def _report(self, source: str, counts: SourceCounts, now_s: float, now_ns: int) -> SourceReport:
        faults = counts.late + counts.lost + counts.unmatched + counts.refused + counts.clock_jumps
        new, self._reported[source] = faults - self._reported[source], faults
        silent_s = counts.silent_s(now_s)
        level, message = OK, f"{counts.rate_hz():.1f} Hz"
        if self._patience_s is not None and silent_s > self._patience_s:
            level = ERROR
            message = "nothing yet" if not counts.received else f"silent for {silent_s:.1f} s"
        elif new:
            level, message = WARN, f"{message}, {new} parts late, lost, refused or of a clock that jumped"
        values = {"rate_hz": f"{counts.rate_hz():.1f}", "received": str(counts.received)}
        if self._patience_s is not None:
            age = "none" if counts.newest_ns is None else f"{(now_ns - counts.newest_ns) * 1e-6:.0f}"
            values |= {"age_ms": age, "lost": str(counts.lost), "periods_missed": str(counts.blamed)}
        else:
            values |= {"unmatched": str(counts.unmatched)}
        values |= {
            "late": str(counts.late),
            "refused": str(counts.refused),
            "clock_jumps": str(counts.clock_jumps),
        }
        return SourceReport(source, level, message, values)
