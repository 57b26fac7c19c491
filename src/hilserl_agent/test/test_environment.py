# SPDX-License-Identifier: Apache-2.0
"""The Gymnasium environment in this process, against the robot side of conftest.py."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from hilserl_agent.environment import HilserlEnv
from hilserl_msgs.msg import Action, EpisodeSummary


@pytest.fixture
def env(robot, task):
    env = HilserlEnv(task, timeout_s=20.0, render_mode="rgb_array")
    yield env
    env.close()


def test_gymnasium_accepts_it(env, robot):
    robot.same_pictures = True  # the checker resets twice with one seed and wants equal observations
    check_env(env, skip_render_check=True)


def test_an_episode_ends_with_its_reward_and_says_who_acted(env, robot):
    robot.human_steps = (2,)
    observation, info = env.reset(seed=7)
    assert info == {"episode": 0}
    assert env.observation_space.contains(observation)
    assert env.render().shape == (32, 64, 3)
    action = np.linspace(-1, 1, 6, dtype=np.float32)
    steps = []
    while not steps or not (steps[-1][2] or steps[-1][3]):
        steps.append(env.step(action))
    observations, rewards, terminated, truncated, infos = zip(*steps, strict=True)
    assert rewards == (0.0, 0.0, 0.0, 1.0)
    assert terminated == (False, False, False, True)
    assert not any(truncated)
    assert [info["success"] for info in infos] == list(terminated)
    assert [info["source"] == Action.SOURCE_HUMAN for info in infos] == [False, False, True, False]
    np.testing.assert_allclose(infos[2]["intervene_action"], action)
    assert "intervene_action" not in infos[1]
    np.testing.assert_allclose([o["state"][0] for o in observations], [0.01, 0.02, 0.03, 0.04])
    np.testing.assert_array_equal(observations[3]["wrist_2"], robot.kit.images(4)[1])
    assert len(robot.actions[0]) == 4
    with pytest.raises(RuntimeError, match="call reset first"):
        env.step(action)
    seeds = robot.seeds.copy()
    assert env.reset(seed=7)[1] == {"episode": 1}
    assert robot.seeds == seeds * 2


def test_the_step_limit_truncates_and_every_episode_is_announced(env, robot):
    robot.success_step = 0
    env.reset()
    for step in range(10):
        _, reward, terminated, truncated, _ = env.step(np.zeros(6))
        assert (reward, terminated, truncated) == (0.0, False, step == 9)
    env.reset()
    env.step(np.zeros(6))
    env.reset()  # leaves an episode behind
    env.close()
    assert [s.termination_reason for s in robot.summaries] == [
        EpisodeSummary.TERMINATION_TIMEOUT,
        EpisodeSummary.TERMINATION_FAULT,
    ]


def test_wrong_actions_and_a_dead_robot_are_clear(env, robot):
    with pytest.raises(RuntimeError, match="call reset first"):
        env.step(np.zeros(6))
    env.reset()
    with pytest.raises(ValueError, match="6"):
        env.step(np.zeros(5))
    robot.dies_after = 0
    env._timeout_s = 0.5
    with pytest.raises(RuntimeError, match="still waiting for: step 0 of episode 0"):
        env.step(np.zeros(6))
