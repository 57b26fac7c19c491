# SPDX-License-Identifier: Apache-2.0
"""The scripted operator moves the simulated arm: success, labels and rescue on the real contact physics."""

import numpy as np
import pytest

from hilserl_sim.world import SimWorld
from hilserl_task import load_task
from hilserl_task.action_codec import action_from_stick, stick_axes, target_pose
from hilserl_teleop.craft import View
from hilserl_teleop.scripted_operator import ScriptedOperator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task("ram_insertion"))
    yield world
    world.close()


def look(world, step):
    """What a person sees of a world with one arm."""
    truth = world.truth()
    return View(
        step=step,
        world_T_tcp={"arm": world.measure().base_T_tcp},
        opening={"arm": 0.0},
        hand_open={"arm": False},
        world_T={"arm/base": np.eye(4), **truth.frames},
        world_T_goal=truth.base_T_goal,
        depth=truth.insertion_depth,
        success=truth.success,
    )


def play(world, phase, seed, board_moved=False):
    """(outputs, successes) of an episode; hands off means the arm is told to stay."""
    task, rng = world.task, np.random.default_rng(seed)
    spec = task.arms[0].action
    operator = ScriptedOperator(task, phase, rng)
    world.reset(np.random.default_rng(seed), board_moved)
    outputs, successes = [], []
    for step in range(task.episode.max_steps):
        truth, base_T_tcp = world.truth(), world.measure().base_T_tcp
        output = operator.act(look(world, step))
        outputs.append(output)
        # Done for the person is what is seated, a stricter thing than the simulator's criterion.
        done = truth.success and truth.insertion_depth >= world.task.operator.scripted.seated_depth_m
        successes.append(done)
        if output.discard_button or (done and phase != "labels"):
            break
        stick = np.where(np.abs(output.sticks["arm"]) > task.operator.deadband, output.sticks["arm"], 0.0)
        action = action_from_stick(stick_axes(task, base_T_tcp), stick)
        world.set_target(target_pose(base_T_tcp, action, spec))
        world.advance(task.cycles_per_step)
    return outputs, np.array(successes)


def test_demonstrations(world):
    """At least 95 % succeed, half of them within 35 steps (3.5 s), also with the board turned and moved."""
    episodes = [play(world, "demos", seed, board_moved=seed % 2 == 1) for seed in range(40)]
    assert np.mean([successes[-1] for _, successes in episodes]) >= 0.95
    assert np.median([len(outputs) for outputs, _ in episodes]) <= 35


def test_labels(world):
    """30 short episodes give the paper's 200 positives and about 1000 negatives, every grasp with both."""
    pressed = released = 0
    for seed in range(30):
        outputs, successes = play(world, "labels", seed)
        buttons = np.array([output.success_button for output in outputs])
        np.testing.assert_array_equal(buttons, successes)
        assert buttons.any()
        pressed, released = pressed + buttons.sum(), released + (~buttons).sum()
    assert pressed >= 200
    assert released >= 900


def test_rescue_of_a_policy_that_does_nothing(world):
    episodes = [play(world, "train", seed) for seed in range(10)]
    assert np.mean([successes[-1] for _, successes in episodes]) >= 0.8
    for outputs, _ in episodes:
        assert not any(output.intervening for output in outputs[:10])
