# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest

from hilserl_agent.episode_book import HUMAN, Ending, EpisodeBook, Event, Executed, Frame, Outcome, Rules
from hilserl_task import load_task
from hilserl_task.gripper import GripperPenalty

RULES = Rules(max_steps=3)


def frame(step: int) -> Frame:
    return Frame(
        step, np.full(2, step, np.float32), np.zeros((1, 4, 4, 3), np.uint8), np.zeros(0, np.float32)
    )


def executed(value: float, source: int = 0, event: Event = Event.NONE) -> Executed:
    return Executed(np.full(6, value, np.float32), source, event)


def play(book: EpisodeBook, steps: int, source: int = 0, event: Event = Event.NONE, success: bool = False):
    """Plays steps in the natural order; source, event and success belong to the last one."""
    closed = book.add_frame(frame(0))
    for k in range(steps):
        last = k == steps - 1
        closed += book.add_executed(k, executed(k, source, event if last else Event.NONE))
        closed += book.add_frame(frame(k + 1))
        closed += book.add_reward(k + 1, success and last)
    return closed


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_step_closes_whatever_the_order_of_its_parts(order):
    book = EpisodeBook(RULES)
    parts = [
        lambda: book.add_frame(frame(0)),
        lambda: book.add_executed(0, executed(0.5)),
        lambda: book.add_frame(frame(1)),
        lambda: book.add_reward(1, False),
    ]
    closed = [parts[index]() for index in order]
    assert [len(steps) for steps in closed] == [0, 0, 0, 1]
    step = closed[-1][0]
    assert (step.frame.step, step.next_frame.step) == (0, 1)
    assert step.executed.values[0] == 0.5
    assert not step.last


def test_steps_close_in_order_when_a_reward_is_late():
    book = EpisodeBook(RULES)
    for k in range(3):
        book.add_frame(frame(k))
        book.add_executed(k, executed(k))
    assert book.add_reward(2, False) == []
    assert [step.frame.step for step in book.add_reward(1, False)] == [0, 1]


def test_success_terminates_and_pays_once():
    book = EpisodeBook(RULES)
    closed = play(book, 2, success=True)
    assert [(s.reward, s.terminated, s.truncated) for s in closed] == [(0, False, False), (1, True, False)]
    assert (book.ending, book.outcome, book.episode_return) == (Ending.REWARD, Outcome.SUCCESS, 1.0)


def test_nothing_closes_after_the_end():
    book = EpisodeBook(RULES)
    play(book, 1, success=True)
    book.add_executed(1, executed(1))
    book.add_frame(frame(2))
    assert book.add_reward(2, True) == []
    assert book.steps == 1


def test_step_limit_truncates_but_success_at_the_limit_counts():
    book = EpisodeBook(RULES)
    assert [s.truncated for s in play(book, 3)] == [False, False, True]
    assert (book.ending, book.outcome) == (Ending.TIMEOUT, Outcome.FAILURE)
    late = EpisodeBook(RULES)
    assert play(late, 3, success=True)[-1].terminated
    assert late.outcome is Outcome.SUCCESS


def test_success_button_counts_only_where_the_rules_say_so():
    counted = EpisodeBook(Rules(max_steps=3, success_button=True))
    step = play(counted, 2, event=Event.SUCCESS)[-1]
    assert (step.reward, step.terminated, counted.ending) == (1.0, True, Ending.OPERATOR)
    ignored = EpisodeBook(RULES)
    assert not play(ignored, 2, event=Event.SUCCESS)[-1].last


@pytest.mark.parametrize("classifier_says", [False, True])
@pytest.mark.parametrize(("event", "discarded"), [(Event.FAILURE, False), (Event.DISCARD, True)])
def test_a_person_stops_an_episode_whatever_the_classifier_says(event, discarded, classifier_says):
    book = EpisodeBook(RULES)
    step = play(book, 2, event=event, success=classifier_says)[-1]
    assert (step.terminated, step.truncated, step.reward) == (not discarded, discarded, 0.0)
    assert (book.ending, book.discarded) == (Ending.OPERATOR, discarded)
    assert book.outcome is (Outcome.UNLABELLED if discarded else Outcome.FAILURE)


