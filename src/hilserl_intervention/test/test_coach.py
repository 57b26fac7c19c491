# SPDX-License-Identifier: Apache-2.0
"""The coach on made-up streams of episodes."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilserl_intervention.coach import QUIET, Coach, Level
from hilserl_intervention.coach_window import Episode, figures
from hilserl_intervention.decision import Source
from hilserl_task import load_task

TASK = load_task("ram_insertion")
SPEC = TASK.operator.coach
P, H, X = Source.POLICY, Source.HUMAN, Source.HOLD


class Training:
    """Plays episodes to a coach: one character a step, P policy, H person, X nobody."""

    def __init__(self, task=TASK):
        self.coach, self.episode = Coach(task), -1

    def begin(self):
        self.episode += 1
        self.step = 0

    def steps(self, sources, moving=True):
        """Codes that were said during these steps."""
        said = []
        for letter in sources:
            place = 0.01 * self.step if moving else 0.0
            self.coach.observe(self.episode, self.step, [[place, 0, 0]])
            self.coach.execute(self.episode, self.step, {"P": P, "H": H, "X": X}[letter])
            said.append(self.coach.advice().code)
            self.step += 1
        return said

    def play(self, sources, success, times=1):
        """Whole episodes; the advice after the last."""
        for _ in range(times):
            self.begin()
            self.steps(sources)
            human, segments = sources.count("H"), len([run for run in sources.split("P") if "H" in run])
            self.coach.finish(self.episode, success, len(sources), human, segments)
        return self.coach.advice()


def test_nothing_is_said_before_there_is_something_to_say():
    training = Training()
    assert training.coach.advice() is QUIET
    assert isnan(training.coach.figures().success_rate)
    assert training.play("P" * 60, False, SPEC.minimum_episodes - 1) is QUIET
    assert training.play("P" * 60, False).code == "help_more"


def test_long_sparse_takeovers_that_end_in_success_are_warned_of():
    training = Training()
    advice = training.play("P" * 20 + "H" * 50, True, 8)
    assert (advice.level, advice.code) == (Level.WARNING, "long_and_sparse")
    assert "8 of the last 8" in advice.text
    assert "5.0 s" in advice.text
    assert f"{SPEC.short_s:g} s" in advice.text


@pytest.mark.parametrize(
    ("sources", "success", "why"),
    [
        ("P" * 25 + "H" * 15 + "P" * 20 + "H" * 15 + "P" * 10, True, "short corrections, several"),
        ("P" * 20 + "H" * 50, False, "long ones that fail teach no wrong value"),
        ("P" * 60 + "H" * 15, True, "one short correction"),
        ("P" * 5 + "H" * 45 + "P" * 5 + "H" * 45, True, "long but not sparse: too much help altogether"),
    ],
)
def test_other_patterns_are_not_that_pattern(sources, success, why):
    assert Training().play(sources, success, 20).code != "long_and_sparse", why


def test_a_few_long_rescues_among_successes_of_its_own_are_no_habit():
    training = Training()
    training.play("P" * 20 + "H" * 50, True, 5)
    assert training.play("P" * 40, True, 15).code != "long_and_sparse"
    assert training.coach.figures().rescued_rate == 0.25


def test_takeovers_are_long_by_their_share_of_short_episodes_too():
    training = Training(load_task("ram_insertion", ["episode.max_steps=40"]))
    assert training.play("P" * 5 + "H" * 25, True, 8).code == "long_and_sparse"


@pytest.mark.parametrize(
    ("sources", "success", "code"),
    [
        ("P" * 100, False, "help_more"),
        ("P" * 10 + "H" * 20 + "P" + "H" * 20 + "P" + "H" * 20, False, "let_explore"),
        ("P" * 70 + "H" * 10, True, "step_in_earlier"),
        ("P" * 20 + "H" * 15 + "P" * 20, True, ""),
        ("P" * 20, True, ""),
    ],
)
def test_habits_get_their_advice(sources, success, code):
    assert Training().play(sources, success, 10).code == code


def test_once_it_can_do_it_alone_the_person_is_asked_to_stand_back():
    training = Training()
    for _ in range(10):
        training.play("P" * 40, True)
        advice = training.play("P" * 10 + "H" * 5 + "P" * 10 + "H" * 5 + "P" * 10, True)
    assert advice.code == "stand_back"
    assert "50%" in advice.text


def test_only_the_last_episodes_count():
    training = Training()
    assert training.play("P" * 20 + "H" * 50, True, 20).code == "long_and_sparse"
    assert training.play("P" * 30, True, SPEC.window_episodes).code == ""
    assert training.coach.figures().episodes == SPEC.window_episodes


def test_a_standing_arm_asks_for_help_after_the_time_and_not_before():
    training = Training()
    training.begin()
    wait = round(SPEC.stuck_s / TASK.period_s)
    said = training.steps("P" * (wait + 3), moving=False)
    assert said[:wait] == [""] * wait
    assert set(said[wait:]) == {"step_in"}
    assert training.steps("H", moving=False) == [""], "the person is there"
    assert training.steps("P" * wait, moving=False) == [""] * wait, "and the wait begins anew"


@pytest.mark.parametrize("sources", ["P" * 60, "X" * 60])
def test_a_moving_arm_and_an_arm_that_is_held_are_not_stuck(sources):
    training = Training()
    training.begin()
    assert set(training.steps(sources, moving="P" in sources)) == {""}


def test_one_of_two_arms_that_moves_is_progress():
    coach = Coach(TASK)
    for step in range(60):
        coach.observe(0, step, [[0, 0, 0], [0.01 * step, 0, 0]])
        coach.execute(0, step, P)
        assert coach.advice() is QUIET


def test_a_long_takeover_is_asked_to_end_while_it_lasts():
    training = Training()
    training.begin()
    long = round(SPEC.long_s / TASK.period_s)
    said = training.steps("P" * 5 + "H" * (long + 5) + "P")
    assert said[: 4 + long] == [""] * (4 + long)
    assert set(said[4 + long : -1]) == {"hand_back"}
    assert said[-1] == ""


def test_where_episodes_are_short_a_takeover_is_long_sooner():
    training = Training(load_task("ram_insertion", ["episode.max_steps=40"]))
    training.begin()
    half = 20
    assert training.steps("H" * (half + 1)) == [""] * (half - 1) + ["hand_back"] * 2


def test_while_people_may_not_help_nobody_is_asked_to():
    training = Training()
    training.coach.may_help = False
    training.begin()
    assert set(training.steps("P" * 60, moving=False)) == {""}


def test_a_new_episode_forgets_the_standing_of_the_last():
    training = Training()
    for _ in range(4):
        training.begin()
        assert set(training.steps("P" * 20, moving=False)) == {""}


episode = st.builds(
    lambda success, steps, share, segments: Episode(
        success,
        steps,
        max(segments, round(steps * share)) if segments else 0,
        segments,
        0.5 if segments else None,
    ),
    st.booleans(),
    st.integers(5, 100),
    st.floats(0, 1),
    st.integers(0, 5),
)


@given(st.lists(episode, max_size=30))
def test_figures_are_what_they_say(episodes):
    now = figures(episodes)
    won = [e for e in episodes if e.success]
    assert now.episodes == len(episodes)
    if episodes:
        assert now.success_rate == pytest.approx(np.mean([e.success for e in episodes]))
        assert 0 <= now.intervention_rate <= 1
        assert now.alone_rate <= now.success_rate
    if won:
        assert now.rescued_rate == pytest.approx(np.mean([e.helped for e in won]))


@given(st.lists(episode, min_size=20, max_size=20))
def test_no_window_is_told_to_help_more_and_less_at_once_or_breaks_a_rule(episodes):
    coach = Coach(TASK)
    for number, e in enumerate(episodes):
        coach.finish(number, e.success, e.steps, e.intervention_steps, e.interventions)
    code, now = coach.advice().code, coach.figures()
    if code == "help_more":
        assert now.success_rate < SPEC.early_success_rate
        assert now.interventions_per_episode < SPEC.early_interventions
    if code == "long_and_sparse":
        assert now.rescued_rate >= SPEC.rescued_rate
    if code in ("stand_back", "let_explore"):
        assert now.interventions_per_episode > 0
