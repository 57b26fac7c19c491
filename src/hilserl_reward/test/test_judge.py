# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from hilserl_reward.judge import Judge


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
