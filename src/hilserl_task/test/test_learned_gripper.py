# SPDX-License-Identifier: Apache-2.0
"""Action layout, gripper state and penalty, and the state vector of learned grippers."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hilserl_task import TaskError, load_task
from hilserl_task.gripper import CLOSE, OPENS, STAY, GripperPenalty, GripperState, commanded_open
from hilserl_task.schema import GripperSpec
from hilserl_task.spaces import STATE_NAMES, ArmReading, action_space, state_names, state_vector

REPOSITORY = Path(__file__).resolve().parents[3]
LEARNED = ["arms.0.gripper.mode=learned", "arms.0.gripper.position=1.0"]
SECOND = 1_000_000_000
value = st.floats(-1, 1)


def dual(tmp_path, left="learned", right="learned"):
    data = yaml.safe_load((REPOSITORY / "config/tasks/ram_insertion.yaml").read_text())
    first = data["arms"][0]
    data["arms"] = [
        {**first, "name": "left", "gripper": {"mode": left}},
        {**first, "name": "right", "gripper": {"mode": right}},
    ]
    data["cameras"] = [{"name": "wrist", "arm": "left"}]
    path = tmp_path / "dual.yaml"
    path.write_text(yaml.safe_dump(data))
    return load_task(str(path))


def test_layout_is_the_originals(tmp_path):
    one = load_task("ram_insertion", LEARNED)
    assert (one.action_dim, one.action_layout.gripper_columns) == (7, (6,))
    two = dual(tmp_path)
    assert (two.action_dim, two.action_layout.gripper_columns) == (14, (6, 13))
    assert [arm.motion for arm in two.action_layout.arms] == [slice(0, 6), slice(7, 13)]
    assert two.action_layout.arms[1].all == slice(7, 14)
    assert action_space(two).shape == (14,)
    mixed = dual(tmp_path, left="fixed")
    assert (mixed.action_dim, mixed.action_layout.gripper_columns) == (13, (12,))
    assert load_task("ram_insertion").action_dim == 6


def test_only_learned_grippers_are_in_the_state(tmp_path):
    assert state_names(load_task("ram_insertion")) == [f"arm/{name}" for name in STATE_NAMES]
    task = dual(tmp_path, right="fixed")
    names = state_names(task)
    assert names[18] == "left/gripper_position"
    assert len(names) == 37
    eye, six = np.eye(4), np.zeros(6)
    state = state_vector([ArmReading(eye, eye, six, six, 0.75), ArmReading(eye, eye, six, six)])
    assert state.shape == (37,)
    assert state[names.index("left/gripper_position")] == 0.75


def test_numbers_of_a_fixed_gripper_change_nothing_that_is_shared():
    base = load_task("ram_insertion").shared_config()
    assert base == load_task("ram_insertion", ["arms.0.gripper.pause_s=2"]).shared_config()
    learned = load_task("ram_insertion", LEARNED).shared_config()
    assert learned != load_task("ram_insertion", [*LEARNED, "arms.0.gripper.pause_s=2"]).shared_config()


@pytest.mark.parametrize("bad", ["arms.0.gripper.penalty=0.1", "arms.0.gripper.pause_s=-1"])
def test_bad_gripper_numbers_are_refused(bad):
    with pytest.raises(TaskError, match=bad.split("=")[0].rsplit(".")[-1]):
        load_task("ram_insertion", [bad])


@given(st.lists(st.tuples(value, st.integers(0, SECOND)), max_size=30), st.booleans())
def test_state_changes_on_command_only_and_never_twice_within_the_pause(steps, starts_open):
    gripper = GripperState.at_start(GripperSpec(mode="learned", position=float(starts_open)))
    now, changes = 0, []
    for asked, later in steps:
        now += later
        before = gripper.is_open
        executed = gripper.execute(asked, now)
        assert executed in (asked, STAY)
        if gripper.is_open != before:
            assert gripper.is_open == (asked > 0)
            assert abs(asked) >= 0.5
            assert executed == asked
            changes.append(now)
        elif (asked >= 0.5 and not before) or (asked <= -0.5 and before):
            assert executed == STAY, "what was not carried out is not stored"
            assert now - changes[-1] < 0.6 * SECOND
    assert all(b - a >= 0.6 * SECOND for a, b in pairwise(changes))


@pytest.fixture(scope="module")
def two_learned(tmp_path_factory):
    return dual(tmp_path_factory.mktemp("dual"))


@given(actions=st.lists(st.tuples(value, value), max_size=20))
def test_penalty_counts_exactly_the_changes_of_the_executed_actions(two_learned, actions):
    task = two_learned
    penalty, grippers = GripperPenalty(task), [GripperState.at_start(arm.gripper) for arm in task.arms]
    for step, commands in enumerate(actions):
        action = np.zeros(14)
        action[[6, 13]] = commands
        before = [gripper.is_open for gripper in grippers]
        for column, gripper in zip((6, 13), grippers, strict=True):
            action[column] = gripper.execute(action[column], step * SECOND // 10)
        changed = sum(was != gripper.is_open for was, gripper in zip(before, grippers, strict=True))
        assert penalty.of(action) == pytest.approx(-0.02 * changed)


def test_a_command_for_the_state_that_is_costs_nothing():
    penalty = GripperPenalty(load_task("ram_insertion", LEARNED))
    costs = [penalty.of([0] * 6 + [command]) for command in (OPENS, STAY, CLOSE, CLOSE, 0.4, OPENS)]
    assert costs == [0, 0, -0.02, 0, 0, -0.02]
    assert GripperPenalty(load_task("ram_insertion")).of([1.0] * 6) == 0


def test_camera_frame_needs_a_mounted_camera():
    frame = "operator.frame=camera"
    with pytest.raises(TaskError, match="one of the cameras"):
        load_task("ram_insertion", [frame])
    with pytest.raises(TaskError, match="mount is missing"):
        load_task("ram_insertion", [frame, "operator.camera=wrist_1"])
    with pytest.raises(TaskError, match=r"goes with operator\.frame: camera"):
        load_task("ram_insertion", ["operator.camera=wrist_1"])
    mount = "cameras.0.mount={frame: tcp, rpy_rad: [0, -1.57, 0]}"
    task = load_task("ram_insertion", [frame, "operator.camera=wrist_1", mount])
    assert task.config_hash() == load_task("ram_insertion").config_hash()


def test_only_a_real_person_can_pay_alone():
    with pytest.raises(TaskError, match=r"reward\.source: human needs a person"):
        load_task("ram_insertion", ["reward.source=human"])
    assert (
        load_task("ram_insertion", ["reward.source=human", "operator.kind=person"]).reward.source == "human"
    )


def test_commanded_states_follow_from_the_executed_actions(tmp_path):
    task = dual(tmp_path, right="fixed")  # left starts closed, right stays closed
    actions = np.zeros((5, task.action_dim))
    actions[:, 6] = [STAY, OPENS, 0.3, CLOSE, CLOSE]
    states = commanded_open(task, actions)
    assert states[:, 0].tolist() == [False, False, True, True, False, False]
    assert not states[:, 1].any()
    assert commanded_open(load_task("ram_insertion", LEARNED), np.zeros((0, 7))).tolist() == [[True]]


@pytest.fixture(scope="module")
def learned():
    return load_task("ram_insertion", LEARNED)


@given(values=st.lists(value, max_size=30))
def test_commanded_states_are_those_of_the_mux(learned, values):
    state = GripperState.at_start(learned.arms[0].gripper)
    actions, seen = np.zeros((len(values), 7)), [state.is_open]
    for step, wished in enumerate(values):
        actions[step, 6] = state.execute(wished, step * SECOND // 10)
        seen.append(state.is_open)
    assert commanded_open(learned, actions)[:, 0].tolist() == seen
