# SPDX-License-Identifier: Apache-2.0
"""Events of an evaluation in the task file: chosen by name, numbers of their own, clear refusals."""

import pytest

from hilserl_task import TaskError, load_task
from hilserl_task.evaluation_spec import EVENT_KINDS


def load(*overrides, task="ram_insertion"):
    return load_task(task, overrides)


def test_nothing_happens_unless_asked():
    assert load().evaluation.disturbances == ()


def test_kinds_come_in_one_order_and_board_moved_is_one_of_them():
    chosen = load("evaluation.events=[arm_pushed, board_shifts]", "evaluation.board_moved=true").evaluation
    assert chosen.disturbances == ("board_moved", "board_shifts", "arm_pushed")
    assert load("evaluation.events=[board_moved]").evaluation.disturbances == ("board_moved",)


def test_numbers_change_one_by_one():
    settings = load("evaluation.event_settings.board_shifts.steps=[1, 1]").evaluation.event_settings
    assert settings.board_shifts.steps == (1, 1)
    assert settings.board_shifts.translation_m == (0.005, 0.02)


def test_settings_are_there_for_every_kind_but_the_one_of_the_reset():
    assert {*load().evaluation.event_settings.model_dump(), "board_moved"} == set(EVENT_KINDS)


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("events=[earthquake]", "evaluation.events.0: Input should be 'board_moved', 'board_shifts'"),
        ("events=[board_shifts, board_shifts]", "names one twice"),
        ("events=[gripper_opened]", "gripper_opened needs an arm with gripper: {mode: learned}"),
        ("event_settings.board_shifts.steps=[5, 2]", "must be lowest, highest; example: [2, 5]; got [5, 2]"),
        ("event_settings.board_shifts.steps=[-1, 2]", "steps.0: Input should be greater than or equal to 0"),
        ("event_settings.arm_pushed.force_n=[.nan, 5]", "force_n.0: Input should be a finite number"),
        ("event_settings.arm_pushed.duration_s=0", "duration_s: Input should be greater than 0"),
        ("event_settings.arm_pushes={}", "did you mean 'arm_pushed'?"),
    ],
)
def test_what_cannot_be_is_refused(override, text):
    with pytest.raises(TaskError) as error:
        load(f"evaluation.{override}")
    assert text in str(error.value)


def test_on_a_robot_a_person_makes_events():
    with pytest.raises(TaskError, match="need a simulated scene"):
        load("evaluation.events=[board_shifts]", task="ram_insertion_fr3")
