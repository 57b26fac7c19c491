# SPDX-License-Identifier: Apache-2.0
"""Encoder, policy and critic ensemble.

Dense weights are stored (in, out) with a leading member axis where several networks run side by side, so
that an ensemble (or the heads of all cameras) is one batched matmul. `grasp_critic` holds the network of
learned grippers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.noise import uniform

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": F.relu}


def xavier_uniform(*shape: int) -> nn.Parameter:
    """Weight (..., in, out), uniform with variance 2 / (in + out) (original: common.py default_init)."""
    bound = math.sqrt(6.0 / (shape[-2] + shape[-1]))
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


def lecun_normal(fan_in: int, *shape: int) -> nn.Parameter:
    """Weight from a normal cut at two deviations, variance 1 / fan_in (flax default for Dense)."""
    std = math.sqrt(1.0 / fan_in) / 0.87962566103423978  # deviation of the cut unit normal
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), 0.0, std, -2 * std, 2 * std))


class NormedDense(nn.Module):
    """Dense -> LayerNorm -> activation, `members` of them side by side as one batched matmul."""

    def __init__(
        self, members: int, size_in: int, size_out: int, activation: str, eps: float, lecun: bool = False
    ):
        super().__init__()
        shape = (members, size_in, size_out)
        self.weight = lecun_normal(size_in, *shape) if lecun else xavier_uniform(*shape)
        self.bias = nn.Parameter(torch.zeros(members, 1, size_out))
        self.norm_weight = nn.Parameter(torch.ones(members, 1, size_out))
        self.norm_bias = nn.Parameter(torch.zeros(members, 1, size_out))
        self.activation = ACTIVATIONS[activation]
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """[members, B, in] (or [B, in] when there is one member) -> same with `out`."""
        size = (self.weight.shape[-1],)
        if x.dim() == 2:
            x = torch.addmm(self.bias[0, 0], x, self.weight[0])
            x = F.layer_norm(x, size, self.norm_weight[0, 0], self.norm_bias[0, 0], self.eps)
            return self.activation(x)
        x = F.layer_norm(torch.baddbmm(self.bias, x, self.weight), size, None, None, self.eps)
        return self.activation(torch.addcmul(self.norm_bias, x, self.norm_weight))


class SpatialEmbeddings(nn.Module):
    """Learned pooling of feature maps: out[c, f] = sum over pixels of map[c] * kernel[c, f], per camera."""

    def __init__(self, cameras: int, channels: int, pixels: int, embeddings: int):
        super().__init__()
        # flax lecun_normal on (h, w, c, f): fan_in is the product of all dimensions but the last
        self.kernel = lecun_normal(pixels * channels, cameras, channels, pixels, embeddings)

    def forward(self, maps: Tensor) -> Tensor:
        """maps [B, camera * channel * pixel] flat -> [camera, B, channel * embedding]."""
        cameras, channels, pixels, embeddings = self.kernel.shape
        batch = maps.shape[0]
        stacked = maps.view(batch, cameras * channels, pixels).transpose(0, 1)
        pooled = torch.bmm(stacked, self.kernel.view(cameras * channels, pixels, embeddings))
        pooled = pooled.view(cameras, channels, batch, embeddings).transpose(1, 2)
        return pooled.reshape(cameras, batch, channels * embeddings)


class Encoder(nn.Module):
    """Picture features and proprioception to the vector that policy and critic read."""

    def __init__(self, cfg: LearnerConfig):
        super().__init__()
        self.dropout = cfg.encoder_dropout
        self.image_dim = 0
        self.pool: SpatialEmbeddings | None = None
        if cfg.feature_dim and cfg.encoder == "resnet10":
            pixels = cfg.map_size**2
            self.pool = SpatialEmbeddings(cfg.n_cameras, cfg.map_channels, pixels, cfg.spatial_embeddings)
            pooled = cfg.map_channels * cfg.spatial_embeddings
            self.bottleneck = NormedDense(
                cfg.n_cameras, pooled, cfg.bottleneck, "tanh", cfg.layer_norm_eps, lecun=True
            )
            self.image_dim = cfg.n_cameras * cfg.bottleneck
        elif cfg.feature_dim:
            self.image_dim = cfg.feature_dim
        self.proprio: NormedDense | None = None
        if cfg.state_embedding:
            self.proprio = NormedDense(1, cfg.state_dim, cfg.state_embedding, "tanh", cfg.layer_norm_eps)
        scale = torch.tensor(cfg.state_scale) if cfg.state_scale is not None else None
        self.inverse_scale: Tensor | None
        self.register_buffer("inverse_scale", None if scale is None else 1.0 / scale, persistent=False)
        self.state_clip = cfg.state_clip
        self.output_dim = self.image_dim + (cfg.state_embedding or cfg.state_dim)

    def images(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Picture part [B, image_dim]; a generator switches dropout on (the original: actor updates only)."""
        if self.pool is None:
            return features
        pooled = self.pool(features)
        if generator is not None and self.dropout > 0.0:
            keep = uniform(pooled.shape, generator, batch_axis=1) >= self.dropout
            pooled = pooled * keep / (1.0 - self.dropout)
        heads = self.bottleneck(pooled)
        return heads.transpose(0, 1).reshape(features.shape[0], -1)

    def state(self, state: Tensor) -> Tensor:
        """Proprioception part [B, state_embedding or state_dim]."""
        if self.inverse_scale is not None:
            state = (state * self.inverse_scale).clamp(-self.state_clip, self.state_clip)
        return state if self.proprio is None else self.proprio(state)

    def forward(self, features: Tensor, state: Tensor) -> Tensor:
        """features [B, feature_dim], state [B, state_dim] -> [B, output_dim]."""
        if self.image_dim == 0:
            return self.state(state)
        return torch.cat([self.images(features), self.state(state)], -1)


