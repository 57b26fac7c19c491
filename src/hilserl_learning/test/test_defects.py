# SPDX-License-Identifier: Apache-2.0
"""Defects of the original that cannot come back here. D3 to D6 live outside this package."""

import numpy as np
import torch
from batches import random_batch

from hilserl_learning.profiles import profile
from hilserl_learning.replay import ReplayBuffer
from hilserl_learning.sac import RLPDAgent
from hilserl_learning.sampling import add_with_intervention


def test_defect_d1_a_later_correction_does_not_start_with_the_picture_of_the_earlier_one():
    """D1: between two corrected stretches of an episode the original's demonstration buffer had no break, so
    the first transition of the later one got the last picture of the earlier one."""
    online, demo = (ReplayBuffer(50, 1, 1, 1, (1, 4, 4, 3)) for _ in range(2))
    corrected = {3, 4, 10, 11}
    for k in range(20):
        frame = {"state": [k], "features": [k], "images": np.full((1, 4, 4, 3), k, np.uint8)}
        end = {f"next_{key}": np.asarray(value) + 1 for key, value in frame.items()} if k == 19 else {}
        if end:
            end["next_images"] = end["next_images"].astype(np.uint8)
        add_with_intervention(
            online, demo, k in corrected, actor_id="a", sequence=k, episode=0, step=k, **frame,
            action=[0.0], reward=0.0, terminated=False, truncated=k == 19, **end,
        )  # fmt: skip
    batch = demo.sample(200, torch.Generator().manual_seed(0))
    assert set(batch.state[:, 0].tolist()) == corrected
    for ours, state in (("", batch.state), ("next_", batch.next_state)):
        assert torch.equal(getattr(batch, f"{ours}images")[:, 0, 0, 0, 0].float(), state[:, 0])
        assert torch.equal(getattr(batch, f"{ours}features"), state)
    assert torch.equal(batch.next_state, batch.state + 1)


def test_skipped_losses_move_nothing_in_default():
    """In the original a critic-only update still moved policy and temperature, by Adam's momentum."""
    for name, moves in (("original", True), ("default", False), ("fast", False)):
        cfg = profile(name, state_dim=18, action_dim=6, feature_dim=0, hidden=(16, 16), batch_size=8)
        agent = RLPDAgent(cfg)
        agent.step(random_batch(cfg, 0), with_actor=True)
        policy, temperature = agent.policy.mean.weight.clone(), agent.raw_temperature.clone()
        agent.step(random_batch(cfg, 1), with_actor=False)
        assert (not torch.equal(policy, agent.policy.mean.weight)) == moves, name
        assert (not torch.equal(temperature, agent.raw_temperature)) == moves, name
