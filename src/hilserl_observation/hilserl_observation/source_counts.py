# SPDX-License-Identifier: Apache-2.0
"""What every sensor delivered: rate, age, lost, late and refused parts, clock jumps. No ROS in here."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

# Long enough for a steady rate of a 15 Hz camera, short enough to follow a change of exposure.
KEPT_INTERVALS = 30
# A distance of stamps above this many usual ones means that parts in between are lost.
GAP = 1.6
CLOCK_JUMP_NS = 1_000_000_000


@dataclass
class SourceCounts:
    """Counts of one source since the start of the node.

    Attributes:
        received: parts that came, usable or not.
        late: came after a newer one of the same source, or for a moment that was over.
        lost: never came: gaps in the stamps, measured in usual distances (realtime only).
        unmatched: came, but the other parts of that moment did not (lockstep only).
        refused: NaN, wrong encoding or size, no picture.
        clock_jumps: the clock of the source was set by more than a second.
        blamed: periods without an observation because this source was missing or too old.

    Args:
        realtime: stamps follow the clock. In lockstep the simulation leaps at a reset, and nothing is lost.
    """

    realtime: bool = True
    received: int = 0
    late: int = 0
    lost: int = 0
    unmatched: int = 0
    refused: int = 0
    clock_jumps: int = 0
    blamed: int = 0
    newest_ns: int | None = None
    _intervals_ns: deque[int] = field(default_factory=lambda: deque(maxlen=KEPT_INTERVALS))
    _arrivals_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_INTERVALS + 1))

    def arrived(self, stamp_ns: int, at_s: float) -> bool:
        """Counts a usable part.

        Args:
            stamp_ns: of the part.
            at_s: monotonic time of its arrival.

        Returns:
            Whether its clock jumped: back by a second or more, or (realtime) so far ahead of the time that
            passed between the arrivals.
        """
        self.received += 1
        before, elapsed_s = self.newest_ns, at_s - self._arrivals_s[-1] if self._arrivals_s else 0.0
        self._arrivals_s.append(at_s)
        if before is None:
            self.newest_ns = stamp_ns
            return False
        interval = stamp_ns - before
        ahead = self.realtime and interval - elapsed_s * 1e9 >= CLOCK_JUMP_NS
        if interval <= -CLOCK_JUMP_NS or ahead:
            self.clock_jumps += 1
            self.newest_ns = stamp_ns
            self._intervals_ns.clear()
            return True
        if interval <= 0:
            self.late += 1
            return False
        self.newest_ns = stamp_ns
        if self.realtime:
            self._count_gap(interval)
        return False

    def rate_hz(self) -> float:
        """Parts a second, by their arrival; 0 before the second one."""
        if len(self._arrivals_s) < 2:
            return 0.0
        duration = self._arrivals_s[-1] - self._arrivals_s[0]
        return (len(self._arrivals_s) - 1) / duration if duration > 0 else 0.0

    def silent_s(self, now_s: float) -> float:
        """Time since the last part, by the monotonic clock; infinite before the first."""
        return now_s - self._arrivals_s[-1] if self._arrivals_s else float("inf")

    def _count_gap(self, interval_ns: int) -> None:
        """A pause is a gap only against the usual distance, so the first few intervals say nothing."""
        if len(self._intervals_ns) >= 5:
            usual = median(self._intervals_ns)
            if interval_ns > GAP * usual:
                self.lost += round(interval_ns / usual) - 1
                return  # does not belong to the usual ones
        self._intervals_ns.append(interval_ns)
