# SPDX-License-Identifier: Apache-2.0
"""Random transitions of any configuration."""

import torch

from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.replay import Batch


def random_batch(cfg: LearnerConfig, seed: int = 0) -> Batch:
    g = torch.Generator().manual_seed(seed)
    n = cfg.batch_size

    def normal(size):
        return torch.randn(n, size, generator=g)

    flags = [(torch.rand(n, generator=g) < 0.3).float() for _ in range(3)]
    frame = (normal(cfg.state_dim), normal(cfg.feature_dim))
    return Batch(
        *frame, normal(cfg.action_dim).tanh(), *flags, normal(cfg.state_dim), normal(cfg.feature_dim)
    )
