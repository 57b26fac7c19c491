# SPDX-License-Identifier: Apache-2.0
"""Dashboard: both hands lift by friction, forces in the closed chain stay bounded, misaligned pins stand on
the face, and what counts as done."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hilserl_sim.poses import TOOL_DOWN, body_pose, place_free_body, pose, turn_z
from hilserl_sim.scenes import make_scene
from hilserl_sim.world import SimWorld
from hilserl_task import TaskError, load_task
from hilserl_task.frames import inverse

ARMS = ("left", "right")
OPEN, CLOSED = 1.0, 0.0
SEATED = pose((0, 0, 0.012))  # panel_T_workpiece
STEP_M, STEP_RAD = 0.02, 0.1


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task("dashboard_assembly"))
    yield world
    world.close()


def workpiece(world):
    return body_pose(world.data, world.model.body("workpiece").id)


def tcp(world, arm):
    return world.arms[arm].world_T_base @ world.measure(arm).base_T_tcp


def grips(world):
    """world_T_tcp of good grasps."""
    return {
        "left": workpiece(world) @ pose((-0.1, 0, 0), TOOL_DOWN),
        "right": workpiece(world) @ pose((0.1, 0, 0), turn_z(np.pi) @ TOOL_DOWN),
    }


def part_of_the_way(start, end):
    """At most one full action of a policy."""
    move = end[:3, 3] - start[:3, 3]
    turn = Rotation.from_matrix(end[:3, :3] @ start[:3, :3].T).as_rotvec()
    move *= min(1.0, STEP_M / max(np.linalg.norm(move), 1e-9))
    turn *= min(1.0, STEP_RAD / max(np.linalg.norm(turn), 1e-9))
    return pose(start[:3, 3] + move, Rotation.from_rotvec(turn).as_matrix() @ start[:3, :3])


def go(world, targets, steps):
    """Hands towards world poses; arms that are not named stay."""
    for _ in range(steps):
        for arm in ARMS:
            here = tcp(world, arm)
            target = part_of_the_way(here, targets[arm]) if arm in targets else here
            assert world.set_target(inverse(world.arms[arm].world_T_base) @ target, arm=arm)
        world.advance(100)


def close(world, *arms):
    for arm in arms:
        world.set_gripper(CLOSED, arm=arm)
    go(world, {}, 8)


def carry(world, target, steps):
    """The workpiece towards a world pose, in small steps of both hands as one body."""
    for _ in range(steps):
        here = workpiece(world)
        change = part_of_the_way(here, target) @ inverse(here)
        go(world, {arm: change @ tcp(world, arm) for arm in ARMS}, 1)


def lift(world):
    go(world, grips(world), 8)
    close(world, *ARMS)
    carry(world, pose((0, 0, 0.06)) @ workpiece(world), 10)


def over_the_holes(world, sideways=(0.0, 0.0)):
    panel = world.truth().frames["panel"]
    carry(world, panel @ pose((*sideways, 0.03)) @ SEATED, 20)
    return panel


def press(world, panel, sideways=(0.0, 0.0)):
    carry(world, panel @ pose((*sideways, -0.005)) @ SEATED, 12)


def test_both_hands_lift_turn_and_mate_every_pin(world):
    for seed in range(2):
        world.reset(np.random.default_rng(seed))
        lift(world)
        assert workpiece(world)[2, 3] > 0.07, "not lifted"
        assert not world.truth().success
        panel = over_the_holes(world)
        assert world.truth().insertion_depth < -0.01
        assert not world.truth().success, "over the holes is not in"
        press(world, panel)
        truth = world.truth()
        assert truth.success
        assert 0.012 <= truth.insertion_depth < 0.0155


@pytest.mark.parametrize("sideways", [(0.006, 0.0), (0.0, -0.007)])
def test_pins_beside_their_holes_stand_on_the_face(world, sideways):
    world.reset(np.random.default_rng(2))
    lift(world)
    panel = over_the_holes(world, sideways)
    press(world, panel, sideways)
    assert abs(world.truth().insertion_depth) < 0.004, "pressed on the face, not through it"
    assert not world.truth().success


def test_it_falls_when_both_hands_let_go(world):
    world.reset(np.random.default_rng(4))
    lift(world)
    for arm in ARMS:
        world.set_gripper(OPEN, arm=arm)
    go(world, {}, 10)
    assert workpiece(world)[2, 3] < 0.035


def test_open_hands_lift_nothing(world):
    world.reset(np.random.default_rng(5))
    go(world, grips(world), 8)
    go(world, {arm: pose((0, 0, 0.06)) @ tcp(world, arm) for arm in ARMS}, 8)
    assert workpiece(world)[2, 3] < 0.03


def test_arms_that_pull_against_each_other_stay_within_their_clips(world):
    """Closed chain: a policy that pulls apart, or pushes together, with full action."""
    world.reset(np.random.default_rng(6))
    lift(world)
    before = {arm: inverse(workpiece(world)) @ tcp(world, arm) for arm in ARMS}
    clip_n = 2000.0 * 0.0075
    for sign in (1.0, -1.0):
        forces = []
        for _ in range(15):
            away = {"left": -0.02 * sign, "right": 0.02 * sign}
            go(world, {arm: pose((x, 0, 0)) @ tcp(world, arm) for arm, x in away.items()}, 1)
            forces.append([np.abs(world.measure(arm).wrench[:3]).max() for arm in ARMS])
        assert np.max(forces) < 2 * clip_n, f"internal force {np.max(forces):.1f} N"
        assert np.max(forces) > 0.5 * clip_n, "nothing was pulled"
    for arm in ARMS:
        slip = np.linalg.norm((inverse(workpiece(world)) @ tcp(world, arm) - before[arm])[:3, 3])
        assert slip < 0.002, f"{arm}: slipped by {1e3 * slip:.1f} mm"


def test_the_workpiece_stands_where_the_task_says(world):
    spread, dims = world.task.reset.translation_range_m, world._scene._dims
    places = []
    for seed in range(25):
        world.reset(np.random.default_rng(seed))
        stands = workpiece(world)
        middle = [dims.middle_x_m, dims.workpiece_y_m]
        places.append([*(stands[:2, 3] - middle), np.arctan2(stands[1, 0], stands[0, 0])])
        assert stands[2, 3] == pytest.approx(dims.standing_height_m, abs=1e-3)
        for arm in ARMS:
            assert world.measure(arm).gripper == pytest.approx(1.0, abs=0.02)
        assert not world.truth().success
    furthest = np.abs(places).max(axis=0)
    most = np.array([*spread[:2], world.task.reset.yaw_range_rad])
    assert (furthest < most + 1e-3).all()
    assert (furthest > 0.8 * most).all()


def test_truth_asks_for_every_pin(world):
    world.reset(np.random.default_rng(0))
    panel = world.truth().frames["panel"]

    def put(panel_T_workpiece):
        place_free_body(world.model, world.data, "workpiece", panel @ panel_T_workpiece)
        world.advance(1)
        return world.truth()

    assert put(pose((0, 0, 0.0125))).success
    tilted = pose((0, 0, 0.0145), Rotation.from_euler("y", 0.06).as_matrix())
    assert not put(tilted).success, "three millimetres of one end are out"
    assert not put(pose((0.005, 0, 0.0125))).success, "not in the holes"
    truth = put(pose((0, 0, 0.030)))
    assert truth.insertion_depth == pytest.approx(-0.004, abs=1e-3)
    np.testing.assert_allclose(truth.frames["workpiece"], workpiece(world), atol=1e-9)


def test_board_moved_takes_the_holes_along(world):
    places = set()
    for seed in range(4):
        world.reset(np.random.default_rng(seed), board_moved=True)
        places.add(round(float(world.truth().frames["panel"][0, 3]), 4))
    world.reset(np.random.default_rng(0))
    assert len(places) == 4
    assert world.truth().frames["panel"][0, 3] == pytest.approx(world._scene._dims.middle_x_m)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (["arms.1.gripper.mode=fixed", "reward.gates=[]"], "'right' has to grasp.*mode: learned"),
        (["cameras.0.arm=right"], "'wrist_1' belongs to arm 'left'"),
        (["scene.parameters.pin_length_m=0.5"], r"pin_length_m: 0\.5 must be within.*example"),
    ],
)
def test_what_does_not_fit_is_named(override, message):
    with pytest.raises(TaskError, match=message):
        make_scene(load_task("dashboard_assembly", override))
