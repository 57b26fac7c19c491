# SPDX-License-Identifier: Apache-2.0
from itertools import permutations

import pytest

from hilserl_reward.disagreements import FAILURE_FRAMES, SUCCESS_FRAMES, TAIL_FRAMES, Disagreements, Judged

YES, NO = Judged(0.99, True), Judged(0.02, False)


def play(book, episode, seen, said=None, outcome=False, discarded=False):
    """An episode with what the classifier saw in each frame, and buttons {step: success}."""
    for step, looks_done in enumerate(seen):
        book.add_frame(episode, step, f"frame {step}")
        book.add_judgement(episode, step, YES if looks_done else NO)
        if said and step in said:
            book.add_button(episode, step, said[step])
    book.end(episode, len(seen) - 1, outcome, discarded)


def labels(kept):
    return {step: (label.frame, label.success, label.why) for step, label in kept.labels().items()}


def test_a_success_button_against_the_classifier_is_a_false_negative():
    book = Disagreements(3)
    book.add_frame(0, 4, "frame 4")
    book.add_judgement(0, 4, NO)
    kept = book.add_button(0, 4, True)
    assert labels(kept) == {4: ("frame 4", True, "false_negative")}


def test_buttons_that_agree_with_the_classifier_are_no_news():
    book = Disagreements(3)
    book.add_frame(0, 1, "")
    book.add_judgement(0, 1, YES)
    assert book.add_button(0, 1, True) is None
    book.add_frame(0, 2, "")
    book.add_judgement(0, 2, NO)
    assert book.add_button(0, 2, False) is None


def test_a_failure_button_speaks_of_the_frames_just_before_too():
    book, seen = Disagreements(3), [True] + [False] * 6 + [True, False]
    for step, looks_done in enumerate(seen):
        book.add_frame(0, step, f"frame {step}")
        book.add_judgement(0, step, YES if looks_done else NO)
    kept = book.add_button(0, 8, False)
    assert labels(kept) == {7: ("frame 7", False, "false_positive")}  # step 0 is too long ago


def test_parts_may_come_in_any_order():
    parts = {
        "frame": lambda book: book.add_frame(0, 3, "frame 3"),
        "judged": lambda book: book.add_judgement(0, 3, NO),
        "button": lambda book: book.add_button(0, 3, True),
    }
    for order in permutations(parts):
        book = Disagreements(3)
        news = [kept for name in order if (kept := parts[name](book)) is not None]
        assert [labels(kept) for kept in news] == [{3: ("frame 3", True, "false_negative")}], order


def test_a_false_success_makes_negatives_of_the_last_frames():
    book = Disagreements(3)
    play(book, 5, [False] * 8 + [True, True], outcome=True)
    kept = book.correct(5, success=False)
    assert list(kept.labels()) == list(range(10 - FAILURE_FRAMES, 10))
    assert not any(label.success for label in kept.labels().values())
    assert kept.labels()[9].judged == YES


def test_a_missed_success_makes_positives_of_the_very_last_frames():
    book = Disagreements(3)
    play(book, 5, [False] * 10)
    assert labels(book.correct(5, success=True)) == {
        step: (f"frame {step}", True, "corrected") for step in range(10 - SUCCESS_FRAMES, 10)
    }


def test_a_correction_counts_more_than_a_button_and_can_be_taken_back():
    book = Disagreements(3)
    play(book, 0, [False] * 6, said={5: True}, outcome=True)
    kept = book.correct(0, success=False)
    assert not kept.labels()[5].success
    assert labels(book.correct(0, success=True)) == {5: ("frame 5", True, "false_negative")}


@pytest.mark.parametrize(
    ("episode", "success", "text"),
    [(9, True, "not among those kept: 1, 2"), (3, True, "not over yet"), (2, False, "a failure already")],
)
def test_what_cannot_be_corrected_is_named(episode, success, text):
    book = Disagreements(3)
    for number in (1, 2):
        play(book, number, [False] * 3)
    book.add_frame(3, 0, "running")
    with pytest.raises(ValueError, match=text):
        book.correct(episode, success)


def test_memory_is_bounded_in_episodes_and_frames():
    book = Disagreements(2)
    for number in range(30):
        play(book, number, [False] * 50)
    with pytest.raises(ValueError, match="kept: 27, 28, 29"):
        book.correct(3, True)
    assert len(book.correct(29, True).frames) == TAIL_FRAMES


def test_a_discarded_episode_is_forgotten():
    book = Disagreements(2)
    play(book, 1, [True] * 3, discarded=True)
    with pytest.raises(ValueError, match="none yet"):
        book.correct(1, False)


def test_a_number_that_is_used_again_is_another_episode():
    book = Disagreements(2)
    play(book, 0, [False] * 3, said={2: True})
    play(book, 0, [False] * 2)
    assert list(book.correct(0, True).labels()) == [0, 1]


def test_the_end_may_be_heard_of_before_the_frames():
    book = Disagreements(2)
    book.end(4, steps=1, success=True, discarded=False)
    with pytest.raises(ValueError, match="none of its pictures"):
        book.correct(4, False)
    for step in range(2):
        book.add_frame(4, step, "")
    assert list(book.correct(4, False).labels()) == [0, 1]
