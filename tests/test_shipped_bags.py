# SPDX-License-Identifier: Apache-2.0
"""The demonstrations in rosbags/ read back as whole, successful episodes."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from hilserl_ros.bags import read_episode
from hilserl_task import Task

BAGS = sorted((Path(__file__).resolve().parents[1] / "rosbags" / "ram_insertion").glob("episode_*"))


def test_there_are_some():
    assert len(BAGS) >= 3


@pytest.mark.parametrize("bag", BAGS, ids=lambda bag: bag.name)
def test_bag_is_a_successful_demonstration(bag):
    episode = read_episode(bag)
    steps = len(episode.actions)
    assert episode.states.shape == (steps + 1, 18)
    assert episode.images.shape == (steps + 1, 2, 128, 128, 3)
    assert episode.terminated
    assert episode.rewards.tolist() == [0.0] * (steps - 1) + [1.0]
    assert np.abs(episode.actions).max() <= 1.0
    np.testing.assert_allclose(
        episode.states[0, :6], 0.0, atol=1e-6, err_msg="poses are relative to the start"
    )


@pytest.mark.parametrize("bag", BAGS, ids=lambda bag: bag.name)
def test_bag_says_how_it_was_made(bag):
    metadata = read_episode(bag).metadata
    task = Task.model_validate(yaml.safe_load(metadata["task_yaml"]))
    assert task.name == metadata["task"] == "ram_insertion"
    arms = yaml.safe_load(metadata["controllers"])
    assert arms["arm"]["parameters"]["gains"]["translational_stiffness"] == 2000.0
    assert yaml.safe_load(metadata["software"])["ros_distro"] == "jazzy"
    assert metadata["gate"] == task.demonstrations.gate
    text = (bag / "metadata.yaml").read_text()
    assert text.count("durability: transient_local") == 5  # `ros2 bag play` reaches this graph's subscribers
    assert "/home/" not in text
