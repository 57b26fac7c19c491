# SPDX-License-Identifier: Apache-2.0
"""Every order in which a small world's events can reach the mux, and long random ones against a model."""

from functools import cache

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hilserl_intervention.buttons import Event
from hilserl_intervention.decision import Observed, Source, Wish
from hilserl_intervention.mux import Mux
from hilserl_task import load_task

SHARED = ["arms.0.gripper.mode=learned", "arms.0.gripper.position=1", "operator.kind=person"]
REALTIME = load_task("ram_insertion", [*SHARED, "pacing=realtime"])
SCRIPTED = load_task("ram_insertion", [*SHARED[:2], "operator.kind=scripted"])
PERIOD = 100_000_000
PUSH = [0, 0.5, 0, 0, 0, 0]


def pose(x=0.5):
    matrix = np.diag([1.0, -1.0, -1.0, 1.0])
    matrix[0, 3] = x
    return matrix


def observed(episode, step, stamp):
    return Observed(episode, step, stamp, (pose(0.5 + 0.001 * step),), (1.0,))


# --- all orders of a short run ---------------------------------------------------------------------------

# What each sender sends, in its order. Episode 1 has two actions; its last observation is answered by none.
STREAMS = {
    "person": (
        ["o10", "o11", "o12", "o20"],
        ["w10", "w11", "w20"],
        ["push", "press"],
        ["end"],
    ),
    "scripted": (
        ["o10", "o11", "o12", "o20"],
        ["w10", "w11", "w20"],
        ["d10", "d11", "d12", "d20"],
        ["end"],
    ),
}
# An event and what must have reached the mux before, because its sender waits for it, directly or not.
CAUSES = {"w11": {"o10"}, "w20": {"o12"}, "end": {"w11"}, "o20": {"w11"}}
# In lockstep the world waits for the answer to its last observation, and that for the person.
LOCKSTEP_CAUSES = {
    "o11": {"o10", "w10", "d10"},
    "w11": {"o10", "w10", "d10"},
    "d11": {"o10", "w10", "d10"},
    "o12": {"o11", "w11", "d11"},
    "d12": {"o11", "w11", "d11"},
    "end": {"o11", "w11", "d11"},
    "o20": {"end"},
    "d20": {"end"},
    "w20": {"end"},
}


@cache
def orders(kind):
    """All interleavings of the streams that respect their causes."""
    causes = CAUSES | (LOCKSTEP_CAUSES if kind == "scripted" else {})
    found = []

    def extend(order, streams):
        if not any(streams):
            found.append(order)
        for number, stream in enumerate(streams):
            if stream and (stream[0] not in causes or causes[stream[0]] <= set(order)):
                rest = (*streams[:number], stream[1:], *streams[number + 1 :])
                extend((*order, stream[0]), rest)

    extend((), STREAMS[kind])
    return found


STAMPS = {"10": PERIOD, "11": 2 * PERIOD, "12": 3 * PERIOD, "20": 9 * PERIOD}


class ShortRun:
    """Plays an order to a mux; `log` has every event with the decision that followed it, if any."""

    def __init__(self, kind, enabled=True):
        self.mux = Mux(REALTIME if kind == "person" else SCRIPTED, kind == "scripted", lambda text: None)
        self.mux.enabled, self.scripted = enabled, kind == "scripted"
        self.now = 9 * PERIOD if self.scripted else 3 * PERIOD

    def play(self, order):
        self.log = []
        for event in order:
            self.now += 1000
            getattr(self, f"_{event[0]}")(event)
            decision = self._decide()
            self.log.append((event, decision))
            assert decision is None or self._decide() is None
        return self.log

    def _clock(self):
        newest = self.mux.observed
        return newest.stamp_ns if self.scripted and newest else self.now

    def _decide(self):
        return self.mux.decide(self._clock(), self.now)

    def _o(self, event):
        number = event[1:]
        seen = observed(int(number[0]), int(number[1]), STAMPS[number])
        if number == "20" and not self.scripted:
            self.now += 6 * PERIOD
        self.mux.observe(seen, seen.stamp_ns if self.scripted else self.now)

    def _w(self, event):
        number = event[1:]
        values = (0.25,) * 6 + (-1.0 if number == "10" else 0.0,)
        self.mux.wish(Wish(int(number[0]), int(number[1]), values, 1, STAMPS[number]))

    def _d(self, event):
        """The scripted person pushes in the first step, and presses success then."""
        number = event[1:]
        first = number == "10"
        self.mux.stick(STAMPS[number], PUSH if first else [0] * 6)
        self.mux.joy(STAMPS[number], [int(first)])

    def _p(self, event):
        if event == "push":
            self.mux.stick(self.now, PUSH)
        else:
            self.mux.joy(self.now, [1])

    def _e(self, event):
        self.mux.end_episode(1)


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("kind", list(STREAMS))
def test_in_every_order_every_wish_has_one_answer_and_no_event_is_lost_or_doubled(kind, enabled):
    assert len(orders(kind)) > 20
    for order in orders(kind):
        log = ShortRun(kind, enabled).play(order)
        decisions = [decision for _, decision in log if decision is not None]
        keys = [decision.observed.key for decision in decisions]
        assert keys == [(1, 0), (1, 1), (2, 0)], order
        if not enabled:
            assert Source.HUMAN not in [decision.source for decision in decisions], order
        _check_press(order, log)
        _check_moves(log)
        assert [decision.values[6] for decision in decisions] == _grippers(decisions), order


