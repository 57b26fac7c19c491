# SPDX-License-Identifier: Apache-2.0
"""The scripted operator moves the simulated arm: success, labels and rescue on the real contact physics."""

import numpy as np
import pytest
from person_in_simulation import Person

from hilserl_sim.world import SimWorld
from hilserl_task import load_task

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task("ram_insertion"))
    yield world
    world.close()


def play(world, phase, seed, board_moved=False):
    """(outputs, done) of an episode; hands off means the arm is told to stay."""
    played = Person(world, phase, seed, board_moved).play()
    return played.outputs, np.array(played.done)


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
