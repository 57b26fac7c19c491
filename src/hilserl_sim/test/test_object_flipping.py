# SPDX-License-Identifier: Apache-2.0
"""The pan and what lies in it: it rests, slides, can be turned, thrown out and put back."""

import numpy as np
import pytest

from hilserl_sim.command import Command
from hilserl_sim.object_flipping import LOST, SIDE_A, SIDE_B
from hilserl_sim.poses import place_free_body, pose
from hilserl_sim.scenes import make_scene
from hilserl_sim.world import SimWorld
from hilserl_task import TaskError, load_task
from hilserl_task.action_codec import arm_target
from hilserl_task.frames import Array, inverse

THRUST, BRAKE, CATCH = (0.5, 0.8, -1.0), (-0.45, -1.0, 1.0), (0.3, -0.4, 0.7)  # shares of 20 N, 20 N, 5 Nm
OTHER = {SIDE_A: SIDE_B, SIDE_B: SIDE_A}


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task("object_flipping"))
    yield world
    world.close()


def act(world, values, steps=1):
    arm = world.task.arms[0]
    for _ in range(steps):
        target = arm_target(world.measure().base_T_tcp, np.array(values, float), arm)
        assert world.command(Command.of(target))
        world.advance(world.task.cycles_per_step)


def pan_T_object(world) -> Array:
    frames = world.truth().frames
    return inverse(frames["pan"]) @ frames["object"]


def put(world, x, y, z, rotation=None):
    """Places the object in the pan's frame and lets it be for one controller cycle."""
    place = world.truth().frames["pan"] @ pose([x, y, z], rotation)
    place_free_body(world.model, world.data, "object", place)
    world.advance(1)


def nose_up(world):
    pan = world.truth().frames["pan"]
    return float(np.arctan2(pan[2, 0], pan[0, 0]))


def throw(world):
    """The swing of an exact hand: thrust until the far rim is up, brake, catch."""
    for _ in range(12):
        act(world, THRUST)
        if nose_up(world) > 0.55:
            break
    act(world, BRAKE, 3)
    act(world, CATCH, 2)
    act(world, (0, 0, 0), 12)


def test_the_object_lies_where_the_task_says_and_stays(world):
    spread = world.task.reset.translation_range_m
    places, kinds, arms = [], [], []
    for seed in range(30):
        world.reset(np.random.default_rng(seed))
        places.append(pan_T_object(world)[:2, 3])
        kinds.append(world.truth().kind)
        arms.append(world.measure().base_T_tcp)
        assert not world.truth().success
    furthest = np.abs(places).max(axis=0)
    assert (furthest < np.array(spread[:2]) + 1e-3).all()
    assert (furthest > 0.8 * np.array(spread[:2])).all()
    assert 8 <= kinds.count(SIDE_A) <= 22
    assert set(kinds) == {SIDE_A, SIDE_B}
    np.testing.assert_allclose(arms, [arms[0]] * len(arms), atol=2e-3)  # the robot is not randomised
    before = pan_T_object(world)[:3, 3]
    act(world, (0, 0, 0), 20)
    np.testing.assert_allclose(pan_T_object(world)[:3, 3], before, atol=2e-3)
    assert world.measure().base_T_tcp[2, 3] == pytest.approx(arms[-1][2, 3], abs=0.005), "soft hold"


def test_a_swing_within_the_limits_turns_it_over(world):
    turned = []
    for seed in range(5):
        world.reset(np.random.default_rng(seed))
        began = world.truth().kind
        throw(world)
        truth = world.truth()
        turned.append(truth.success)
        if truth.success:
            assert truth.kind == OTHER[began]
            assert truth.insertion_depth > 0.9
    assert sum(turned) >= 3