def _check_press(order, log):
    """The press is the event of the first decision after it, unless the episode in which it came is over."""
    pressed = order.index("press") if "press" in order else order.index("d10")
    later = [(i, decision) for i, (_, decision) in enumerate(log) if decision is not None and i >= pressed]
    expected = later[0][1].observed.key if later else None
    begins = [] if "d10" in order else [order.index("o10"), order.index("o20")]
    if later and any(pressed < begin <= later[0][0] for begin in begins):
        expected = None  # pressed while no episode ran, or after the last action of one: it ends nothing
    events = {decision.observed.key: decision.event for _, decision in log if decision is not None}
    assert [key for key, event in events.items() if event is Event.SUCCESS] == (
        [expected] if expected else []
    ), order


def _check_moves(log):
    """Only from the newest observation, and not when its episode is over; a late answer stands still."""
    newest, over = None, False
    for event, decision in log:
        over |= event == "end" and newest is not None
        if event.startswith("o"):
            newest = (int(event[1]), int(event[2]))
        if decision is None:
            continue
        ended = over and decision.observed.episode == 1
        assert bool(decision.targets) == (decision.observed.key == newest and not ended)
        if not decision.targets:
            assert decision.source is Source.HOLD
            assert not decision.values.any()


def _grippers(decisions):
    """Commands that may have been executed: the policy's, where the policy decided."""
    return [decision.policy_values[6] if decision.source is Source.POLICY else 0.0 for decision in decisions]


# --- long random runs against a model --------------------------------------------------------------------

stick = st.one_of(st.just([0.0] * 6), st.just(PUSH), st.just([np.nan] * 6), st.just([0.01, 0, 0, 0, 0, 0]))
wished = st.one_of(
    st.tuples(*[st.sampled_from([-1.0, -0.3, 0.0, 0.7])] * 7), st.just((np.nan,) * 7), st.just((0.0,) * 3)
)
levels = st.lists(st.integers(0, 1), min_size=0, max_size=5)


