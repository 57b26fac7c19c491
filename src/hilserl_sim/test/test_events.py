# SPDX-License-Identifier: Apache-2.0
"""Events of an episode: drawn by the seed, real in the physics, and gone without a trace."""

import numpy as np
import pytest
from expert import expert_action, run_episode
from test_usb_grasp_insertion import CLOSED, connector, go, grasp

from hilserl_sim.world import SimWorld
from hilserl_task import TaskError, load_task
from hilserl_task.action_codec import target_pose

PERIOD = 100  # cycles


def ram(*settings, events=()):
    overrides = [f"evaluation.event_settings.{setting}" for setting in settings]
    return SimWorld(load_task("ram_insertion", [*overrides, f"evaluation.events=[{','.join(events)}]"]))


@pytest.fixture(scope="module")
def usb():
    world = SimWorld(
        load_task(
            "usb_grasp_insertion",
            [
                "evaluation.event_settings.object_moved.steps=[1, 1]",
                "evaluation.event_settings.gripper_opened.steps=[0, 0]",
            ],
        )
    )
    yield world
    world.close()


def board(world):
    body = world.model.body("board").id
    return np.concatenate([world.model.body_pos[body], world.model.body_quat[body]])


def trace(world, seed, events=(), steps=25):
    """States (steps, n) under random actions, and the step after which an event was seen first."""
    rng, states, seen = np.random.default_rng(seed + 1000), [], None
    world.reset(np.random.default_rng(seed), events=events)
    for step in range(steps):
        action = rng.uniform(-1, 1, 6)
        target = target_pose(world.measure().base_T_tcp, action, world.task.arms[0].action)
        world.set_target(target)
        world.advance(PERIOD)
        states.append(np.concatenate([world.data.qpos, world.data.qvel, board(world)]))
        if world.events and seen is None:
            seen = step
    return np.array(states), seen


def test_an_event_changes_nothing_before_it_and_leaves_nothing_behind(world):
    calm, nothing = trace(world, 3)
    assert nothing is None
    for kind in ("board_shifts", "arm_pushed"):
        disturbed, seen = trace(world, 3, [kind])
        assert 2 <= seen <= (8 if kind == "arm_pushed" else 6)
        assert (calm[:seen] == disturbed[:seen]).all()
        assert (calm[seen] != disturbed[seen]).any()
        assert (trace(world, 3)[0] == calm).all(), f"{kind} left something behind"


def test_a_seed_draws_the_same_event_whatever_others_there_are(world):
    alone, at = trace(world, 5, ["board_shifts"])
    again, again_at = trace(world, 5, ["board_shifts"])
    both, _ = trace(world, 5, ["arm_pushed", "board_shifts"])
    assert at == again_at
    assert (alone == again).all()
    assert (alone[-1, -7:] == both[-1, -7:]).all()  # the board
    assert (alone[-1, :7] != both[-1, :7]).any()  # the arm
    other, _ = trace(world, 6, ["board_shifts"])
    assert (alone[-1, -7:] != other[-1, -7:]).any()


def test_a_board_goes_smoothly_as_far_as_the_task_says():
    world = ram("board_shifts.steps=[0, 0]", "board_shifts.translation_m=[0.01, 0.02]")
    ways, turns = [], []
    for seed in range(12):
        world.reset(np.random.default_rng(seed), events=["board_shifts"])
        places = [board(world)]
        for _ in range(450):
            world.advance(1)
            places.append(board(world))
        moved = np.diff([place[:3] for place in places], axis=0)
        assert np.linalg.norm(moved, axis=1).max() < 2e-4, "no jump: at most 0.1 m/s"
        assert (moved[401:] == 0).all()
        ways.append(np.linalg.norm(places[-1][:3] - places[0][:3]))
        turns.append(2 * np.arctan2(places[-1][6], places[-1][3]))
        truth = world.truth()
        np.testing.assert_allclose(truth.base_T_board[:3, 3], places[-1][:3])
        assert truth.base_T_goal[0, 3] != pytest.approx(places[0][0], abs=1e-4)
    assert 0.01 <= min(ways) < max(ways) <= 0.02
    assert -0.1 <= min(turns) < 0 < max(turns) <= 0.1
    world.close()


