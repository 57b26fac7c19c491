# SPDX-License-Identifier: Apache-2.0
"""Tanh-squashed diagonal Gaussian in closed form (original: distrax TanhMultivariateNormalDiag)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


def sample_with_log_prob(mean: Tensor, std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Squashed sample and the log-density of the squashed variable.

    Args:
        mean, std: [B, d] of the Gaussian before tanh.
        noise: [B, d] standard normal.

    Returns:
        action [B, d] in (-1, 1) and log_prob [B]. The tanh correction uses the identity
        log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2 u)), exact where 1 - tanh^2 underflows.
    """
    pre_tanh = torch.addcmul(mean, std, noise)
    log_normal = -0.5 * noise.square() - std.log() - _LOG_SQRT_2PI
    log_slope = 2.0 * (math.log(2.0) - pre_tanh - F.softplus(-2.0 * pre_tanh))
    return pre_tanh.tanh(), (log_normal - log_slope).sum(-1)
