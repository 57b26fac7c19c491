# SPDX-License-Identifier: Apache-2.0
"""The demonstrations in rosbags/ read back as whole, successful episodes."""

from pathlib import Path

import numpy as np
import pytest

from hilserl_ros.bags import read_episode

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
