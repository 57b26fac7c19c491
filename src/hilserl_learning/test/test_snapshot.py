# SPDX-License-Identifier: Apache-2.0
"""Snapshots answer as the agent did when they were taken."""

import numpy as np
import pytest
import torch

from hilserl_learning.errors import LearningError
from hilserl_learning.profiles import profile
from hilserl_learning.sac import RLPDAgent
from hilserl_learning.snapshot import AgentSnapshot, snapshot_bytes

ROWS = 70  # more than one chunk


@pytest.fixture
def agent():
    return RLPDAgent(profile("fast", state_dim=18, action_dim=6, n_cameras=2, feature_dim=8), seed=3)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    draw = lambda size: rng.uniform(-1, 1, (ROWS, size)).astype(np.float32)  # noqa: E731
    return draw(8), draw(18), draw(6)


def test_a_snapshot_says_what_the_agent_said(agent, rows):
    features, state, action = rows
    snapshot = AgentSnapshot.from_bytes(snapshot_bytes(agent, {"cycle": 7}))
    assert snapshot.about == {"cycle": 7}
    mean, std = snapshot.gaussian(features, state)
    for k in (0, ROWS - 1):
        ours = agent.act(state[k], features[k], deterministic=True)
        np.testing.assert_allclose(mean[k], ours, atol=1e-6)
    assert std.shape == (ROWS, 6)
    assert (std > 0).all()
    with torch.no_grad():
        encoded = agent.encoder(torch.from_numpy(features), torch.from_numpy(state))
        theirs = agent.critic(encoded, torch.from_numpy(action)).mean(0).numpy()
    np.testing.assert_allclose(snapshot.value(features, state, action), theirs, atol=1e-6)


def test_value_variance_is_that_of_the_values_under_noise(agent, rows):
    features, state, action = (part[:3] for part in rows)
    snapshot = AgentSnapshot.from_bytes(snapshot_bytes(agent, {}))
    found = snapshot.value_variance(features, state, action, noise=0.2, samples=4000)
    rng = np.random.default_rng(1)
    draws = [
        snapshot.value(features, state, action + rng.uniform(-0.2, 0.2, action.shape)) for _ in range(4000)
    ]
    np.testing.assert_allclose(found, np.var(draws, axis=0), rtol=0.12)
    small = snapshot.value_variance(features, state, action, noise=0.02, samples=4000)
    np.testing.assert_allclose(found / small, 100, rtol=0.25)  # Q is nearly flat at that scale


def test_value_variance_covers_every_row_and_repeats(agent, rows):
    snapshot = AgentSnapshot.from_bytes(snapshot_bytes(agent, {}))
    first, second = snapshot.value_variance(*rows), snapshot.value_variance(*rows)
    assert first.shape == (ROWS,)
    assert (first > 0).all()
    np.testing.assert_array_equal(first, second)


def test_unusable_input_is_refused(agent, rows):
    snapshot = AgentSnapshot.from_bytes(snapshot_bytes(agent, {}))
    for options in ({"samples": 1}, {"noise": 0.0}):
        with pytest.raises(LearningError, match="as in the paper"):
            snapshot.value_variance(*rows, **options)
    with pytest.raises(LearningError, match="no readable safetensors"):
        AgentSnapshot.from_bytes(b"nothing")
    with pytest.raises(LearningError, match="holds a 'policy', not a 'snapshot'"):
        AgentSnapshot.from_bytes(agent.policy_safetensors())
