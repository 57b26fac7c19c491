# SPDX-License-Identifier: Apache-2.0
"""Learning rate over the course of training."""

from __future__ import annotations

from hilserl_learning.learner_config import LearnerConfig


def learning_rate(cfg: LearnerConfig, gradient_steps: int) -> float:
    """Learning rate of the update that follows `gradient_steps` finished ones (critic updates).

    'constant': cfg.learning_rate. 'step': cfg.learning_rate_final from the share `decay_at` of
    `schedule_steps` on (paper, Jenga: a tenth from 70 % on). 'linear': from there on straight down to
    learning_rate_final, which is reached at `schedule_steps`. After that: learning_rate_final.
    """
    if cfg.learning_rate_schedule == "constant" or cfg.schedule_steps is None:
        return cfg.learning_rate
    begin = cfg.decay_at * cfg.schedule_steps
    if gradient_steps < begin:
        return cfg.learning_rate
    if cfg.learning_rate_schedule == "step" or gradient_steps >= cfg.schedule_steps:
        return cfg.learning_rate_final
    share = (gradient_steps - begin) / (cfg.schedule_steps - begin)
    return cfg.learning_rate + share * (cfg.learning_rate_final - cfg.learning_rate)