class Policy(nn.Module):
    """Gaussian policy before the tanh: mean and standard deviation."""

    def __init__(self, cfg: LearnerConfig, size_in: int):
        super().__init__()
        self.layers = normed_layers(cfg, 1, size_in)
        self.mean = DenseHead(cfg.hidden[-1], cfg.policy_dim)
        self.log_std = DenseHead(cfg.hidden[-1], cfg.policy_dim)
        self.std_range = (cfg.std_min, cfg.std_max)

    def forward(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """encoded [B, n] -> mean, std, both [B, policy_dim]."""
        hidden = self.layers(encoded)
        return self.mean(hidden), self.log_std(hidden).exp().clamp(*self.std_range)


class CriticEnsemble(nn.Module):
    """`ensemble_size` action values; the last layer is per member or, as in the original, shared."""

    def __init__(self, cfg: LearnerConfig, size_in: int):
        super().__init__()
        self.members = cfg.ensemble_size
        self.layers = normed_layers(cfg, self.members, size_in + cfg.policy_dim)
        heads = 1 if cfg.shared_final_layer else self.members
        self.weight = xavier_uniform(heads, cfg.hidden[-1], 1)
        self.bias = nn.Parameter(torch.zeros(heads, 1, 1))

    def forward(self, encoded: Tensor, action: Tensor) -> Tensor:
        """encoded [B, n], policy action [B, policy_dim] -> values [members, B]."""
        x = torch.cat([encoded, action], -1)
        hidden = self.layers(x.expand(self.members, *x.shape))
        return (torch.matmul(hidden, self.weight) + self.bias).squeeze(-1)


class DenseHead(nn.Module):
    """Plain dense layer, weight (in, out)."""

    def __init__(self, size_in: int, size_out: int):
        super().__init__()
        self.weight = xavier_uniform(size_in, size_out)
        self.bias = nn.Parameter(torch.zeros(size_out))

    def forward(self, x: Tensor) -> Tensor:
        """[B, in] -> [B, out]."""
        return torch.addmm(self.bias, x, self.weight)


def normed_layers(
    cfg: LearnerConfig, members: int, size_in: int, hidden: tuple[int, ...] | None = None
) -> nn.Sequential:
    """Hidden layers (default: cfg.hidden) of policy and critics: Dense -> LayerNorm -> activation each."""
    pairs = itertools.pairwise((size_in, *(cfg.hidden if hidden is None else hidden)))
    return nn.Sequential(*(NormedDense(members, a, b, cfg.activation, cfg.layer_norm_eps) for a, b in pairs))
