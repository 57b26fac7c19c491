# SPDX-License-Identifier: Apache-2.0
"""Wrench actions on the simulated arm: what is pushed moves, the rest is held, and no limit is passed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilserl_sim.command import Command
from hilserl_sim.world import SimWorld
from hilserl_task import load_task
from hilserl_task.action_codec import arm_target, no_wrench
from hilserl_task.frames import inverse, position_and_rotvec

FLIP = "arms.0.action={type: wrench, force_scale_n: {x: 13.0, z: 12.0}, torque_scale_nm: {y: 3.5}}"
BOX = "minimum_m: [0.4, -0.25, 0.1], maximum_m: [0.6, 0.25, 0.3], orientation: {}"
WORKSPACE = f"arms.0.controller.workspace={{{BOX}}}"
# 13 N on 2000 N/m are 6.5 mm, 3.5 Nm on 75 Nm/rad 0.05 rad; more by the speed at which the arm gets there.
WALL_DEPTH_M, WALL_DEPTH_RAD = 0.012, 0.08
free = st.lists(st.floats(-1, 1), min_size=3, max_size=3)


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task("ram_insertion", [FLIP, WORKSPACE, "reset.offset_m=[0.0, 0.0, 0.12]"]))
    yield world
    world.close()


def begin(world, seed=1):
    world.reset(np.random.default_rng(seed))
    return world.measure().base_T_tcp


def act(world, values):
    arm = world.task.arms[0]
    assert world.command(Command.of(arm_target(world.measure().base_T_tcp, np.array(values), arm)))
    world.advance(world.task.cycles_per_step)


def moved(world, start):
    """(6,) m and rad in base axes since the start."""
    turn = world.measure().base_T_tcp @ inverse(start)
    return np.concatenate([world.measure().base_T_tcp[:3, 3] - start[:3, 3], position_and_rotvec(turn)[3:]])


@pytest.mark.parametrize(
    ("values", "axis"), [((1, 0, 0), 0), ((-1, 0, 0), 0), ((0, 1, 0), 2), ((0, 0, 1), 4), ((0, 0, -1), 4)]
)
def test_a_push_moves_the_arm_along_its_axis_and_the_held_axes_stay(world, values, axis):
    start = begin(world)
    for _ in range(4):
        act(world, values)
    displacement = moved(world, start)
    assert np.sign(displacement[axis]) == np.sum(values)
    assert abs(displacement[axis]) > (0.03 if axis < 3 else 0.1)
    assert abs(displacement[1]) < 0.003
    assert np.abs(displacement[[3, 5]]).max() < 0.03


def test_what_pushes_sideways_meets_the_stiffness_of_a_held_axis(world):
    """8 N on 2000 N/m are 4 mm; a free arm would go 0.1 m."""
    start = begin(world)
    for _ in range(6):
        assert world.command(Command(wrench=np.array([0.0, 8.0, 0.0, 0.0, 0.0, 0.0])))
        world.advance(world.task.cycles_per_step)
    assert 0.002 < moved(world, start)[1] < 0.008


def test_speed_goes_to_force_over_damping(world):
    begin(world)
    for _ in range(5):
        act(world, (0.0, 1.0, 0.0))
    fastest = 12.0 / world.task.arms[0].controller.wrench.translational_damping
    assert 0.6 * fastest < world.measure().twist[2] < fastest


@pytest.mark.parametrize("values", [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, -1)])
def test_soft_walls_stop_it(world, values):
    begin(world)
    box = world.task.arms[0].controller.workspace
    reached, angles = [], []
    for _ in range(30):
        act(world, values)
        reached.append(world.measure().base_T_tcp[:3, 3])
        tool = world.measure().base_T_tcp[:3, :3]
        angles.append(np.arcsin(-tool[0, 2]))
    assert (np.array(reached)[:, [0, 2]] >= np.array(box.minimum_m)[[0, 2]] - WALL_DEPTH_M).all()
    assert (np.array(reached) <= np.array(box.maximum_m) + WALL_DEPTH_M).all()
    assert np.abs(angles).max() < 0.5 + WALL_DEPTH_RAD
    assert np.linalg.norm(world.measure().twist[:3]) < 0.05, "it stands, or nearly"
    wall = {0: (0, 0.6), 1: (2, 0.3)}.get(int(np.argmax(np.abs(values))))
    if wall is not None and sum(values) > 0:
        assert reached[-1][wall[0]] == pytest.approx(wall[1], abs=WALL_DEPTH_M), "there is where it stands"


@settings(max_examples=8, deadline=None)
@given(actions=st.lists(free, min_size=6, max_size=6), seed=st.integers(0, 99))
def test_no_wrench_passes_the_laws_bounds(world, actions, seed):
    """Every cycle, whatever is asked for; held axes stay near where they began."""
    start = begin(world, seed)
    arm, controller = world.arms["arm"], world.task.arms[0].controller
    for values in actions:
        target = arm_target(world.measure().base_T_tcp, np.array(values), arm.spec)
        assert world.command(Command.of(target))
        last = arm.law.state.effort
        for _ in range(world.task.cycles_per_step):
            world.advance(1)
            state = arm.law.state
            assert np.linalg.norm(state.wrench[:3]) <= controller.max_force_n + 1e-9
            assert np.linalg.norm(state.wrench[3:]) <= controller.max_torque_nm + 1e-9
            assert np.abs(state.effort - last).max() <= controller.max_effort_rate / controller.rate_hz + 1e-9
            last = state.effort
    assert abs(moved(world, start)[1]) < 0.01


def test_more_than_the_law_passes_on_is_cut(world):
    begin(world)
    assert world.command(Command(wrench=np.array([500.0, 0, 0, 0, 500.0, 0])))
    world.advance(world.task.cycles_per_step)
    np.testing.assert_allclose(world.arms["arm"].law.state.commanded_wrench, [20, 0, 0, 0, 5, 0])


def test_without_a_next_action_the_force_ends_and_the_arm_holds(world):
    """As when the mux dies: the law's own time-out."""
    begin(world)
    for _ in range(3):
        act(world, (1.0, 0.5, 0.0))
    law = world.arms["arm"].law
    world.advance(50)
    assert np.abs(law.state.commanded_wrench).max() == pytest.approx(13.0), "not yet: 150 ms"
    world.advance(200)
    assert not law.state.commanded_wrench.any()
    assert law.state.holding
    world.advance(500)
    stands = world.measure().base_T_tcp
    world.advance(1000)
    assert np.abs(moved(world, stands)).max() < 1e-3