class World(RuleBasedStateMachine):
    """A robot that goes on by the clock, a policy that is sometimes late, a person and a window."""

    @initialize()
    def start(self):
        self.task, self.now = REALTIME, 10_000 * PERIOD
        self.mux = Mux(self.task, False, lambda text: None)
        self.episode, self.step, self.over = 0, -1, False
        self.sent, self.answered = set(), set()
        self.pending, self.levels, self.toggle, self.joy_at = set(), (), False, None
        self.stick, self.stick_at = [0.0] * 6, None
        self.open, self.changed_at = True, None
        self.stamps = {}

    # what happens

    @rule(milliseconds=st.sampled_from([1, 20, 90, 150, 250, 700]))
    def time_passes(self, milliseconds):
        self.now += milliseconds * 1_000_000

    @precondition(lambda self: self.step >= 0)
    @rule()
    def observation(self):
        self.step += 1
        self._observe()

    @rule(again=st.booleans())
    def next_episode(self, again):
        """Numbers may start again."""
        self.episode = 0 if again else self.episode + 1
        self.step, self.over = 0, False
        self.sent, self.answered, self.stamps = set(), set(), {}
        self.pending, self.toggle = set(), False
        self.open, self.changed_at = True, None
        self.now += 1_000_000
        self._observe()

    def _observe(self):
        self.stamps[self.step] = self.now
        self.mux.observe(observed(self.episode, self.step, self.now), self.now)
        self._decide()

    @rule(values=wished, back=st.sampled_from([0, 0, 0, 1]))
    def wish(self, values, back):
        """The policy answers observations in order, each once, the newest or one before."""
        step = self.step - back
        if step < 0 or any(step <= other for other in self.sent):
            return
        self.sent.add(step)
        self.mux.wish(Wish(self.episode, step, values, 1, self.stamps[step]))
        decision = self._decide()
        assert decision is not None, "every wish has its answer"
        assert decision.observed.key == (self.episode, step)

    @rule(deflection=stick)
    def device_moves(self, deflection):
        self.stick, self.stick_at = deflection, self.now
        self.mux.stick(self.now, deflection)
        assert self._decide() is None

    @rule(now=levels)
    def device_buttons(self, now):
        if self.joy_at is not None and self._silent(self.joy_at) and self.released:
            self.levels = ()
        before = (*self.levels, *[0] * 5)
        edges = [i for i, level in enumerate(now) if level and not before[i]]
        self.pending |= {(Event.SUCCESS, Event.DISCARD, Event.FAILURE)[i] for i in edges if i < 3}
        self.toggle ^= 3 in edges
        self.levels, self.joy_at, self.released = tuple(now), self.now, False
        self.mux.joy(self.now, now)
        assert self._decide() is None

    released = False

    @rule(event=st.sampled_from(list(Event)))
    def window(self, event):
        accepted = self.mux.press(event)
        assert accepted == (self.step >= 0 and not self.over and event is not Event.NONE)
        if accepted:
            self.pending.add(event)
            self.windowed = True

    @rule()
    def end(self):
        """What a window pressed is forgotten; a device's press waits for the next begin, which forgets it."""
        if self.step >= 0 and not self.pending:
            self.mux.end_episode(self.episode)
            self.over = True

    @rule(enabled=st.booleans(), forced=st.booleans())
    def people(self, enabled, forced):
        self.mux.enabled, self.mux.forced = enabled, forced

    # what must hold

    def _silent(self, at):
        return self.now - at > self.task.operator.timeout_s * 1e9

    def _decide(self):
        decision = self.mux.decide(self.now, self.now)
        if decision is not None:
            self._check(decision)
            assert self.mux.decide(self.now, self.now) is None
        return decision

    def _check(self, decision):
        key = decision.observed.key
        assert key not in self.answered, "answered twice"
        self.answered.add(key)
        assert decision.event == max(self.pending, default=Event.NONE)
        self.pending = set()
        # Silence is noticed by decisions: one that comes before it says nothing about a button held after it.
        self.released |= self.joy_at is not None and self._silent(self.joy_at)
        self._check_person(decision)
        self._check_movement(decision)
        self._check_gripper(decision)

    def _check_person(self, decision):
        assert decision.arm_sources == (decision.source,)
        if not self.mux.enabled:
            self.toggle = False if decision.targets else self.toggle
            assert decision.source is not Source.HUMAN
        elif decision.source is Source.HUMAN:
            deflected = self.stick_at is not None and not np.isnan(self.stick).any()
            deflected = deflected and max(np.abs(self.stick)) > self.task.operator.deadband
            fresh = deflected and not self._silent(self.stick_at)
            assert fresh or self.mux.forced or self.toggle

    def _check_movement(self, decision):
        age_s = (self.now - decision.observed.stamp_ns) / 1e9
        fresh = age_s <= self.task.observation.max_age_s + 2 * self.task.period_s
        newest = decision.observed.key == (self.episode, self.step)
        assert bool(decision.targets) == (fresh and newest and not self.over)
        assert np.abs(decision.values).max() <= 1
        if decision.source is Source.HOLD:
            assert not decision.values.any()
        if decision.source is Source.POLICY:
            np.testing.assert_array_equal(decision.values[:6], decision.policy_values[:6])

    def _check_gripper(self, decision):
        value, stamp = decision.values[6], decision.observed.stamp_ns
        if abs(value) >= 0.5 and (value > 0) != self.open:
            assert decision.targets, "nothing changes on an old observation"
            assert self.changed_at is None or stamp - self.changed_at >= 0.6e9
            self.open, self.changed_at = value > 0, stamp
            if decision.source is Source.HUMAN:
                assert self.toggle
                self.toggle = False
        elif decision.source is Source.HUMAN and self.toggle:
            assert stamp - self.changed_at < 0.6e9, "a press waits for nothing but the pause"

    @invariant()
    def gripper_stays(self):
        position = self.mux.gripper_positions[0]
        assert position is None if self.step < 0 else position == float(self.open)


World.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestRandomRuns = World.TestCase
