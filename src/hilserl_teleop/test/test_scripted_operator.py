# SPDX-License-Identifier: Apache-2.0
"""The scripted person over a kinematic arm: what it decides, and that its decisions work."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from hilserl_task import load_task
from hilserl_task.frames import pose_matrix
from hilserl_task.operator_spec import ScriptedOperatorSpec
from hilserl_teleop.craft import View
from hilserl_teleop.scripted_operator import ScriptedOperator

_spec = importlib.util.spec_from_file_location("plant", Path(__file__).with_name("plant.py"))
plant_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(plant_module)
Plant = plant_module.Plant

PERIOD_S = 0.1
TASK_SPEC = ScriptedOperatorSpec()


def make(phase, seed=0, gate="classifier", **changes):
    task = load_task("ram_insertion", [f"demonstrations.gate={gate}"])
    operator = task.operator.model_copy(update={"scripted": ScriptedOperatorSpec(**changes)})
    task = task.model_copy(update={"operator": operator})
    return ScriptedOperator(task, phase, np.random.default_rng(seed))


def look(plant, step, **changes):
    """What a person sees of the plant."""
    seen = {
        "step": step,
        "world_T_tcp": {"arm": plant.base_T_tcp},
        "opening": {"arm": 0.0},
        "hand_open": {"arm": False},
        "world_T": {"arm/base": np.eye(4)},
        "world_T_goal": plant.base_T_goal,
        "depth": plant.depth,
        "success": plant.success,
    }
    return View(**{**seen, **changes})


def play(operator, plant, steps, policy=lambda plant: np.zeros(6), stop_at_success=True):
    """All outputs of an episode; the arm follows the person's stick, else the policy's."""
    outputs, successes = [], []
    for step in range(steps):
        output = operator.act(look(plant, step))
        outputs.append(output)
        successes.append(plant.success)
        if output.discard_button or (stop_at_success and plant.success):
            break
        plant.step(output.sticks["arm"] if output.intervening else policy(plant))
    return outputs, np.array(successes)


def to_goal(plant, gain=0.8):
    """A policy that does the task: to the side first, then down."""
    offset = plant.base_T_goal[:3, 3] - plant.base_T_tcp[:3, 3]
    if np.hypot(*offset[:2]) > 4e-4:
        offset[2] = 0.0
    turn = plant_module.Rotation.from_matrix(
        plant.base_T_goal[:3, :3] @ plant.base_T_tcp[:3, :3].T
    ).as_rotvec()
    return np.clip(gain * np.concatenate([offset / 0.01, turn / 0.06]), -1, 1)


def test_demonstrations_succeed_quickly():
    lengths = []
    for seed in range(40):
        outputs, successes = play(make("demos", seed), Plant(np.random.default_rng(seed)), 100)
        assert successes[-1], f"seed {seed}: no insertion in 100 steps"
        lengths.append(len(outputs))
    assert np.median(lengths) <= 35


def test_demonstrations_differ_but_repeat_for_a_seed():
    def sticks(seed):
        outputs, _ = play(make("demos", seed), Plant(np.random.default_rng(7)), 60)
        return np.array([output.sticks["arm"] for output in outputs])

    np.testing.assert_array_equal(sticks(1), sticks(1))
    short = min(len(sticks(1)), len(sticks(2)))
    assert np.abs(sticks(1)[:short] - sticks(2)[:short]).max() > 0.05


def test_hands_are_off_after_success():
    plant = Plant(np.random.default_rng(0))
    plant.goal_T_tcp = np.eye(4)
    output = make("demos").act(look(plant, 20, depth=0.009, success=True))
    assert not output.sticks["arm"].any()
    assert not output.intervening


def test_labels_show_enough_of_both_and_the_button_tells_the_truth():
    pressed = released = 0
    for seed in range(30):
        outputs, successes = play(
            make("labels", seed), Plant(np.random.default_rng(seed)), 100, stop_at_success=False
        )
        buttons = np.array([output.success_button for output in outputs])
        np.testing.assert_array_equal(buttons, successes)
        assert outputs[-1].discard_button
        assert 40 <= len(outputs) <= 80
        pressed, released = pressed + buttons.sum(), released + (~buttons).sum()
    assert pressed >= 200  # paper: 200 positive and 1000 negative pictures
    assert released >= 900


def test_labels_include_near_misses():
    """Pictures that look almost like success: on the board beside the slot, and half inserted."""
    depths, laterals = [], []
    for seed in range(20):
        operator, plant = make("labels", seed), Plant(np.random.default_rng(seed))
        for step in range(100):
            output = operator.act(look(plant, step))
            if output.discard_button:
                break
            if not plant.success:
                depths.append(plant.depth)
                laterals.append(np.hypot(*plant.goal_T_tcp[:2, 3]))
            plant.step(output.sticks["arm"])
    depths, laterals = np.array(depths), np.array(laterals)
    assert ((depths > -0.001) & (laterals > 0.002)).sum() >= 15
    assert ((depths > 0.001) & (depths < 0.0075)).sum() >= 15
    assert (laterals > 0.015).mean() > 0.1


def test_a_good_policy_is_left_alone():
    for seed in range(10):
        outputs, successes = play(make("train", seed), Plant(np.random.default_rng(seed)), 100, to_goal)
        assert successes[-1]
        assert not any(output.intervening for output in outputs)
        assert not any(output.sticks["arm"].any() for output in outputs)


def test_a_policy_that_stalls_is_helped_after_the_patience_and_for_a_limited_time():
    operator, plant = make("train", takeover_s=0.8), Plant(np.random.default_rng(3))
    outputs, _ = play(operator, plant, 100)
    active = np.array([output.intervening for output in outputs])
    first = int(active.argmax())
    patience_steps = round((TASK_SPEC.patience_s + TASK_SPEC.reaction_delay_s) / PERIOD_S)
    assert abs(first - patience_steps) <= 2
    lengths = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], active, [0]]))))[::2]
    assert lengths.max() <= round(0.8 / PERIOD_S) + 1


def test_a_policy_that_only_fails_still_succeeds_with_help():
    """An idle policy is carried home by take-overs: this is where the first rewards come from."""
    wins = [play(make("train", s), Plant(np.random.default_rng(s)), 100)[1][-1] for s in range(20)]
    assert np.mean(wins) >= 0.8


def test_a_policy_that_strays_is_brought_back():
    operator, plant = make("train"), Plant(np.random.default_rng(0))
    away = np.array([0.5, 0, 0.15, 0, 0, 0])
    laterals = []
    for step in range(80):
        output = operator.act(look(plant, step))
        plant.step(output.sticks["arm"] if output.intervening else away)
        laterals.append(np.hypot(*plant.goal_T_tcp[:2, 3]))
    assert max(laterals) < TASK_SPEC.stray_distance_m + 0.03
    assert max(laterals) > TASK_SPEC.stray_distance_m


def test_nobody_steps_in_during_the_first_second():
    operator, plant = make("train", reaction_delay_s=0.0), Plant(np.random.default_rng(0))
    plant.goal_T_tcp[0, 3] = 0.2  # far off from the start
    outputs, _ = play(operator, plant, 15)
    active = [output.intervening for output in outputs]
    assert not any(active[:9])
    assert any(active)


@pytest.mark.parametrize("phase", ["evaluate", "train", "demos"])
def test_hands_stay_off_in_evaluation_and_when_the_mux_lets_nobody_in(phase):
    operator, plant = make(phase), Plant(np.random.default_rng(1))
    for step in range(60):
        output = operator.act(look(plant, step, success=False), may_intervene=phase == "evaluate")
        assert not output.sticks["arm"].any()
        assert not output.success_button


def test_tilt_is_corrected_too():
    plant = Plant(np.random.default_rng(2))
    tilt = plant_module.Rotation.from_rotvec([0.1, -0.08, 0.1]).as_quat()
    plant.goal_T_tcp = pose_matrix([0.01, 0.01, -0.04], tilt)
    _, successes = play(make("demos"), plant, 100)
    assert successes[-1]
    assert np.linalg.norm(plant_module.position_and_rotvec(plant.goal_T_tcp)[3:]) < 0.05


def test_unknown_phase_names_the_good_ones():
    with pytest.raises(ValueError, match=r"'train2' is unknown.*demos"):
        make("train2")


def test_a_pose_that_is_not_finite_is_refused():
    plant = Plant(np.random.default_rng(0))
    with pytest.raises(ValueError, match="finite"):
        make("demos").act(look(plant, 10, world_T_tcp={"arm": np.full((4, 4), np.nan)}))


@pytest.mark.parametrize(("phase", "pressed"), [("demos", True), ("train", False)])
def test_who_has_to_say_success_presses_the_button_once_it_is_done(phase, pressed):
    operator, plant = make(phase, gate="person"), Plant(np.random.default_rng(0))
    before = operator.act(look(plant, 5, depth=0.0, success=False))
    after = operator.act(look(plant, 6, depth=1.0, success=True))
    assert (before.success_button, after.success_button) == (False, pressed)
