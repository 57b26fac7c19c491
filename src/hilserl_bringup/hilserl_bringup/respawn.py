# SPDX-License-Identifier: Apache-2.0
"""How often, and after which pause, a process that was killed is started again."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

LIMIT = 5  # starts again of one process within the window; more often is no accident
WINDOW_S = 600.0
FIRST_DELAY_S = 1.0  # doubled with every death in the window


class Respawns:
    """Counts deaths by a signal (out of memory, a crash, `kill`).

    An exit code is a decision of the process itself, so it is never started again.
    """

    def __init__(
        self,
        limit: int = LIMIT,
        first_delay_s: float = FIRST_DELAY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit
        self._first_delay_s, self._clock = first_delay_s, clock
        self._deaths: dict[str, list[float]] = defaultdict(list)

    def died(self, name: str) -> float | None:
        """Seconds until it shall start again, or None when it has died too often."""
        now = self._clock()
        recent = [at for at in self._deaths[name] if now - at < WINDOW_S]
        self._deaths[name] = [*recent, now]
        return None if len(recent) >= self.limit else self._first_delay_s * 2 ** len(recent)

    def count(self, name: str) -> int:
        """Deaths of a process in the window."""
        return len(self._deaths[name])
