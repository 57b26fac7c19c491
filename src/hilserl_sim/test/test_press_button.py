# SPDX-License-Identifier: Apache-2.0
"""A button with a spring, pressed by a hand that knows where it is, and by one that does not."""

import numpy as np
import pytest

from hilserl_sim.scenes import make_scene
from hilserl_sim.world import SimWorld
from hilserl_task import TaskError, load_task

TASK = "press_button"
STEP_M = 0.01


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task(TASK))
    yield world
    world.close()


def go(world, where, seconds):
    """Moves the hand as the policy would, to a place (3,) relative to its pose with the button pressed."""
    target = world.truth().base_T_goal
    target[:3, 3] += where
    for _ in range(round(seconds * 10)):
        here = world.measure().base_T_tcp[:3, 3]
        way = target[:3, 3] - here
        step = target.copy()
        step[:3, 3] = here + way * min(1.0, STEP_M / max(np.linalg.norm(way), 1e-9))
        world.set_target(step)
        world.advance(100)


def press(world, x_m=0.0, y_m=0.0):
    go(world, [x_m, y_m, 0.02], 1.5)
    go(world, [x_m, y_m, -0.02], 1.0)


def test_pressed_it_is_a_success_and_the_spring_brings_it_back(world):
    for seed in range(4):
        world.reset(np.random.default_rng(seed))
        assert world.truth().insertion_depth == pytest.approx(0.0, abs=3e-4)
        assert not world.truth().success
        press(world)
        assert world.truth().success, f"seed {seed}"
        assert world.truth().insertion_depth == pytest.approx(0.006, abs=4e-4)
        go(world, [0.0, 0.0, 0.02], 0.5)
        assert not world.truth().success, "released is not pressed"
        assert world.truth().insertion_depth == pytest.approx(0.0, abs=3e-4)


@pytest.mark.parametrize("beside", [(0.022, 0.0), (0.0, 0.022), (-0.02, 0.02)])
def test_pressed_beside_the_button_the_box_holds_against_it(world, beside):
    world.reset(np.random.default_rng(1))
    press(world, *beside)
    assert not world.truth().success
    assert world.truth().insertion_depth == pytest.approx(0.0, abs=3e-4)
    assert np.linalg.norm(world.measure().wrench[:3]) > 5.0, "it stands on nothing"
    above = world.truth().base_T_tcp[2, 3] - world.truth().base_T_goal[2, 3]
    assert above > -0.01, "it went into the box"


def test_pressed_half_is_not_pressed(world):
    world.reset(np.random.default_rng(2))
    go(world, [0.0, 0.0, 0.02], 1.5)
    go(world, [0.0, 0.0, 0.0025], 1.0)
    assert 0.001 < world.truth().insertion_depth < 0.0045
    assert not world.truth().success


def test_a_stiffer_spring_gives_way_less(world):
    stiff = SimWorld(load_task(TASK, ["scene.parameters={stiffness_n_per_m: 1500.0, preload_n: 5.0}"]))
    depths = []
    for each in (world, stiff):
        each.reset(np.random.default_rng(2))
        go(each, [0.0, 0.0, 0.02], 1.5)
        go(each, [0.0, 0.0, 0.0025], 1.0)
        depths.append(each.truth().insertion_depth)
    stiff.close()
    assert depths[1] < depths[0] - 0.0005


def test_box_and_hand_are_where_the_task_says(world):
    reset, boxes, hands = world.task.reset, [], []
    for seed in range(40):
        world.reset(np.random.default_rng(seed))
        boxes.append(world.truth().frames["button"][:3, 3] - [0.5, 0.0, 0.05])
        hands.append(world.truth().base_T_tcp[:3, 3] - [0.5, 0.0, 0.05] - reset.offset_m)
    for places, spread in ((boxes, [0.025, 0.025, 0.0]), (hands, reset.translation_range_m)):
        furthest = np.abs(places).max(axis=0)
        np.testing.assert_array_less(furthest, np.array(spread) + 1e-3)
        assert (furthest > 0.8 * np.array(spread) - 1e-9).all()
    assert np.abs(np.corrcoef(np.array(boxes)[:, 0], np.array(hands)[:, 0])[0, 1]) < 0.4


def test_wrong_numbers_are_refused():
    with pytest.raises(TaskError, match=r"scene.parameters.travel_m: 0.1 must be within"):
        make_scene(load_task(TASK, ["scene.parameters={travel_m: 0.1}"]))
    with pytest.raises(TaskError, match=r"scene.parameters.radius: unknown; known: .*cap_radius_m"):
        make_scene(load_task(TASK, ["scene.parameters={radius: 0.1}"]))