def test_beside_the_classifier_whoever_is_first_pays():
    both = Rules(max_steps=3, success_button=True)
    pressed, classified = EpisodeBook(both), EpisodeBook(both)
    by_person = play(pressed, 2, event=Event.SUCCESS)[-1]
    by_classifier = play(classified, 2, success=True)[-1]
    for step in (by_person, by_classifier):
        assert (step.terminated, step.reward) == (True, 1.0)
    assert (pressed.ending, classified.ending) == (Ending.OPERATOR, Ending.REWARD)


def test_where_a_person_pays_alone_an_episode_without_a_press_failed():
    book = EpisodeBook(Rules(max_steps=1, use_reward=False, reward_ends=False, success_button=True))
    book.add_frame(frame(0))
    book.add_executed(0, executed(0))
    assert book.add_frame(frame(1))[0].truncated
    assert book.outcome is Outcome.FAILURE


def test_gripper_changes_cost_their_penalty_whoever_made_them():
    task = load_task("ram_insertion", ["arms.0.gripper.mode=learned", "arms.0.gripper.position=1"])
    book = EpisodeBook(Rules(max_steps=10), GripperPenalty(task))
    closed = book.add_frame(frame(0))
    for k, (command, source) in enumerate([(-1, HUMAN), (-1, 0), (0, HUMAN), (1, 0)]):
        values = np.zeros(7, np.float32)
        values[6] = command
        closed += book.add_executed(k, Executed(values, source)) + book.add_frame(frame(k + 1))
        closed += book.add_reward(k + 1, False)
    assert [step.grasp_penalty for step in closed] == [-0.02, 0.0, 0.0, -0.02]
    assert play(EpisodeBook(RULES), 1)[0].grasp_penalty == 0.0


def test_without_reward_node_nothing_waits_for_rewards():
    book = EpisodeBook(Rules(max_steps=2, use_reward=False))
    book.add_frame(frame(0))
    book.add_executed(0, executed(0))
    assert len(book.add_frame(frame(1))) == 1
    book.add_executed(1, executed(1))
    assert book.add_frame(frame(2))[0].truncated
    assert book.outcome is Outcome.UNLABELLED


def test_interventions_are_counted_in_steps_and_segments():
    book = EpisodeBook(Rules(max_steps=10))
    book.add_frame(frame(0))
    for k, source in enumerate([0, HUMAN, HUMAN, 0, HUMAN, 2]):
        book.add_executed(k, executed(0, source))
        book.add_frame(frame(k + 1))
        book.add_reward(k + 1, False)
    assert (book.intervention_steps, book.interventions) == (3, 2)


def test_repeated_parts_change_nothing():
    book = EpisodeBook(RULES)
    book.add_frame(frame(0))
    book.add_executed(0, executed(0.1))
    book.add_executed(0, executed(0.9))
    book.add_frame(frame(1))
    assert book.add_reward(1, False)[0].executed.values[0] == np.float32(0.1)


def test_missing_names_what_a_step_waits_for():
    book = EpisodeBook(RULES)
    book.add_frame(frame(0))
    assert book.missing(0) == ["executed_action", "observation", "reward"]
    book.add_executed(0, executed(0))
    assert book.missing(0) == ["observation", "reward"]


def test_where_a_person_decides_the_classifier_ends_nothing():
    book = EpisodeBook(Rules(max_steps=5, reward_ends=False, success_button=True))
    assert [step.last for step in play(book, 2, success=True)] == [False, False]
    closed = book.add_executed(2, executed(2, event=Event.SUCCESS))
    closed += book.add_frame(frame(3)) + book.add_reward(3, False)
    assert [(step.terminated, step.reward) for step in closed] == [(True, 1.0)]
    assert (book.ending, book.outcome) == (Ending.OPERATOR, Outcome.SUCCESS)
