# SPDX-License-Identifier: Apache-2.0
"""Every simulated task that ships: it starts, steps, shows pictures, and a scripted person can do it."""

from pathlib import Path

import numpy as np
import pytest
from person_in_simulation import Person

from hilserl_sim.command import Command
from hilserl_sim.scenes import SCENES
from hilserl_sim.world import SimWorld
from hilserl_task import load_task
from hilserl_task.action_codec import arm_target
from hilserl_task.gripper import asks_for
from hilserl_task.spaces import ArmReading, observation_space, state_vector
from hilserl_teleop.crafts import CRAFTS

TASK_FILES = sorted(Path(__file__).parent.parent.glob("config/tasks/*.yaml"))
TASKS = [task.name for task in map(load_task, map(str, TASK_FILES)) if task.scene is not None]


@pytest.fixture(scope="module", params=TASKS)
def world(request):
    world = SimWorld(load_task(request.param))
    yield world
    world.close()


def test_every_scene_has_a_task_and_a_person():
    used = {load_task(name).scene.name for name in TASKS}
    assert used == set(SCENES) == set(CRAFTS)


def act(world, values):
    """One policy period under an action (a,) of the whole task."""
    for arm, place in zip(world.task.arms, world.task.action_layout.arms, strict=True):
        target = arm_target(world.measure(arm.name).base_T_tcp, values[place.motion], arm)
        assert world.command(Command.of(target), arm=arm.name)
        if place.gripper is not None:
            opens = asks_for(values[place.gripper])
            if opens is not None:
                world.set_gripper(float(opens), arm=arm.name)
    world.advance(world.task.cycles_per_step)


def observe(world, starts):
    """Observation as the policy gets it."""
    readings = []
    for arm in world.task.arms:
        now = world.measure(arm.name)
        gripper = now.gripper if arm.gripper.learned else None
        joints = np.concatenate([now.joint_position, now.joint_velocity])
        joints = joints if world.task.observation.joint_state else None
        readings.append(ArmReading(now.base_T_tcp, starts[arm.name], now.twist, now.wrench, gripper, joints))
    start_class = 0.0 if world.task.observation.start_class else None
    return {"state": state_vector(readings, start_class), **world.render()}


def rollout(world, seed, steps):
    """Observations of random actions."""
    rng = np.random.default_rng(seed)
    world.reset(rng)
    starts = {arm.name: world.measure(arm.name).base_T_tcp for arm in world.task.arms}
    seen = [observe(world, starts)]
    for _ in range(steps):
        act(world, rng.uniform(-1, 1, world.task.action_dim))
        seen.append(observe(world, starts))
    return seen


def test_it_resets_and_steps_and_everything_fits_the_spaces(world):
    space = observation_space(world.task)
    for observation in rollout(world, 3, 10):
        assert space.contains(observation)
        assert np.isfinite(observation["state"]).all()
        for camera in world.task.cameras:
            assert observation[camera.name].std() > 10, f"{camera.name} shows nothing"
    truth = world.truth()
    poses = [truth.base_T_tcp, truth.base_T_goal, truth.base_T_board, *truth.frames.values()]
    assert np.isfinite(poses).all()
    assert np.isfinite(truth.insertion_depth)


def test_a_seed_is_an_episode_whatever_ran_before(world):
    first, _, again = (rollout(world, seed, 4) for seed in (5, 6, 5))
    for one, other in zip(first, again, strict=True):
        for key, value in one.items():
            np.testing.assert_array_equal(value, other[key])


def test_starts_differ(world):
    first, second = (rollout(world, seed, 0)[0] for seed in (1, 2))
    pictures = [camera.name for camera in world.task.cameras]
    assert any((first[name] != second[name]).any() for name in pictures)


@pytest.mark.slow
def test_a_person_can_do_it_most_of_the_time(world):
    played = [Person(world, "demos", seed).play() for seed in range(10)]
    assert sum(episode.success for episode in played) >= 9


@pytest.mark.slow
def test_what_a_person_shows_the_classifier_has_both(world):
    played = [Person(world, "labels", seed).play() for seed in range(4)]
    if world.task.reward.classes:
        assert {view.kind for episode in played for view in episode.views} >= set(world.task.reward.classes)
        return
    pressed = [output.success_button for episode in played for output in episode.outputs]
    assert 0.05 < np.mean(pressed) < 0.7
