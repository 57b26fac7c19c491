# SPDX-License-Identifier: Apache-2.0
"""The assembling logic, without ROS."""

from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilserl_observation.assembler import (
    KEPT_SETS,
    EpisodeCounter,
    ExactMatcher,
    LatestMatcher,
    Part,
    SensorSet,
)

SOURCES = ("left", "right", "arm")
PERIOD_NS = 100_000_000
MAX_AGE_NS = 80_000_000


def sensors(*stamps_ns: int) -> SensorSet:
    return SensorSet({f"s{i}": Part(stamp, None) for i, stamp in enumerate(stamps_ns)})


ARRIVALS = [("left", 1), ("left", 2), ("right", 1), ("right", 2)]
# A topic keeps its own order; between topics there is none.
ORDERS = [
    order
    for order in permutations(ARRIVALS)
    if all(order.index((source, 1)) < order.index((source, 2)) for source in ("left", "right"))
]


@pytest.mark.parametrize("order", ORDERS)
def test_equal_stamps_meet_in_any_order_of_arrival(order):
    matcher = ExactMatcher(("left", "right"))
    complete = [made for source, stamp in order if (made := matcher.add(source, stamp, (source, stamp)))]
    assert [made.stamp_ns for made in complete] == [1, 2]
    for made in complete:
        values = {source: part.value for source, part in made.parts.items()}
        assert values == {source: (source, made.stamp_ns) for source in ("left", "right")}


def test_unequal_stamps_never_meet_and_do_not_pile_up():
    matcher = ExactMatcher(SOURCES)
    for stamp in range(100):
        assert matcher.add(SOURCES[stamp % 3], stamp, None) is None
    assert len(matcher._sets) == KEPT_SETS
    assert matcher.missing() == ["arm", "right"]  # 99 % 3 == 0: only "left" is there


@given(st.lists(st.tuples(st.sampled_from(SOURCES), st.integers(0, 5)), max_size=60))
def test_exact_sets_are_complete_and_have_one_stamp(arrivals):
    matcher = ExactMatcher(SOURCES)
    made = [found for source, stamp in arrivals if (found := matcher.add(source, stamp, None))]
    assert all(found.oldest_ns == found.stamp_ns for found in made)
    assert all(found.parts.keys() == set(SOURCES) for found in made)


def test_latest_needs_every_source_fresh_and_says_which_is_not():
    matcher = LatestMatcher(SOURCES, MAX_AGE_NS)
    now = 10 * PERIOD_NS
    matcher.add("left", now, "l")
    matcher.add("right", now - MAX_AGE_NS - 1_000_000, "r")
    assert matcher.current(now) is None
    reasons = matcher.missing(now)
    assert reasons["arm"] == "nothing yet"
    assert reasons["right"] == "0.081 s old, limit 0.08 s"
    assert "left" not in reasons
    matcher.add("right", now - MAX_AGE_NS, "r")
    matcher.add("arm", now - 1, "a")
    made = matcher.current(now)
    assert made is not None
    assert (made.stamp_ns, made.oldest_ns) == (now, now - MAX_AGE_NS)
    assert matcher.current(now + 1) is None


def test_latest_keeps_the_newest_and_believes_a_clock_set_back():
    matcher = LatestMatcher(["a"], MAX_AGE_NS)
    now = 5_000_000_000
    matcher.add("a", now, "new")
    matcher.add("a", now - 1, "late")
    assert matcher.current(now).parts["a"].value == "new"
    assert "clocks differ" in matcher.missing(now - 2_000_000_000)["a"]
    matcher.add("a", now - 2_000_000_000, "after the clock was set")
    assert matcher.current(now - 2_000_000_000).parts["a"].value == "after the clock was set"


def test_nothing_is_numbered_before_an_episode_is_announced():
    counter = EpisodeCounter(PERIOD_NS)
    assert counter.idle
    assert counter.number(sensors(PERIOD_NS)) is None


def test_a_set_that_came_before_the_announcement_becomes_step_0():
    counter = EpisodeCounter(PERIOD_NS)
    counter.number(sensors(1 * PERIOD_NS))
    counter.number(sensors(7 * PERIOD_NS))
    step = counter.begin(3, 7 * PERIOD_NS)
    assert (step.episode, step.step, step.sensors.stamp_ns) == (3, 0, 7 * PERIOD_NS)
    assert counter.number(sensors(8 * PERIOD_NS)).step == 1


def test_a_part_from_before_the_reset_keeps_a_set_out():
    counter = EpisodeCounter(None)
    counter.begin(0, 1000)
    assert counter.number(sensors(999, 1005)) is None
    assert counter.waiting
    assert counter.number(sensors(1000, 1005)).first


def test_lockstep_end_of_a_reset_is_not_a_step_of_the_old_episode():
    counter = EpisodeCounter(PERIOD_NS)
    counter.begin(0, 0)
    assert counter.number(sensors(PERIOD_NS)).step == 0
    assert counter.number(sensors(2 * PERIOD_NS)).step == 1
    assert counter.number(sensors(7 * PERIOD_NS)) is None
    step = counter.begin(1, 7 * PERIOD_NS)
    assert (step.episode, step.step) == (1, 0)


def test_lockstep_an_episode_may_begin_at_the_last_moment_of_the_one_before():
    """The world stands still until the new episode's first action, so nothing newer would ever come."""
    counter = EpisodeCounter(PERIOD_NS)
    counter.begin(0, PERIOD_NS)
    assert counter.number(sensors(PERIOD_NS)).step == 0
    assert counter.number(sensors(2 * PERIOD_NS)).step == 1
    assert counter.begin(1, 3 * PERIOD_NS) is None
    assert counter.number(sensors(3 * PERIOD_NS)).step == 0
    step = counter.begin(2, 3 * PERIOD_NS)
    assert (step.episode, step.step, step.sensors.stamp_ns) == (2, 0, 3 * PERIOD_NS)
    assert counter.number(sensors(4 * PERIOD_NS)).step == 1


def test_realtime_the_last_moment_is_not_used_twice():
    counter = EpisodeCounter(None)
    counter.begin(0, 0)
    counter.number(sensors(1000))
    assert counter.begin(1, 1000) is None


def test_a_cancelled_episode_yields_nothing():
    counter = EpisodeCounter(None)
    counter.begin(0, 0)
    counter.cancel()
    assert counter.idle
    assert counter.number(sensors(5)) is None


@given(st.lists(st.one_of(st.integers(0, 40), st.tuples(st.integers(0, 40))), max_size=60), st.booleans())
def test_steps_count_up_without_gaps_and_never_go_back_in_time(events, lockstep):
    counter = EpisodeCounter(3 if lockstep else None)
    made, not_before = [], {}
    for episode, event in enumerate(events):
        if isinstance(event, tuple):
            not_before[episode] = event[0]
            step = counter.begin(episode, event[0])
        else:
            step = counter.number(sensors(event))
        made += [step] if step else []
    for step in made:
        assert step.sensors.oldest_ns >= not_before[step.episode]
    for before, after in pairwise(made):
        assert (after.episode, after.step) == (before.episode, before.step + 1) or after.step == 0
        if after.step:
            distance = after.sensors.stamp_ns - before.sensors.stamp_ns
            assert distance == 3 if lockstep else distance > 0
