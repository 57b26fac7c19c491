# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from hilserl_reward.gate import Gate
from hilserl_reward.judge import Judge
from hilserl_reward.meaning import OneClass, OtherOfTwo


class Scripted:
    """Gives the brightness of the first pixel / 100 as probability; 255 is NaN."""

    def predict(self, images):
        value = images[0, 0, 0, 0]
        return np.array([math.nan if value == 255 else value / 100], np.float32)


def verdicts(judge, percents, episode=0, first_step=0):
    pictures = [np.full((1, 2, 2, 3), percent, np.uint8) for percent in percents]
    return [judge.judge(episode, first_step + k, picture) for k, picture in enumerate(pictures)]


@pytest.mark.parametrize(("percent", "success"), [(84, False), (86, True)])
def test_threshold(percent, success):
    (verdict,) = verdicts(Judge(Scripted(), 0.85, 1), [percent])
    assert verdict.success is success
    assert verdict.probability == pytest.approx(percent / 100)


def test_debounce_wants_consecutive_frames():
    judge = Judge(Scripted(), 0.85, 3)
    assert [v.success for v in verdicts(judge, [90, 90, 10, 90, 90, 90, 90])] == [False] * 5 + [True] * 2


def test_debounce_starts_anew_with_an_episode_and_after_a_gap():
    judge = Judge(Scripted(), 0.85, 2)
    assert [v.success for v in verdicts(judge, [90, 90], episode=1)] == [False, True]
    assert [v.success for v in verdicts(judge, [90], episode=2)] == [False]
    assert [v.success for v in verdicts(judge, [90], episode=2, first_step=2)] == [False]  # step 1 is missing
    judge.skip(2, 3)
    assert [v.success for v in verdicts(judge, [90], episode=2, first_step=4)] == [False]


def test_nan_is_no_success_and_has_a_reason():
    judge = Judge(Scripted(), 0.85, 2)
    first, broken, third = verdicts(judge, [90, 255, 90])
    assert (broken.success, broken.probability) == (False, 0.0)
    assert "nan" in broken.problem
    assert not first.problem
    assert not third.success


def test_where_success_is_out_of_the_question_pictures_do_not_count():
    judge = Judge(Scripted(), 0.85, 2)
    picture = np.full((1, 2, 2, 3), 99, np.uint8)
    verdicts_ = [judge.judge(0, step, picture, possible=step != 1) for step in range(4)]
    assert [v.success for v in verdicts_] == [False, False, False, True]


NAMES = ("side_a", "side_b", "lost")


class OfClasses:
    """Gives the first three pixels / 100 as probabilities of three classes."""

    def predict(self, images):
        return images[0, 0, :3, 0][None].astype(np.float32) / 100


def judged(judge, rows, episode=0, first_step=0):
    pictures = [np.array(row, np.uint8).reshape(1, 1, 3, 1) for row in rows]
    return [judge.judge(episode, first_step + k, picture) for k, picture in enumerate(pictures)]


def test_one_class_of_several_is_success():
    judge = Judge(OfClasses(), 0.9, 1, OneClass(1))
    results = judged(judge, [[95, 5, 0], [5, 95, 0], [15, 85, 0], [0, 5, 95]])
    assert [v.success for v in results] == [False, True, False, False]
    assert results[1].probability == pytest.approx(0.95)
    assert results[3].classes == pytest.approx((0, 0.05, 0.95))


def test_a_low_threshold_never_takes_the_less_likely_class():
    assert not judged(Judge(OfClasses(), 0.2, 1, OneClass(1)), [[60, 30, 10]])[0].success


@pytest.mark.parametrize(("began", "becomes"), [([95, 5, 0], [5, 95, 0]), ([5, 95, 0], [95, 5, 0])])
def test_a_flip_is_the_other_side_than_at_step_0(began, becomes):
    judge = Judge(OfClasses(), 0.9, 1, OtherOfTwo(NAMES, ("side_a", "side_b")))
    assert [v.success for v in judged(judge, [began, [0, 0, 99], becomes, began])] == [
        False,
        False,
        True,
        False,
    ]
    assert [v.success for v in judged(judge, [becomes, began], episode=1)] == [False, True]


def test_an_episode_that_begins_lost_or_unseen_cannot_succeed_and_says_why():
    judge = Judge(OfClasses(), 0.9, 1, OtherOfTwo(NAMES, ("side_a", "side_b")))
    lost = judged(judge, [[0, 0, 99], [99, 0, 0]])
    assert [v.success for v in lost] == [False, False]
    assert "began as 'lost'" in lost[1].problem
    assert "put the object back" in lost[1].problem
    (late,) = judged(judge, [[99, 0, 0]], episode=4, first_step=7)
    assert (late.success, late.problem) == (False, "step 0 was not seen, so there is nothing to compare with")


def test_another_classifier_starts_a_row_of_its_own():
    judge = Judge(Scripted(), 0.85, 2)
    verdicts(judge, [90])
    judge.use(Scripted())
    assert [v.success for v in verdicts(judge, [90, 90], first_step=1)] == [False, True]


def test_gates_bound_entries_of_the_state(kit):
    task = kit.small_task(
        "reward.minimum_travel_m=0.045",
        "reward.gates=[{entry: arm/tcp_force_z_n, minimum: -5, maximum: 5}]",
    )
    state = np.zeros(18, np.float32)
    state[2] = 0.045
    pressing, high, broken = state.copy(), state.copy(), state.copy()
    pressing[14], high[2], broken[14] = -9, 0.03, np.nan
    gate = Gate(task)
    assert gate.holds([state, pressing, high, broken]).tolist() == [True, False, False, False]
    assert bool(gate.holds(state))
    assert not gate.holds(np.zeros(5))
    assert str(gate) == "-5 <= arm/tcp_force_z_n <= 5 and 0.045 <= arm/start_position_z_m"


def test_without_gates_everything_passes(kit):
    assert Gate(kit.small_task()).holds(np.zeros((3, 18))).all()
