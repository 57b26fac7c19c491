# SPDX-License-Identifier: Apache-2.0
"""The scripted person at the dashboard: does it, grasps again, goes on from anywhere, shows success."""

import numpy as np
import pytest
from person_in_simulation import Person

from hilserl_sim.world import SimWorld
from hilserl_task import load_task
from hilserl_task.frames import inverse
from hilserl_task.spaces import ArmReading, state_names, state_vector
from hilserl_teleop.scripted_operator import ScriptedOperator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task("dashboard_assembly"))
    yield world
    world.close()


def height(view):
    return view.world_T["workpiece"][2, 3]


def test_demonstrations(world):
    """At least 95 % succeed, half of them within 45 steps (4.5 s)."""
    played = [Person(world, "demos", seed).play() for seed in range(20)]
    assert np.mean([episode.success for episode in played]) >= 0.95
    assert np.median([len(episode.outputs) for episode in played]) <= 45


def test_goes_on_from_where_somebody_else_stopped(world):
    """A person is chosen anew every second: all it needs to know is what it sees."""
    person = Person(world, "demos", 4)
    for relay in range(10):
        person.operator = ScriptedOperator(world.task, "demos", np.random.default_rng(relay))
        if person.play(steps=10).success:
            break
    assert world.truth().success


@pytest.mark.parametrize("opened", [("left",), ("right",), ("left", "right")])
def test_grasps_again_when_hands_are_forced_open(world, opened):
    """Paper, Fig. 4 E and F."""
    person = Person(world, "demos", 5)
    happened = []

    def force_open(view, output):
        if not happened and height(view) > 0.045:
            happened.append(view.step)
            for arm in opened:
                person.grippers[arm].is_open = True
                world.set_gripper(1.0, arm=arm)

    played = person.play(on_view=force_open)
    assert happened, "never lifted"
    assert played.success
    assert len(played.outputs) > happened[0] + 15


def test_moves_both_hands_as_one_body(world):
    """While both hold, each hand keeps its place on the workpiece, whatever the other does."""
    person = Person(world, "demos", 6)
    seen = []

    def look(view, output):
        if all(person.operator.craft.holds(view, arm) for arm in view.opening) and height(view) > 0.04:
            seen.append(
                [(inverse(view.world_T["workpiece"]) @ pose)[:3, 3] for pose in view.world_T_tcp.values()]
            )

    assert person.play(on_view=look).success
    assert len(seen) > 10
    assert np.ptp(seen, axis=0).max() < 0.003


def test_helps_a_policy_that_does_nothing(world):
    played = [Person(world, "train", seed).play() for seed in range(3)]
    assert all(episode.success for episode in played)
    for episode in played:
        assert not any(output.intervening for output in episode.outputs[:10])
        assert any(output.intervening for output in episode.outputs)


def test_leaves_a_policy_alone_that_does_as_a_person_would(world):
    teacher = ScriptedOperator(world.task, "demos", np.random.default_rng(0)).craft

    def policy(view):
        actions = {}
        for arm, push in teacher.moves(view).items():
            world_R_tcp, scale = view.world_T_tcp[arm][:3, :3], np.repeat([0.02, 0.1], 3)
            wanted = push.world_R_axes @ push.wanted[:3], push.world_R_axes @ push.wanted[3:]
            grip = 0.0 if push.open_hand in (None, view.hand_open[arm]) else 2.0 * push.open_hand - 1.0
            motion = np.concatenate([world_R_tcp.T @ part for part in wanted])
            actions[arm] = np.append(0.7 * motion / scale, grip)
        return actions

    played = Person(world, "train", 7).play(policy)
    assert played.success
    assert not any(output.intervening for output in played.outputs)


def test_shows_success_and_everything_else_and_gates_let_success_through(world):
    """Gates of the task file: open at every success, and shut at most of what is none."""
    task, names = world.task, state_names(world.task)
    person = Person(world, "labels", 8)
    starts = {arm.name: world.measure(arm.name).base_T_tcp for arm in task.arms}
    opened = []

    def look(view, output):
        readings = []
        for arm in task.arms:
            now = world.measure(arm.name)
            readings.append(ArmReading(now.base_T_tcp, starts[arm.name], now.twist, now.wrench, now.gripper))
        state = dict(zip(names, state_vector(readings), strict=True))
        low = [state[gate.entry] >= gate.minimum for gate in task.reward.gates if gate.minimum is not None]
        high = [state[gate.entry] <= gate.maximum for gate in task.reward.gates if gate.maximum is not None]
        opened.append(all(low + high))

    played = person.play(on_view=look)
    done, opened = np.array(played.done), np.array(opened)
    assert played.outputs[-1].discard_button
    assert 8 <= done.sum() < 0.5 * len(done)
    assert [output.success_button for output in played.outputs] == list(done)
    assert opened[done].all()
    assert 0.05 < np.mean(opened[~done]) < 0.5, "near misses are shown, and not they alone"


def test_grasps_of_the_labels_differ_along_the_handles(world):
    grips = []
    for seed in range(30, 34):
        person = Person(world, "labels", seed)
        craft = person.operator.craft
        for view in person.play(steps=70).views:
            grips += [craft.grip_error(view, arm)[0] for arm in ("left", "right") if craft.holds(view, arm)]
    assert np.ptp(grips) > 0.012
    assert np.abs(grips).max() < 0.02


def test_labels_show_what_is_home_on_one_side_only(world):
    leaning = []
    for seed in range(30, 34):
        person = Person(world, "labels", seed)
        craft = person.operator.craft
        for view in person.play().views:
            if view.depth > 0.007 and not view.success:
                leaning.append(np.abs(craft.place_error(view)[3:5]))
    about_x, about_y = np.array(leaning).T
    assert np.sum(about_x > 0.06) >= 10, "front or back 1.5 mm less deep"
    assert np.sum(about_y > 0.012) >= 10, "left or right"
