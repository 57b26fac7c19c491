# SPDX-License-Identifier: Apache-2.0
"""What is counted of a sensor, without ROS."""

import pytest

from hilserl_observation.assembler import (
    CLOCK_JUMP_NS,
    KEPT_SETS,
    EpisodeCounter,
    ExactMatcher,
    Part,
    SensorSet,
)
from hilserl_observation.source_counts import SourceCounts
from hilserl_observation.source_watch import SourceWatch
from hilserl_ros.node import ERROR, OK, WARN

MS = 1_000_000


def deliver(counts, stamps_ms, latency_s=0.01):
    """Parts that arrive a little after their stamps."""
    return [counts.arrived(stamp * MS, stamp * 1e-3 + latency_s) for stamp in stamps_ms]


def test_the_rate_is_that_of_the_arrivals():
    counts = SourceCounts()
    assert counts.rate_hz() == 0.0
    deliver(counts, range(0, 1000, 33))
    assert counts.rate_hz() == pytest.approx(1000 / 33)
    assert (counts.received, counts.lost, counts.late, counts.clock_jumps) == (31, 0, 0, 0)


def test_a_gap_is_counted_in_parts_and_jitter_is_none():
    counts = SourceCounts()
    deliver(counts, [0, 33, 67, 95, 133, 168, 200, 300, 333])  # 233 and 267 are missing
    assert counts.lost == 2


def test_a_late_part_is_late_and_no_jump():
    counts = SourceCounts()
    assert not any(deliver(counts, [0, 33, 67]))
    assert not counts.arrived(40 * MS, 0.09)
    assert (counts.late, counts.newest_ns, counts.clock_jumps) == (1, 67 * MS, 0)


@pytest.mark.parametrize("jump_s", [-3600, -2, 2, 3600])
def test_a_clock_that_was_set_is_seen_at_once_and_is_no_loss(jump_s):
    counts = SourceCounts()
    deliver(counts, range(10_000_000, 10_000_500, 33))
    at_s = 10_000.5
    assert counts.arrived(10_000_510 * MS + jump_s * 1000 * MS, at_s)
    assert not counts.arrived(10_000_543 * MS + jump_s * 1000 * MS, at_s + 0.033)
    assert (counts.clock_jumps, counts.lost, counts.late) == (1, 0, 0)


def test_silence_is_a_loss_but_no_jump_of_the_clock():
    counts = SourceCounts()
    assert not any(deliver(counts, [*range(0, 400, 100), *range(400, 900, 100), 5800]))
    assert (counts.lost, counts.clock_jumps) == (49, 0)
    assert counts.silent_s(6.81) == pytest.approx(1.0)


def test_in_lockstep_a_leap_of_the_simulation_is_neither_loss_nor_jump():
    counts = SourceCounts(realtime=False)
    for step in range(20):
        assert not counts.arrived((step + (50 if step > 10 else 0)) * 100 * MS, step * 0.001)
    assert (counts.lost, counts.clock_jumps) == (0, 0)
    assert counts.arrived(0, 0.03)  # the simulation began anew


def test_the_exact_matcher_counts_what_never_met():
    matcher = ExactMatcher(("a", "b"))
    matcher.add("a", 1, None)
    matcher.add("a", 2, None)
    assert matcher.add("b", 2, None)
    matcher.add("b", 1, None)  # too late
    matcher.add("a", 3, None)
    assert matcher.add("b", 3, None)
    assert (matcher.unmatched, matcher.late) == ({"a": 1}, {"b": 1})


def test_the_exact_matcher_is_not_deaf_after_a_simulation_that_began_anew():
    matcher = ExactMatcher(("a", "b"))
    old = 50 * CLOCK_JUMP_NS
    assert not matcher.add("a", old, None)
    assert matcher.add("b", old, None)
    for k in range(KEPT_SETS):
        assert matcher.add("a", old + 1 + k, None) is None
    made = []
    for k in range(1, 4):
        made += [matcher.add("a", k, None), matcher.add("b", k, None)]
    assert [found.stamp_ns for found in made if found] == [1, 2, 3]


def test_a_clock_set_back_does_not_silence_the_rest_of_an_episode():
    counter = EpisodeCounter(None)
    counter.begin(0, 0)
    stamps = [10 * CLOCK_JUMP_NS, 10 * CLOCK_JUMP_NS - MS, 7 * CLOCK_JUMP_NS, 7 * CLOCK_JUMP_NS + MS]
    made = [counter.number(SensorSet({"a": Part(stamp, None)})) for stamp in stamps]
    assert [step.step if step else None for step in made] == [0, None, 1, 2]


def test_a_report_tells_silence_from_loss_from_health():
    watch = SourceWatch(["a", "b", "c"], patience_s=1.0)
    deliver(watch.counts["a"], range(0, 1000, 100))
    deliver(watch.counts["b"], [*range(0, 800, 100), 900])
    watch.blame(["c", "c"])
    for spread_ms in (12, 30, 7):
        watch.matched(spread_ms * MS)
    a, b, c, matching = watch.reports(now_s=0.95, now_ns=950 * MS)
    assert matching.values == {"observations": "3", "spread_ms": "30.0"}
    assert (a.level, a.message) == (OK, "10.0 Hz")
    assert (a.values["age_ms"], a.values["lost"]) == ("50", "0")
    assert b.level == WARN
    assert b.values["lost"] == "1"
    assert (c.level, c.message, c.values["periods_missed"]) == (ERROR, "nothing yet", "2")
    assert [report.level for report in watch.reports(0.95, 950 * MS)] == [OK, OK, ERROR, OK]
    assert watch.reports(0.95, 950 * MS)[-1].values["observations"] == "0"  # each is said once
    assert watch.reports(3.0, 3000 * MS)[0].message == "silent for 2.1 s"
