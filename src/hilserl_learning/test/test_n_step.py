# SPDX-License-Identifier: Apache-2.0
"""The n-step returns of a learner's config reach its batches."""

import torch

from hilserl_learning.profiles import profile
from hilserl_learning.replay import ReplayBuffer
from hilserl_learning.sampling import RLPDSampler


def rewarded_episode(discount: float, n_step: int) -> RLPDSampler:
    """Four steps; the reward of step k is k + 1."""
    cfg = profile(
        "default", state_dim=18, action_dim=6, feature_dim=0, discount=discount, n_step=n_step, batch_size=200
    )
    online, demo = (ReplayBuffer(20, 18, 0, 6) for _ in range(2))
    for k in range(4):
        state, after = torch.full((18,), float(k)), torch.full((18,), k + 1.0)
        end = {"next_state": after.numpy()} if k == 3 else {}
        values = {"state": state.numpy(), "features": None, "action": torch.zeros(6).numpy(), **end}
        online.add_step("a", k, 0, k, reward=k + 1.0, terminated=k == 3, truncated=False, **values)
    return RLPDSampler.of(cfg, online, demo)


def test_batches_hold_the_n_step_returns_of_the_config():
    batch = rewarded_episode(0.5, 3).sample()
    sums = {0: 1 + 0.5 * 2 + 0.25 * 3, 1: 2 + 0.5 * 3 + 0.25 * 4, 2: 3 + 0.5 * 4, 3: 4}
    for k, expected in sums.items():
        rows = batch.state[:, 0] == k
        assert rows.any()
        torch.testing.assert_close(batch.reward[rows], torch.full_like(batch.reward[rows], expected))
        assert (batch.next_state[rows, 0] == min(k + 3, 4)).all()
        assert (batch.terminated[rows] == float(k >= 1)).all()
        if k == 0:
            torch.testing.assert_close(batch.discount[rows], torch.full_like(batch.reward[rows], 0.125))
    plain = rewarded_episode(0.5, 1).sample()
    torch.testing.assert_close(plain.reward, plain.state[:, 0] + 1)