def test_letting_go_ends_the_force_within_its_ramp(world):
    begin(world)
    act(world, (1.0, 0.0, 0.0))
    assert world.command(Command.of(no_wrench(world.task.arms[0].action)))
    world.advance(50)
    assert not world.arms["arm"].law.state.commanded_wrench.any()


def test_a_pose_after_a_wrench_stops_the_arm_there(world):
    """HOLD of the mux in full flight."""
    begin(world)
    for _ in range(4):
        act(world, (1.0, 0.0, 0.0))
    assert np.linalg.norm(world.measure().twist[:3]) > 0.1
    here = world.measure().base_T_tcp
    for _ in range(10):
        assert world.command(Command(here))
        world.advance(world.task.cycles_per_step)
    assert np.abs(moved(world, here)).max() < 0.005


def test_the_same_seed_and_actions_give_the_same_bits(world):
    actions = np.random.default_rng(4).uniform(-1, 1, (6, 3))

    def play(seed):
        begin(world, seed)
        for values in actions:
            act(world, values)
        seen = world.measure()
        parts = seen.base_T_tcp.ravel(), seen.joint_position, seen.joint_velocity, seen.wrench
        return np.concatenate(parts)

    first, _, again = play(3), play(8), play(3)
    np.testing.assert_array_equal(first, again)