def test_the_next_episode_finds_everything_where_it_belongs(usb):
    """The scene puts its panel back, but never turns it: the event has to."""
    panel = usb.model.body("panel").id
    before = [usb.model.body_pos[panel].copy(), usb.model.body_quat[panel].copy()]
    for cycles in (2000, 1000):  # the second time in the middle of the movement
        usb.reset(np.random.default_rng(1), events=["board_shifts"])
        while not usb.events:
            usb.advance(PERIOD)
        usb.advance(cycles // 10)
        assert (usb.model.body_quat[panel] != before[1]).any()
        usb.reset(np.random.default_rng(1))
        assert (usb.model.body_pos[panel] == before[0]).all()
        assert (usb.model.body_quat[panel] == before[1]).all()


def test_nobody_tears_the_board_from_under_the_stick():
    world = ram("board_shifts.steps=[60, 60]")
    world.reset(np.random.default_rng(0), events=["board_shifts"])
    rng = np.random.default_rng(1)
    for _ in range(40):
        action = expert_action(world, rng, 0.0)
        world.set_target(target_pose(world.measure().base_T_tcp, action, world.task.arms[0].action))
        world.advance(PERIOD)
    assert world.truth().success
    world._events._waiting[0].periods = 0  # due
    world.advance(10 * PERIOD)
    assert world.events == ()
    up = world.measure().base_T_tcp
    up[2, 3] += 0.03
    for _ in range(15):
        world.set_target(up)
        world.advance(PERIOD)
    assert world.events == ("board_shifts",)
    world.close()


def test_an_expert_copes_with_a_board_that_shifts_and_a_push(world):
    for kinds in (["board_shifts"], ["arm_pushed"]):
        outcomes = [insert(world, seed, kinds) for seed in range(8)]
        assert sum(success for success, _ in outcomes) >= 7
        assert sum(happened for _, happened in outcomes) >= 7


def insert(world, seed, kinds):
    """(success, event happened) of the expert in an episode."""
    rng = np.random.default_rng(seed)
    world.reset(np.random.default_rng(seed), events=kinds)
    for _ in range(60):
        action = expert_action(world, rng, 0.001)
        world.set_target(target_pose(world.measure().base_T_tcp, action, world.task.arms[0].action))
        world.advance(PERIOD)
        if world.truth().success:
            return True, list(world.events) == kinds
    return False, list(world.events) == kinds


def test_a_push_moves_the_arm_and_no_longer_than_it_lasts():
    world = ram("arm_pushed.steps=[1, 1]", "arm_pushed.force_n=[20, 20]")
    world.reset(np.random.default_rng(0), events=["arm_pushed"])
    here, hand, ways = world.measure().base_T_tcp, world.model.body("arm/hand").id, []
    for step in range(12):
        world.set_target(here)
        world.advance(PERIOD)
        ways.append(world.measure().base_T_tcp[:3, 3] - here[:3, 3])
        pushing = step in (1, 2, 3)
        assert np.linalg.norm(world.data.xfrc_applied[hand]) == pytest.approx(20.0 * pushing)
        if step == 2:
            force = world.data.xfrc_applied[hand, :2].copy()
    away = np.linalg.norm(ways, axis=1)
    assert away[0] < 1e-3
    assert 0.004 < away.max() < 0.03
    assert np.dot(ways[2][:2], force) > 0.9 * away[2] * 20.0
    assert away[-1] < 1e-3
    world.close()


def test_an_object_is_pushed_along_the_table(usb):
    spec, ways = usb.task.evaluation.event_settings.object_moved, []
    for seed in range(6):
        usb.reset(np.random.default_rng(seed), events=["object_moved"])
        before = connector(usb)
        usb.advance(PERIOD)
        assert usb.events == ()
        usb.advance(6 * PERIOD)
        assert usb.events == ("object_moved",)
        after = connector(usb)
        way = after[:3, 3] - before[:3, 3]
        ways.append(np.linalg.norm(way))
        assert abs(way[2]) < 1e-3
        assert after[2, 2] > 0.999
        assert np.abs(usb.data.qvel[-6:]).max() < 1e-3, "it lies still again"
    assert spec.translation_m[0] - 1e-3 < min(ways) < max(ways) < spec.translation_m[1] + 1e-3


def test_what_stands_in_the_way_of_an_object_stops_it(usb):
    """An open hand around the connector: a fingertip's force does not push it through the fingers."""
    usb.reset(np.random.default_rng(0), events=["object_moved"])
    push = usb._events._offered["object_moved"]
    push._offset = np.array([0.0, 0.06])  # across the fingers
    lying = connector(usb)
    usb._events._waiting[0].periods = 1000
    down = np.diag([1.0, -1.0, -1.0])
    target = np.eye(4)
    target[:3, :3], target[:3, 3] = down, lying[:3, 3] + [0, 0, 0.003]
    go(usb, target, 2.0)
    usb._events._waiting[0].periods = 0
    go(usb, target, 1.0)
    assert usb.events == ("object_moved",)
    assert np.abs(connector(usb)[1, 3] - lying[1, 3]) < 0.04
    assert np.abs(usb.data.qvel[-6:]).max() < 0.05


def test_fingers_pulled_apart_drop_what_they_hold_and_close_on_nothing(usb):
    usb.reset(np.random.default_rng(1), events=["gripper_opened"])
    grasp(usb)  # lifts at the end, and the event comes as soon as it is in the air
    assert usb.events == ("gripper_opened",)
    go(usb, usb.measure().base_T_tcp, 1.5)
    assert connector(usb)[2, 3] < 0.02
    assert usb.arms["arm"].gripper.goal == CLOSED, "nobody commanded anything"
    assert usb.measure().gripper < 0.05
    usb.reset(np.random.default_rng(1))
    assert usb.events == ()
    grasp(usb)
    assert connector(usb)[2, 3] > 0.05, "the next episode holds again"


def test_a_gripper_that_carries_nothing_is_left_alone(usb):
    usb.reset(np.random.default_rng(1), events=["gripper_opened"])
    go(usb, usb.measure().base_T_tcp, 1.5, CLOSED)
    assert usb.events == ()


def test_a_moved_board_is_an_event_like_the_others(world):
    world.reset(np.random.default_rng(0), board_moved=True)
    asked = board(world)
    assert world.events == ("board_moved",)
    world.reset(np.random.default_rng(0), events=["board_moved"])
    assert (board(world) == asked).all()
    world.reset(np.random.default_rng(0))
    assert world.events == ()
    assert (board(world) != asked).any()
    assert run_episode(world, 100, expert_action, 0.001, moved=True) is not None


def test_a_scene_says_what_it_has(world, usb):
    assert world.event_kinds == ("board_moved", "board_shifts", "arm_pushed")
    assert usb.event_kinds == (*world.event_kinds, "object_moved", "gripper_opened")
    text = "scene 'ram_insertion' has no 'object_moved'; it has: board_moved, board_shifts, arm_pushed"
    with pytest.raises(TaskError, match=text):
        ram(events=["object_moved"])
    before = world.data.qpos.copy()
    with pytest.raises(TaskError, match=text):
        world.reset(np.random.default_rng(0), events=["object_moved"])
    assert (world.data.qpos == before).all()
