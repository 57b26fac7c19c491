# SPDX-License-Identifier: Apache-2.0
"""Sorting messages into episodes, whatever their order."""

import importlib.util
import random
from pathlib import Path

import pytest

from hilserl_recorder.episode_buffer import EpisodeBuffer, Recorded
from hilserl_ros import codec

_spec = importlib.util.spec_from_file_location("episodes", Path(__file__).with_name("episodes.py"))
episodes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(episodes)


def recorded(kind, message):
    return Recorded(f"/{kind}", codec.ns_from_stamp(message.header.stamp), message)


def fill(buffer, items, now_s=0.0):
    for kind, message in items:
        if kind == "state":
            buffer.add_state(recorded(kind, message))
        elif kind == "episode":
            buffer.end(recorded(kind, message), now_s)
        else:
            buffer.add(kind, recorded(kind, message))


def names(messages):
    return sorted((m.topic, getattr(m.message, "step", -1), m.message.header.stamp.sec) for m in messages)


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_arrival_gives_the_same_bag(seed):
    items = [*episodes.whole(0, 4), ("episode", episodes.summary(0, 4))]
    straight, mixed = EpisodeBuffer(5.0), EpisodeBuffer(5.0)
    fill(straight, items)
    # States carry no episode number, so they come in time; the others overtake one another.
    rest = [item for item in items if item[0] != "state"]
    first = rest.pop(0)
    random.Random(seed).shuffle(rest)
    fill(mixed, [*[item for item in items if item[0] == "state"], first, *rest])
    expected = straight.take_whole()
    assert len(expected) == len(items)
    assert names(mixed.take_whole()) == names(expected)
    assert straight.take_whole() is None


def test_messages_are_in_time_and_the_summary_ends_the_bag():
    buffer = EpisodeBuffer(5.0)
    fill(buffer, [*episodes.whole(2, 3), ("episode", episodes.summary(2, 3))])
    stamps = [message.stamp_ns for message in buffer.take_whole()]
    assert stamps == sorted(stamps)
    assert stamps[-1] == episodes.stamp_of(2, 3)


def test_summary_before_the_last_parts_waits_for_them():
    buffer = EpisodeBuffer(5.0)
    items = list(episodes.whole(0, 3))
    fill(buffer, [*items[:-2], ("episode", episodes.summary(0, 3))])
    assert buffer.take_whole() is None
    fill(buffer, items[-2:])
    assert buffer.take_whole() is not None


def test_a_gap_is_named_after_the_patience():
    buffer = EpisodeBuffer(5.0)
    lost = [(k, m) for k, m in episodes.whole(7, 3) if not (k == "executed_action" and m.step == 1)]
    fill(buffer, [*lost, ("episode", episodes.summary(7, 3))], now_s=100.0)
    assert buffer.take_whole() is None
    assert buffer.take_broken(104.9) is None
    assert buffer.take_broken(105.1) == (7, "executed_action of steps [1]")
    assert buffer.take_broken(200.0) is None
    assert not buffer.recording


def test_the_tail_of_a_realtime_episode_is_left_out():
    buffer = EpisodeBuffer(5.0)
    tail = [("observation", episodes.observation(0, 4)), ("state", episodes.controller_state(0, 4))]
    fill(buffer, [*episodes.whole(0, 3), *tail, ("episode", episodes.summary(0, 3))])
    messages = buffer.take_whole()
    assert max(getattr(m.message, "step", 0) for m in messages) == 3
    assert max(m.stamp_ns for m in messages) == episodes.stamp_of(0, 3)
    fill(buffer, [("observation", episodes.observation(0, 5))])
    assert not buffer.recording


def test_states_belong_to_the_episode_in_whose_time_they_fall():
    buffer = EpisodeBuffer(5.0)
    outside = [
        ("state", episodes.controller_state(0, 0, -1)),
        ("state", episodes.controller_state(0, 2, 50_000_000)),
    ]
    fill(buffer, [*outside, *episodes.whole(0, 2), ("episode", episodes.summary(0, 2))])
    states = [m for m in buffer.take_whole() if m.topic == "/state"]
    assert len(states) == 3


def test_two_episodes_in_flight():
    buffer = EpisodeBuffer(5.0)
    first, second = list(episodes.whole(0, 2)), list(episodes.whole(1, 3))
    fill(buffer, [*first[:-1], *second, ("episode", episodes.summary(0, 2))])
    fill(buffer, [first[-1]])
    assert {m.message.episode for m in buffer.take_whole() if m.topic != "/state"} == {0}
    fill(buffer, [("episode", episodes.summary(1, 3))])
    assert {m.message.episode for m in buffer.take_whole() if m.topic != "/state"} == {1}


def test_an_actor_that_starts_again_uses_numbers_twice():
    """Episode 0 broke off with its actor; the next actor's episode 0 must not be mixed with it."""
    buffer = EpisodeBuffer(5.0)
    torso = [
        ("observation", episodes.observation(0, 0, stamp_ns=5)),
        ("executed_action", episodes.action(0, 0)),
    ]
    fill(buffer, torso)
    fill(buffer, [*episodes.whole(0, 2), ("episode", episodes.summary(0, 2))])
    messages = buffer.take_whole()
    assert min(m.stamp_ns for m in messages) == episodes.stamp_of(0, 0)
    fill(buffer, [*episodes.whole(0, 2), ("episode", episodes.summary(0, 2))])
    assert buffer.take_whole() is not None  # and once more after it was closed


def test_a_latched_summary_of_the_past_is_ignored():
    buffer = EpisodeBuffer(5.0)
    fill(buffer, [("episode", episodes.summary(41, 9))])
    assert not buffer.recording
    assert buffer.take_broken(1e9) is None


def test_the_last_controller_state_may_come_last_of_all():
    items = list(episodes.whole(0, 2))
    late = [item for item in items if item[0] == "state"][-1]
    buffer = EpisodeBuffer(5.0)
    fill(buffer, [*[item for item in items if item is not late], ("episode", episodes.summary(0, 2))], 100.0)
    assert buffer.take_whole(100.1) is None
    fill(buffer, [late])
    assert sum(m.topic == "/state" for m in buffer.take_whole(100.2)) == 3


def test_a_controller_that_has_fallen_silent_does_not_hold_up_an_episode():
    items = [item for item in episodes.whole(0, 2) if item[0] != "state"]
    buffer = EpisodeBuffer(5.0)
    fill(
        buffer,
        [("state", episodes.controller_state(0, 0)), *items, ("episode", episodes.summary(0, 2))],
        100.0,
    )
    assert buffer.take_whole(100.4) is None
    assert buffer.take_broken(100.6) is None
    assert buffer.take_whole(100.6) is not None
