# SPDX-License-Identifier: Apache-2.0
"""Two slots on one board: each task counts its own, a chain the nearer one."""

import numpy as np
import pytest

from hilserl_sim.world import SimWorld
from hilserl_task import TaskError, load_task


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task("ram_first", ["scene.parameters.target=0"]))
    yield world
    world.close()


def go(world, target, periods):
    """Towards a pose, a centimetre a period."""
    for _ in range(periods):
        here = world.measure().base_T_tcp
        way = target[:3, 3] - here[:3, 3]
        step = target.copy()
        step[:3, 3] = here[:3, 3] + way * min(1.0, 0.01 / max(float(np.linalg.norm(way)), 1e-9))
        world.set_target(step)
        world.advance(100)


def insert(world):
    """Above the nearer slot, then down; returns the truth."""
    goal = world.truth().base_T_goal.copy()
    above = goal.copy()
    above[2, 3] += 0.012
    go(world, above, 25)
    goal[2, 3] -= 0.003
    go(world, goal, 15)
    return world.truth()


def test_the_stick_goes_into_both_slots_and_the_nearer_one_counts(world):
    world.reset(np.random.default_rng(4))
    first = insert(world)
    assert first.success
    assert first.insertion_depth > 0.007
    out = first.base_T_tcp.copy()
    out[2, 3] += 0.08
    go(world, out, 12)
    assert not world.truth().success
    second_above = first.frames["second"] @ np.linalg.inv(first.frames["first"]) @ out
    go(world, second_above, 40)
    second = insert(world)
    assert second.success
    assert np.linalg.norm(second.base_T_goal[:3, 3] - first.base_T_goal[:3, 3]) > 0.14
    assert second.base_T_goal[2, 3] - first.base_T_goal[2, 3] == pytest.approx(0.02)


@pytest.mark.parametrize(("name", "slot"), [("ram_first", "first"), ("ram_second", "second")])
def test_each_task_starts_above_its_own_slot(name, slot):
    world = SimWorld(load_task(name))
    world.reset(np.random.default_rng(1))
    truth = world.truth()
    np.testing.assert_allclose(truth.base_T_board, truth.frames[slot])
    off = np.linalg.inv(truth.frames[slot]) @ truth.base_T_tcp
    assert np.linalg.norm(off[:2, 3]) < 0.035
    assert abs(np.arctan2(off[1, 0], off[0, 0])) < 0.12
    world.close()


def test_the_start_is_as_the_seed_says_whatever_ran_before(world):
    world.reset(np.random.default_rng(7))
    start = world.measure().base_T_tcp
    insert(world)
    world.reset(np.random.default_rng(7))
    np.testing.assert_array_equal(world.measure().base_T_tcp, start)


def test_a_target_between_the_slots_is_refused():
    with pytest.raises(TaskError, match=r"scene.parameters.target: 1.5 must be 1 or 2, or 0"):
        SimWorld(load_task("ram_first", ["scene.parameters.target=1.5"]))
