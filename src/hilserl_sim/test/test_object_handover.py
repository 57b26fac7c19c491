# SPDX-License-Identifier: Apache-2.0
"""Handover: grasps hold by friction and only then, the bar changes hands, and what counts as done."""

import numpy as np
import pytest

from hilserl_sim.poses import TOOL_DOWN, body_pose, place_free_body, pose, turn_z
from hilserl_sim.scenes import make_scene
from hilserl_sim.world import SimWorld
from hilserl_task import TaskError, load_task

STEP_M = 0.025
OPEN, CLOSED = 1.0, 0.0
MEETING = np.array([0.5, 0.0, 0.085])
NEST_X, GOAL_X = 0.385, 0.615  # middles of the baskets
GRIP = {"left": np.array([-0.045, 0, 0]), "right": np.array([0.045, 0, 0])}


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task("object_handover"))
    yield world
    world.close()


def bar(world):
    return body_pose(world.data, world.model.body("object").id)


def tcp(world, arm):
    return world.arms[arm].world_T_base @ world.measure(arm).base_T_tcp


def go(world, arm, position, seconds, gripper=None):
    """Hand of an arm to a place in the world, at most one full action a period; the other arm holds still."""
    base = world.arms[arm].world_T_base
    if gripper is not None:
        world.set_gripper(gripper, arm=arm)
    for _ in range(round(seconds * 10)):
        here = tcp(world, arm)[:3, 3]
        way = np.asarray(position) - here
        target = np.linalg.inv(base) @ pose(here + way * min(1.0, STEP_M / max(np.linalg.norm(way), 1e-9)))
        target[:3, :3] = TOOL_DOWN
        world.set_target(target, arm=arm)
        world.advance(100)


def take_out(world):
    """The left hand has the bar at the meeting place."""
    grip = bar(world)[:3, 3] + GRIP["left"]
    go(world, "left", grip, 1.0)
    go(world, "left", grip, 0.8, CLOSED)
    go(world, "left", grip + [0, 0, 0.05], 1.0)
    go(world, "left", MEETING + GRIP["left"], 1.5)


def take_over(world):
    """Now the right one, alone."""
    go(world, "right", bar(world)[:3, 3] + GRIP["right"], 1.0)
    go(world, "right", bar(world)[:3, 3] + GRIP["right"], 0.8, CLOSED)
    go(world, "left", tcp(world, "left")[:3, 3], 0.8, OPEN)
    go(world, "left", MEETING + [-0.1, 0, 0], 0.8)


def place_bar(world, position, yaw=0.0):
    """Anywhere, with both hands open at home."""
    world.reset(np.random.default_rng(0))
    place_free_body(world.model, world.data, "object", pose(position, turn_z(yaw)))
    world.advance(300)


def test_the_bar_goes_from_basket_to_basket(world):
    for seed in range(2):
        world.reset(np.random.default_rng(seed))
        take_out(world)
        np.testing.assert_allclose(bar(world)[:3, 3], MEETING, atol=0.012)
        take_over(world)
        assert world.measure("left").gripper > 0.95
        np.testing.assert_allclose(bar(world)[:3, 3], MEETING, atol=0.015)
        over = np.array([GOAL_X, 0.0, 0.07])
        go(world, "right", over + GRIP["right"], 1.2)
        go(world, "right", over + GRIP["right"] - [0, 0, 0.05], 0.8)
        assert not world.truth().success, "held is not released"
        go(world, "right", tcp(world, "right")[:3, 3], 0.8, OPEN)
        assert not world.truth().success, "the hand is still around it"
        go(world, "right", tcp(world, "right")[:3, 3] + [0, 0, 0.05], 0.6)
        assert world.truth().success, f"seed {seed}"


def test_an_opened_hand_drops_the_bar(world):
    world.reset(np.random.default_rng(1))
    take_out(world)
    assert bar(world)[2, 3] > 0.075, "friction did not hold it"
    go(world, "left", tcp(world, "left")[:3, 3], 1.0, OPEN)
    assert bar(world)[2, 3] < 0.06  # on the walls of both baskets, or in one
    assert not world.truth().success


def test_an_open_hand_lifts_nothing(world):
    world.reset(np.random.default_rng(2))
    grip = bar(world)[:3, 3] + GRIP["left"]
    go(world, "left", grip, 1.0)
    go(world, "left", grip + [0, 0, 0.07], 1.0)
    assert bar(world)[2, 3] < 0.025


