# SPDX-License-Identifier: Apache-2.0
"""Which disturbances happened in a trial and when, from the simulator's truth; and how they are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

EVENT_NAME, EVENT_TIME = "kind", "time_s"


class EventLog:
    """First sight of every event by episode, kept for the newest episodes only."""

    def __init__(self, episodes_kept: int = 8) -> None:
        self._seen_ns: dict[int, dict[str, int]] = {}
        self._kept = episodes_kept

    def add(self, episode: int, stamp_ns: int, kinds: Iterable[str]) -> None:
        """Events of an episode so far, as they stand at a stamp."""
        seen = self._seen_ns.setdefault(episode, {})
        for kind in kinds:
            seen[kind] = min(stamp_ns, seen.get(kind, stamp_ns))
        while len(self._seen_ns) > self._kept:
            del self._seen_ns[next(iter(self._seen_ns))]

    def between(self, episode: int, first_ns: int, last_ns: int) -> list[dict[str, Any]]:
        """Events of an episode, in order, with the time from its first observation to where each was seen
        first: it began in the control period before. What came after the last observation is left out."""
        seen = sorted(self._seen_ns.get(episode, {}).items(), key=lambda item: item[1])
        return [
            {EVENT_NAME: kind, EVENT_TIME: round(max(stamp_ns - first_ns, 0) * 1e-9, 3)}
            for kind, stamp_ns in seen
            if stamp_ns <= last_ns
        ]


def in_words(events: Iterable[dict[str, Any]]) -> list[str]:
    """`board_shifts at 0.7 s`, one text an event."""
    return [f"{event[EVENT_NAME]} at {event[EVENT_TIME]:.1f} s" for event in events]
