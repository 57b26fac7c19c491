# SPDX-License-Identifier: Apache-2.0
"""Puts sensor parts of one moment together and counts steps. No ROS in here.

Lockstep: parts belong together when their stamps are equal. Realtime: the newest of each counts, none older
than a limit. An episode begins with the first complete set no part of which is older than the end of the
reset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# Sets kept, complete or not: parts come in any order, and a reset's own before the episode is announced.
KEPT_SETS = 8
# A stamp so far back is of a clock that was set, not of a part that was held up.
CLOCK_JUMP_NS = 1_000_000_000


@dataclass(frozen=True)
class Part:
    """What one sensor said, and when."""

    stamp_ns: int
    value: Any


@dataclass(frozen=True)
class SensorSet:
    """One part of every source."""

    parts: dict[str, Part]

    @property
    def stamp_ns(self) -> int:
        """Stamp of the newest part."""
        return max(part.stamp_ns for part in self.parts.values())

    @property
    def oldest_ns(self) -> int:
        """Stamp of the oldest part."""
        return min(part.stamp_ns for part in self.parts.values())


class ExactMatcher:
    """Lockstep: groups parts by equal stamps.

    Attributes:
        unmatched: by source, parts thrown away because the others of their moment never came.
        late: by source, parts of a moment that was complete or thrown away already.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        self._sources = frozenset(sources)
        self._sets: dict[int, dict[str, Part]] = {}
        self._over_ns = -1  # moments up to here are over
        self.unmatched: Counter[str] = Counter()
        self.late: Counter[str] = Counter()

    def add(self, source: str, stamp_ns: int, value: Any) -> SensorSet | None:
        """Takes a part; the set it completes, if it does. Older sets can then no longer matter.

        A jump back by more than a second is believed: the simulation began anew, and the old moments must not
        push the new ones out.
        """
        if stamp_ns < self._over_ns - CLOCK_JUMP_NS:
            self._throw_away(max(self._sets, default=0))
            self._over_ns = stamp_ns - 1
        elif stamp_ns <= self._over_ns:
            self.late[source] += 1
        parts = self._sets.setdefault(stamp_ns, {})
        parts[source] = Part(stamp_ns, value)
        if parts.keys() == self._sources:
            del self._sets[stamp_ns]
            self._throw_away(stamp_ns)
            return SensorSet(parts)
        while len(self._sets) > KEPT_SETS:
            self._throw_away(min(self._sets))
        return None

    def _throw_away(self, until_ns: int) -> None:
        """Forgets the incomplete sets of moments up to `until_ns`."""
        for stamp in [stamp for stamp in self._sets if stamp <= until_ns]:
            parts = self._sets.pop(stamp)
            if stamp > self._over_ns:  # the others are counted as late
                self.unmatched.update(parts.keys())
        self._over_ns = max(self._over_ns, until_ns)

    def missing(self) -> list[str]:
        """Sources the newest incomplete set lacks; none if there is no incomplete set."""
        return sorted(self._sources - self._sets[max(self._sets)].keys()) if self._sets else []


class LatestMatcher:
    """Realtime: the newest part of every source, as long as all are fresh.

    The newest, not the one nearest to the slowest camera: the mux adds the action to this pose, and a pose
    of the past would drag the arm back.

    Args:
        sources: names of all sources.
        max_age_ns: how far from now a stamp may be. One that far ahead is of an unsynchronized clock.
    """

    def __init__(self, sources: Iterable[str], max_age_ns: int) -> None:
        self._sources = frozenset(sources)
        self._max_age_ns = max_age_ns
        self._latest: dict[str, Part] = {}

    def add(self, source: str, stamp_ns: int, value: Any) -> None:
        """Takes a part, unless a newer one is known.

        A jump back by more than a second is believed: a clock was set, and the source must not stay deaf
        until the old time comes round.
        """
        known = self._latest.get(source)
        if known is None or not known.stamp_ns - CLOCK_JUMP_NS < stamp_ns < known.stamp_ns:
            self._latest[source] = Part(stamp_ns, value)

    def current(self, now_ns: int) -> SensorSet | None:
        """The set of this moment; None when a part is missing or too old."""
        return None if self.missing(now_ns) else SensorSet(dict(self._latest))

    def missing(self, now_ns: int) -> dict[str, str]:
        """Sources without a usable part, and why."""
        reasons = {}
        for source in sorted(self._sources):
            part = self._latest.get(source)
            if part is None:
                reasons[source] = "nothing yet"
            elif abs(now_ns - part.stamp_ns) > self._max_age_ns:
                age = (now_ns - part.stamp_ns) * 1e-9
                what = f"{age:.3f} s old" if age > 0 else f"{-age:.3f} s in the future: clocks differ"
                reasons[source] = f"{what}, limit {self._max_age_ns * 1e-9:g} s"
        return reasons


@dataclass(frozen=True)
class Step:
    """A sensor set as a step of an episode."""

    episode: int
    step: int
    sensors: SensorSet

    @property
    def first(self) -> bool:
        """Step 0, where the start pose is taken."""
        return self.step == 0


class EpisodeCounter:
    """Numbers complete sensor sets; before `begin`, and until the first fitting set, nothing comes out.

    Args:
        period_ns: lockstep: the world advances exactly this much a step, so a set with any other distance
            is the end of a reset whose episode is not announced yet. None: realtime, any later set counts,
            and one after a clock was set back.
    """

    def __init__(self, period_ns: int | None) -> None:
        self._period_ns = period_ns
        self._episode: int | None = None
        self._step = 0
        self._not_before_ns = 0
        self._last: SensorSet | None = None
        self._held: list[SensorSet] = []

    @property
    def idle(self) -> bool:
        """No episode is announced."""
        return self._episode is None

    @property
    def waiting(self) -> bool:
        """An episode is announced and has no first set yet."""
        return self._episode is not None and self._step == 0

    def begin(self, episode: int, not_before_ns: int) -> Step | None:
        """Announces an episode; step 0 if a fitting set is here already.

        In lockstep that may be the last step of the episode before: an episode that begins where the arms
        are, at a moment that is known already, would otherwise wait for a world that stands still.
        """
        self._episode, self._step, self._not_before_ns = episode, 0, not_before_ns
        held, self._held = self._held, []
        if self._period_ns is not None and self._last is not None and self._last.stamp_ns == not_before_ns:
            held = [self._last]
        steps = (self.number(sensors) for sensors in held)
        return next((step for step in steps if step is not None), None)

    def cancel(self) -> None:
        """Gives the announced episode up."""
        self._episode = None

    def number(self, sensors: SensorSet) -> Step | None:
        """The step a complete set is; None if it is none (yet). Such a set is kept for the next `begin`."""
        if not self._fits(sensors):
            self._held = [*self._held, sensors][-KEPT_SETS:]
            return None
        assert self._episode is not None
        step = Step(self._episode, self._step, sensors)
        self._step += 1
        self._last = sensors
        return step

    def _fits(self, sensors: SensorSet) -> bool:
        if self._episode is None:
            return False
        if self._step == 0:  # later the end of the reset says nothing: a clock may have been set since
            return sensors.oldest_ns >= self._not_before_ns
        last_ns = -1 if self._last is None else self._last.stamp_ns
        if self._period_ns is None:  # a clock set back shall not silence the rest of the episode
            return not last_ns - CLOCK_JUMP_NS < sensors.stamp_ns <= last_ns
        return sensors.stamp_ns == last_ns + self._period_ns