@pytest.mark.parametrize(
    ("position", "yaw", "done"),
    [
        ((GOAL_X, 0.0, 0.03), 0.0, True),
        ((GOAL_X + 0.022, 0.05, 0.03), 0.1, True),
        ((GOAL_X, 0.0, 0.05), np.pi / 2, False),  # lies across the walls
        ((0.50, 0.0, 0.06), 0.0, False),  # between the baskets
        ((NEST_X, 0.0, 0.03), 0.0, False),  # where it came from
        ((GOAL_X, 0.2, 0.03), 0.0, False),  # on the table
    ],
)
def test_done_means_flat_inside_the_right_basket(world, position, yaw, done):
    place_bar(world, position, yaw)
    assert world.truth().success == done


def test_both_hands_have_to_be_open(world):
    place_bar(world, (GOAL_X, 0.0, 0.03))
    assert world.truth().success
    for arm in ("left", "right"):
        go(world, arm, tcp(world, arm)[:3, 3], 0.6, CLOSED)
        assert not world.truth().success, arm
        go(world, arm, tcp(world, arm)[:3, 3], 0.8, OPEN)
        assert world.truth().success, arm


def test_the_bar_lies_where_the_task_says_and_hands_start_at_home(world):
    reset, dims = world.task.reset, world._scene._dims
    places, homes = [], []
    for seed in range(40):
        world.reset(np.random.default_rng(seed))
        lying = bar(world)
        nest = [dims.middle_x_m - dims.basket_distance_m / 2, 0.0]
        places.append([*(lying[:2, 3] - nest), np.arctan2(lying[1, 0], lying[0, 0])])
        homes.append([*tcp(world, "left")[:3, 3], *tcp(world, "right")[:3, 3]])
        assert min(world.measure(arm).gripper for arm in world.arms) > 0.98
        assert not world.truth().success
    furthest = np.abs(places).max(axis=0)
    limits = np.array([*reset.translation_range_m[:2], reset.yaw_range_rad])
    np.testing.assert_array_less(furthest, limits + [1e-3, 1e-3, 0.01])
    assert (furthest > 0.8 * limits).all()
    assert np.ptp(homes, axis=0).max() < 1e-3


def test_same_seed_same_bits(world):
    states = []
    for seed in (3, 4, 3):
        world.reset(np.random.default_rng(seed))
        go(world, "left", bar(world)[:3, 3] + GRIP["left"], 0.8, CLOSED)
        states.append(world.data.qpos.copy())
    assert (states[0] == states[2]).all()
    assert (states[0] != states[1]).any()


def test_truth_names_what_a_person_looks_at(world):
    world.reset(np.random.default_rng(5))
    truth = world.truth()
    assert set(truth.frames) == {"object", "left_basket", "right_basket"}
    assert truth.insertion_depth == pytest.approx(0.0, abs=0.006)
    place_bar(world, (GOAL_X, 0.0, 0.03))
    assert world.truth().insertion_depth == pytest.approx(GOAL_X - NEST_X, abs=0.01)


def test_every_camera_sees_the_bar_where_it_matters(world):
    def is_orange(picture):
        red, green, blue = (picture[..., i].astype(int) for i in range(3))
        return (red > 1.5 * green) & (red > 3 * blue) & (red > 100)

    def orange(picture):
        return int(is_orange(picture).sum())

    def orange_columns(picture):
        return np.nonzero(is_orange(picture).any(axis=0))[0]

    world.reset(np.random.default_rng(0))
    before = world.render()
    assert set(before) == {"wrist_1", "wrist_2", "side"}
    assert orange(before["wrist_1"]) > 400  # pixels of 128 x 128
    assert orange(before["side"]) > 150
    seen_before = orange_columns(before["side"])
    place_bar(world, (GOAL_X, 0.0, 0.03))
    after = world.render()
    assert orange(after["wrist_2"]) > 400
    assert orange(after["side"]) > 300, "success is decided here: more of the bar than in the left basket"
    assert seen_before.max() < 32 < orange_columns(after["side"]).min(), (
        "the baskets are apart in the picture"
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("arms.1.gripper.mode=fixed", "mode: learned"),
        ("scene.parameters.bar_length_m=0.2", "basket_length_m: 0.21 must be 2 cm"),
        ("scene.parameters.basket_distance_m=0.2", "baskets overlap"),
        ("scene.parameters.lid_m=0.1", "lid_m: unknown"),
    ],
)
def test_what_does_not_fit_is_refused(override, message):
    with pytest.raises(TaskError, match=message):
        make_scene(load_task("object_handover", [override, "reward.gates=[]"]))


def test_one_arm_is_refused():
    with pytest.raises(TaskError, match="has two arms, the task has 1"):
        make_scene(load_task("usb_grasp_insertion", ["scene.name=object_handover"]))
