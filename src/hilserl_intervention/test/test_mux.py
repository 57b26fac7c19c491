# SPDX-License-Identifier: Apache-2.0
"""The decision core: every order of arrival gives the same decision, and the person comes first."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hilserl_intervention.buttons import Buttons, Event
from hilserl_intervention.decision import Observed, Source, Wish
from hilserl_intervention.mux import Mux
from hilserl_task import load_task

TASK = load_task(str(Path(__file__).resolve().parents[3] / "config/tasks/ram_insertion.yaml"))
WIDE_BOX = "arms.0.controller.workspace={minimum_m: [-9, -9, -9], maximum_m: [9, 9, 9]}"
WIDE = load_task("ram_insertion", [WIDE_BOX])
SCALE = TASK.arms[0].action.translation_scale_m
STAMP = 1_000_000_000
number = st.floats(-1, 1)
six = st.lists(number, min_size=6, max_size=6).map(np.array)


def pose(vector=(0.5, 0.0, 0.2, 3.0, 0.0, 0.3)):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(vector[3:]).as_matrix()
    matrix[:3, 3] = vector[:3]
    return matrix


def observed(step=0, episode=1, stamp=STAMP, base_T_tcp=None):
    return Observed(episode, step, stamp, (pose() if base_T_tcp is None else base_T_tcp,), (0.0,))


def make(answered=False, task=TASK):
    warnings = []
    return Mux(task, answered, warnings.append), warnings


def see(mux, observation):
    mux.observe(observation, observation.stamp_ns)


def decide(mux, now):
    """The decision when both clocks read the same."""
    return mux.decide(now, now)


def decided(mux, wish_values=(0.1,) * 6, stick=None, now=STAMP, base_T_tcp=None):
    see(mux, observed(base_T_tcp=base_T_tcp))
    if stick is not None:
        mux.stick(STAMP, stick)
    mux.wish(Wish(1, 0, tuple(wish_values), 7))
    return decide(mux, now)


@pytest.mark.parametrize("order", list(itertools.permutations(["observe", "wish", "stick", "joy"])))
@pytest.mark.parametrize("deflected", [False, True])
def test_every_order_of_arrival_gives_the_same_single_decision(order, deflected):
    mux, warnings = make(answered=True)
    stick = [0, 0.5, 0, 0, 0, 0] if deflected else [0] * 6
    arrive = {
        "observe": lambda: see(mux, observed()),
        "wish": lambda: mux.wish(Wish(1, 0, (0.1,) * 6)),
        "stick": lambda: mux.stick(STAMP, stick),
        "joy": lambda: mux.joy(STAMP, [1, 0]),
    }
    decisions = []
    for name in order:
        arrive[name]()
        decision = decide(mux, STAMP)
        if decision is not None:
            decisions.append((name, decision))
    assert [name for name, _ in decisions] == [order[-1]], "decides once, when the last part is in"
    decision = decisions[0][1]
    assert decision.source is (Source.HUMAN if deflected else Source.POLICY)
    assert decision.event is Event.SUCCESS
    assert not warnings


@given(six, six)
def test_executed_person_action_moves_the_arm_along_the_stick(vector, stick):
    stick = stick / 2
    if np.abs(stick).max() <= TASK.operator.deadband:
        return
    base_T_tcp = pose(vector)
    decision = decided(make(task=WIDE)[0], stick=stick, base_T_tcp=base_T_tcp)
    assert decision.source is Source.HUMAN
    np.testing.assert_allclose(
        decision.targets["arm"].base_T_target[:3, 3] - base_T_tcp[:3, 3], stick[:3] * SCALE, atol=1e-9
    )
    np.testing.assert_allclose(base_T_tcp[:3, :3] @ decision.values[:3], stick[:3], atol=1e-9)
    assert np.abs(decision.values).max() <= 1


@given(six)
def test_policy_action_is_executed_as_wished_in_the_tcp_frame(values):
    decision = decided(make()[0], values)
    assert decision.source is Source.POLICY
    assert decision.policy_version == 7
    np.testing.assert_allclose(decision.values, values)
    tcp_T_target = np.linalg.inv(pose()) @ decision.targets["arm"].base_T_target
    np.testing.assert_allclose(tcp_T_target[:3, 3], values[:3] * SCALE, atol=1e-9)


@pytest.mark.parametrize("outside_m", [-0.001, 0.0, 0.05])
@pytest.mark.parametrize("human", [False, True])
def test_nobody_leads_an_arm_out_of_the_workspace_and_nothing_pulls_it_in(outside_m, human):
    here = pose()
    here[0, 3] = edge = TASK.arms[0].controller.workspace.maximum_m[0]
    here[0, 3] += outside_m
    tcp_out = here[:3, :3].T @ [1.0, 0.0, 0.0]
    stick = np.array([1.0, 0, 0, 0, 0, 0]) if human else None
    decision = decided(make()[0], [*tcp_out, 0, 0, 0], stick=stick, base_T_tcp=here)
    assert decision.source is (Source.HUMAN if human else Source.POLICY)
    assert decision.targets["arm"].base_T_target[0, 3] == pytest.approx(edge + max(outside_m, 0.0), abs=1e-12)
    back = decided(make()[0], [*-tcp_out, 0, 0, 0], base_T_tcp=here)
    assert back.targets["arm"].base_T_target[0, 3] == pytest.approx(here[0, 3] - SCALE, abs=1e-9)


@pytest.mark.parametrize("bad", [(np.nan,) * 6, (np.inf, 0, 0, 0, 0, 0), (0.0,) * 5, ()])
def test_unusable_policy_action_holds_the_pose(bad):
    mux, warnings = make()
    decision = decided(mux, bad)
    assert decision.source is Source.HOLD
    np.testing.assert_allclose(decision.targets["arm"].base_T_target, pose(), atol=1e-12)
    assert "holding the pose" in warnings[0]


def test_policy_beyond_the_unit_box_is_clipped():
    np.testing.assert_array_equal(decided(make()[0], (5, -5, 0, 0, 0, 0)).values, [1, -1, 0, 0, 0, 0])


def test_deadband_and_disabled_and_forced():
    within = [TASK.operator.deadband * 0.9, 0, 0, 0, 0, 0]
    assert decided(make()[0], stick=within).source is Source.POLICY
    mux, _ = make()
    mux.enabled = False
    assert decided(mux, stick=[1, 0, 0, 0, 0, 0]).source is Source.POLICY
    mux, _ = make()
    mux.forced = True
    decision = decided(mux)
    assert decision.source is Source.HUMAN
    np.testing.assert_allclose(decision.targets["arm"].base_T_target, pose(), atol=1e-12)


def test_hold_time_keeps_the_person_in_control_between_two_pushes():
    task = load_task(
        str(Path(__file__).resolve().parents[3] / "config/tasks/ram_insertion.yaml"), ["operator.hold_s=0.5"]
    )
    mux, _ = make(task=task)
    assert decided(mux, stick=[1, 0, 0, 0, 0, 0]).source is Source.HUMAN
    for step, seconds, expected in [(1, 0.3, Source.HUMAN), (2, 0.6, Source.POLICY)]:
        now = STAMP + int(seconds * 1e9)
        mux.stick(now, [0] * 6)
        see(mux, observed(step, stamp=now))
        mux.wish(Wish(1, step, (0.0,) * 6))
        assert decide(mux, now).source is expected


def test_silent_device_stops_steering_and_its_buttons_are_released():
    mux, _ = make()
    mux.joy(STAMP, [1])
    late = STAMP + int((TASK.operator.timeout_s + 0.01) * 1e9)
    decision = decided(mux, stick=[1, 0, 0, 0, 0, 0], now=late)
    assert decision.source is Source.POLICY
    assert decision.event is Event.SUCCESS, "the press itself happened"
    assert not decision.success_pressed


def test_wishes_for_other_steps_are_refused_or_wait():
    mux, warnings = make()
    see(mux, observed(step=0))
    mux.wish(Wish(1, 1, (0.0,) * 6))
    assert decide(mux, STAMP) is None, "the observation it answers is not here yet"
    see(mux, observed(step=1))
    assert decide(mux, STAMP) is not None
    mux.wish(Wish(1, 1, (0.0,) * 6))
    assert decide(mux, STAMP) is None, "the same wish again is not executed twice"
    assert not warnings
    mux.wish(Wish(1, 0, (0.0,) * 6))
    assert decide(mux, STAMP) is None, "in lockstep nothing is late: this one was answered by another mux"
    assert "late" in warnings[0]
    see(mux, observed(step=0))
    assert "after" in warnings[1]


def test_nan_stick_is_neutral():
    mux, warnings = make()
    assert decided(mux, stick=[np.nan] * 6).source is Source.POLICY
    assert "stick" in warnings[0]


def test_buttons_count_by_edge():
    buttons = Buttons()
    buttons.update([1, 0])
    assert buttons.take_event() is Event.SUCCESS
    buttons.update([1, 0])
    assert buttons.take_event() is Event.NONE
    assert buttons.success_pressed
    buttons.update([0, 0])
    buttons.update([1, 1])
    assert buttons.take_event() is Event.DISCARD, "of two edges in a step the graver wins"
    assert buttons.take_event() is Event.NONE


def test_devices_with_many_or_no_buttons():
    buttons = Buttons()
    buttons.update([0] * 14 + [1])
    assert buttons.take_event() is Event.NONE
    buttons.update([])
    assert not buttons.success_pressed


def test_a_press_between_episodes_does_not_end_the_next_one():
    mux, _ = make()
    assert decided(mux).event is Event.NONE
    mux.joy(STAMP, [0, 1])
    mux.joy(STAMP, [0, 0])
    later = STAMP + 1_000_000
    see(mux, observed(step=0, episode=2, stamp=later))
    mux.wish(Wish(2, 0, (0.0,) * 6))
    assert decide(mux, later).event is Event.NONE


REALTIME = load_task(
    str(Path(__file__).resolve().parents[3] / "config/tasks/ram_insertion.yaml"), ["pacing=realtime"]
)
PERIOD_NS = int(REALTIME.period_s * 1e9)


def test_realtime_a_late_policy_action_is_answered_by_standing_still():
    mux, warnings = make(task=REALTIME)
    mux.stick(STAMP, [1, 0, 0, 0, 0, 0])
    for step in range(4):
        see(mux, observed(step, stamp=STAMP + step * PERIOD_NS))
    answers = []
    for step in range(4):
        mux.wish(Wish(1, step, (0.5,) * 6, policy_version=9, stamp_ns=STAMP + step * PERIOD_NS))
        answers.append(decide(mux, STAMP + 3 * PERIOD_NS))
        assert decide(mux, STAMP + 3 * PERIOD_NS) is None
    for step, late in enumerate(answers[:3]):
        assert late.observed.key == (1, step)
        assert late.observed.stamp_ns == STAMP + step * PERIOD_NS
        assert late.source is Source.HOLD
        np.testing.assert_array_equal(late.values, np.zeros(6))
        np.testing.assert_array_equal(late.policy_values, np.full(6, 0.5))
        assert late.targets == {}
    assert answers[3].source is not Source.HOLD
    assert len(answers[3].targets) == 1
    assert all("late" in warning for warning in warnings)
    assert len(warnings) == 3


def test_lockstep_never_answers_a_late_policy_action():
    mux, _ = make()
    for step in range(2):
        see(mux, observed(step, stamp=STAMP + step * PERIOD_NS))
    mux.wish(Wish(1, 0, (0.5,) * 6))
    assert decide(mux, STAMP + PERIOD_NS) is None


@pytest.mark.parametrize(("periods", "moves"), [(2.5, True), (3.0, False)])
def test_realtime_nothing_moves_from_an_old_pose(periods, moves):
    """max_age_s is 0.8 periods here: a target is made of a pose up to 2.8 periods old."""
    mux, warnings = make(task=REALTIME)
    mux.joy(STAMP, [0, 1])
    decision = decided(mux, now=STAMP + int(periods * PERIOD_NS))
    assert (decision.source is Source.POLICY) == moves
    assert (decision.targets != {}) == moves
    assert decision.event is Event.DISCARD
    assert bool(warnings) != moves
    assert mux.fresh(STAMP + int(periods * PERIOD_NS)) == moves


@pytest.mark.parametrize("wish_first", [False, True])
@pytest.mark.parametrize("answered", [False, True])
def test_episode_numbers_may_start_again(wish_first, answered):
    mux, warnings = make(answered)
    stamp = STAMP
    for episode, step in [(0, 0), (0, 1), (4, 0), (4, 1), (0, 0), (0, 1), (0, 0)]:
        stamp += PERIOD_NS
        arrive = [
            lambda e=episode, k=step, at=stamp: see(mux, observed(k, episode=e, stamp=at)),
            lambda e=episode, k=step, at=stamp: mux.wish(Wish(e, k, (0.1,) * 6, stamp_ns=at)),
        ]
        for part in reversed(arrive) if wish_first else arrive:
            part()
        if answered:
            assert decide(mux, stamp) is None
            mux.stick(stamp, [0] * 6)
            mux.joy(stamp, [0])
        assert decide(mux, stamp).observed.key == (episode, step)
        mux.wish(Wish(episode, step, (0.1,) * 6, stamp_ns=stamp))
        assert decide(mux, stamp) is None, "once"
    assert not warnings


def test_what_an_earlier_run_left_behind_is_not_its_successors():
    mux, _ = make()
    see(mux, observed(step=0, episode=0))
    mux.wish(Wish(0, 3, (0.9,) * 6, stamp_ns=STAMP))
    see(mux, observed(step=3, episode=0, stamp=STAMP - 1))
    assert decide(mux, STAMP) is not None
    mux.wish(Wish(1, 0, (0.9,) * 6, stamp_ns=STAMP))  # its observation never comes
    see(mux, observed(step=0, episode=1, stamp=STAMP + 1))
    assert decide(mux, STAMP) is None
    see(mux, observed(step=0, episode=0, stamp=STAMP))
    assert mux.observed.key == (1, 0), "an old step 0 that is sent again begins nothing"


def test_names_of_warnings_hold_no_numbers():
    """The part before the colon names the diagnostic, and repeats of a name are limited."""
    mux, warnings = make(task=REALTIME)
    for step in range(2):
        see(mux, observed(step, stamp=STAMP + step * PERIOD_NS))
    see(mux, observed(0))
    for step, values in [(0, (0.0,) * 6), (1, (np.nan,) * 6), (0, (0.0,) * 6)]:
        mux.wish(Wish(1, step, values))
        decide(mux, STAMP + PERIOD_NS)
    mux.stick(STAMP, [np.nan] * 6)
    see(mux, observed(2))
    mux.wish(Wish(1, 2, (0.0,) * 6))
    decide(mux, STAMP + 10 * PERIOD_NS)
    names = [warning.partition(":")[0] for warning in warnings]
    assert len(names) == 6
    assert not [name for name in names if any(character.isdigit() for character in name)]
