# SPDX-License-Identifier: Apache-2.0
"""Grasp, plug in, let go: with a hand that knows everything, and with one that does it wrong."""

import numpy as np
import pytest

from hilserl_sim.poses import TOOL_DOWN, body_pose, pose, turn_z
from hilserl_sim.scenes import make_scene
from hilserl_sim.world import SimWorld
from hilserl_task import TaskError, load_task

TASK = "usb_grasp_insertion"
STEP_M = 0.015
OPEN, CLOSED = 1.0, 0.0


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task(TASK))
    yield world
    world.close()


def connector(world):
    return body_pose(world.data, world.model.body("connector").id)


def go(world, target, seconds, gripper=None):
    """Towards a pose as the policy would: at most one full action a period."""
    if gripper is not None:
        world.set_gripper(gripper)
    for _ in range(round(seconds * 10)):
        here = world.measure().base_T_tcp[:3, 3]
        way = target[:3, 3] - here
        step = target.copy()
        step[:3, 3] = here + way * min(1.0, STEP_M / max(np.linalg.norm(way), 1e-9))
        world.set_target(step)
        world.advance(100)


def grasp(world, turn_rad=0.0):
    lying = connector(world)
    down = turn_z(np.arctan2(lying[1, 0], lying[0, 0]) + turn_rad) @ TOOL_DOWN
    at = lying[:3, 3] + [0, 0, 0.003]
    go(world, pose(at + [0, 0, 0.03], down), 1.0)
    go(world, pose(at, down), 1.0)
    go(world, pose(at, down), 0.8, CLOSED)
    go(world, pose(at + [0, 0, 0.06], down), 1.0)


def plug_in(world, sideways_m=0.0):
    for distance, seconds in ((0.025, 2.0), (0.02, 1.0)):
        target = world.truth().base_T_goal
        target[:3, 3] += [-distance, sideways_m, 0]
        go(world, target, seconds)
    for _ in range(20):
        target = world.truth().base_T_goal
        target[:3, 3] += [0.004, sideways_m, 0]
        target[0, 3] = min(target[0, 3], world.measure().base_T_tcp[0, 3] + 0.008)
        go(world, target, 0.1)


def test_grasp_insert_release_succeeds_whatever_the_start(world):
    for seed in range(6):
        world.reset(np.random.default_rng(seed))
        grasp(world)
        assert connector(world)[2, 3] > 0.05, f"seed {seed}: not lifted"
        plug_in(world)
        assert world.truth().insertion_depth > 0.01
        assert not world.truth().success, "held is not released"
        go(world, world.measure().base_T_tcp, 1.0, OPEN)
        assert world.truth().success, f"seed {seed}"


def test_misaligned_plug_jams(world):
    world.reset(np.random.default_rng(1))
    grasp(world)
    plug_in(world, sideways_m=0.003)
    go(world, world.measure().base_T_tcp, 1.0, OPEN)
    assert not world.truth().success


def test_an_open_hand_lifts_nothing(world):
    world.reset(np.random.default_rng(2))
    lying = connector(world)
    go(world, pose(lying[:3, 3] + [0, 0, 0.003], TOOL_DOWN), 2.0)
    go(world, pose(lying[:3, 3] + [0, 0, 0.08], TOOL_DOWN), 2.0)
    assert connector(world)[2, 3] < 0.02


def test_the_connector_lies_where_the_task_says(world):
    spread, dims = world.task.reset.translation_range_m, world._scene._dims
    places = []
    for seed in range(40):
        world.reset(np.random.default_rng(seed))
        lying = connector(world)
        places.append(
            [*(lying[:2, 3] - [dims.connector_x_m, dims.connector_y_m]), np.arctan2(lying[1, 0], lying[0, 0])]
        )
        assert world.measure().gripper == pytest.approx(1.0, abs=0.02)
        assert not world.truth().success
    furthest = np.abs(places).max(axis=0)
    np.testing.assert_array_less(
        furthest, [spread[0] + 1e-3, spread[1] + 1e-3, world.task.reset.yaw_range_rad + 0.02]
    )
    assert (furthest > [0.008, 0.008, 0.13]).all()


def test_same_seed_same_bits(world):
    states = []
    for seed in (3, 4, 3):
        world.reset(np.random.default_rng(seed))
        go(world, pose(connector(world)[:3, 3] + [0, 0, 0.003], TOOL_DOWN), 1.0, CLOSED)
        states.append(world.data.qpos.copy())
    assert (states[0] == states[2]).all()
    assert (states[0] != states[1]).any()


def test_a_fixed_gripper_is_refused():
    with pytest.raises(TaskError, match="mode: learned"):
        make_scene(load_task(TASK, ["arms.0.gripper.mode=fixed", "reward.gates=[]"]))