def test_a_feeble_swing_does_not(world):
    for seed in range(3):
        world.reset(np.random.default_rng(seed))
        began = world.truth().kind
        act(world, 0.4 * np.array(THRUST), 5)
        act(world, 0.4 * np.array(BRAKE), 3)
        act(world, (0, 0, 0), 15)
        assert world.truth().kind == began
        assert not world.truth().success


def test_in_the_air_and_on_its_edge_it_is_lost_and_between_nobody_can_say(world):
    world.reset(np.random.default_rng(0))
    over, began = np.diag([1.0, -1.0, -1.0]), world.truth().kind
    turned = over if began == SIDE_A else np.eye(3)
    put(world, 0, 0, 0.1, turned)
    assert (world.truth().kind, world.truth().success) == (LOST, False)
    put(world, 0, 0, 0.031, np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]]))
    assert world.truth().kind == LOST
    put(world, 0, 0, 0.018, turned)
    assert world.truth().kind == ""
    put(world, 0, 0, 0.0071, turned)
    assert (world.truth().kind, world.truth().success) == (OTHER[began], True)


@pytest.mark.parametrize(
    ("axis", "speed", "caught"), [(0, 0.4, True), (2, 0.4, False), (4, 4.0, False), (5, 4.0, True)]
)
def test_what_slides_in_the_pan_is_caught_and_what_leaves_it_or_turns_over_is_not(world, axis, speed, caught):
    world.reset(np.random.default_rng(0))
    began = world.truth().kind
    put(world, 0, 0, 0.0071, np.diag([1.0, -1.0, -1.0]) if began == SIDE_A else np.eye(3))
    assert world.truth().success
    first = int(world.model.joint("object").dofadr[0])
    world.data.qvel[first + axis] = speed  # moving in world axes, turning in the object's
    world.advance(1)
    assert (world.truth().kind, world.truth().success) == (OTHER[began], caught)


def test_thrown_out_it_stays_lost_until_the_next_reset(world):
    world.reset(np.random.default_rng(1))
    began = world.truth().kind
    act(world, (1.0, 0.8, -1.0), 8)
    act(world, (-1.0, -1.0, 1.0), 4)
    act(world, (0, 0, 0), 20)
    assert world.truth().kind == LOST
    lying = world.truth().frames["object"]
    assert lying[2, 3] < 0.05, "on the table"
    act(world, (0, 0, 0), 10)
    assert (world.truth().kind, world.truth().success) == (LOST, False)
    world.reset(np.random.default_rng(1))
    assert world.truth().kind == began


def test_nothing_slips_through_the_pan(world):
    """Pushed into the rim from the middle in every direction it stays inside."""
    world.reset(np.random.default_rng(2))
    first = int(world.model.joint("object").dofadr[0])
    for angle in np.linspace(0.1, 2 * np.pi, 7):
        put(world, 0, 0, 0.0071)
        world.data.qvel[first : first + 2] = 0.7 * np.array([np.cos(angle), np.sin(angle)])
        lowest = []
        for _ in range(10):
            act(world, (0, 0, 0))
            lowest.append(pan_T_object(world)[2, 3])
        assert min(lowest) > 0.005, f"through the floor at {angle:.1f} rad"
        assert np.hypot(*pan_T_object(world)[:2, 3]) < 0.12


def test_a_seed_repeats_and_another_differs(world):
    states = []
    for seed in (3, 4, 3):
        world.reset(np.random.default_rng(seed))
        throw(world)
        states.append(world.data.qpos.copy())
    assert (states[0] == states[2]).all()
    assert (states[0] != states[1]).any()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("arms.0.gripper.mode=learned", "mode: fixed"),
        ("reset.translation_range_m=[0.05,0.05,0.0]", "0.055 m are free"),
        ("scene.parameters.pan_radius_m=0.5", "pan_radius_m"),
        ("scene.parameters.lid_m=0.5", "lid_m"),
    ],
)
def test_wrong_numbers_are_refused(change, text):
    with pytest.raises(TaskError, match=text):
        make_scene(load_task("object_flipping", [change]))
