# SPDX-License-Identifier: Apache-2.0
"""Who may speak for an actor."""

import pytest

from hilserl_agent.sender import Sender
from hilserl_agent.sessions import SenderBusy, SenderReplaced, Sessions

FIRST = Sender("robot", "first", "outbox a")
RESTARTED = Sender("robot", "restarted", "outbox a")
OTHER = Sender("robot", "other", "outbox b")


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(clock):
    return Sessions(silence_s=10.0, clock=clock)


def test_a_second_live_actor_is_refused_as_long_as_the_first_is_heard(sessions, clock):
    sessions.admit(FIRST)
    clock.now += 9
    with pytest.raises(SenderBusy, match=r"'robot'.*heard 9\.0 s ago.*give each its own"):
        sessions.admit(OTHER)
    sessions.admit(FIRST)
    clock.now += 9
    with pytest.raises(SenderBusy):
        sessions.admit(OTHER)


def test_a_silent_actor_is_replaced_and_refused_when_it_comes_back(sessions, clock):
    sessions.admit(FIRST)
    clock.now += 10
    sessions.admit(OTHER)
    with pytest.raises(SenderReplaced, match="replaced by another one"):
        sessions.admit(FIRST)
    clock.now += 100
    with pytest.raises(SenderReplaced):
        sessions.admit(FIRST)
    sessions.admit(OTHER)


def test_a_restarted_actor_holds_the_same_outbox_and_goes_on_at_once(sessions):
    sessions.admit(FIRST)
    sessions.admit(RESTARTED)
    with pytest.raises(SenderReplaced):
        sessions.admit(FIRST)


def test_actors_of_other_names_do_not_disturb(sessions):
    sessions.admit(FIRST)
    sessions.admit(Sender("robot_b/actor", "x", "y"))
    sessions.admit(FIRST)


@pytest.mark.parametrize("way", ["checkpoint", "log"])
def test_a_restarted_learner_knows_who_was_replaced(sessions, clock, way):
    sessions.admit(FIRST)
    clock.now += 10
    sessions.admit(OTHER)
    again = Sessions(clock=clock)
    if way == "checkpoint":
        again.restore(sessions.state())
    else:
        again.remember(FIRST)
        again.remember(OTHER)
    with pytest.raises(SenderReplaced):
        again.admit(FIRST)
    again.admit(OTHER)
    assert again.state() == sessions.state()


@pytest.mark.parametrize("way", ["checkpoint", "log"])
def test_an_actor_that_outlives_the_learner_is_not_pushed_out_by_another(sessions, clock, way):
    sessions.admit(FIRST)
    again = Sessions(silence_s=10.0, clock=clock)
    if way == "checkpoint":
        again.restore(sessions.state())
    else:
        again.remember(FIRST)
    with pytest.raises(SenderBusy):
        again.admit(OTHER)
    again.admit(FIRST)
    clock.now += 10
    again.admit(OTHER)
