# SPDX-License-Identifier: Apache-2.0
"""Policy and critics of one moment of a training, small enough to keep many: for looking at it afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from hilserl_learning import tensors
from hilserl_learning.agent_state import AgentState
from hilserl_learning.errors import LearningError
from hilserl_learning.grasp_critic import ActionAssembler
from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.networks import CriticEnsemble, Encoder, Policy

KIND = "snapshot"
NOISE = 0.2  # half width of the uniform noise on actions, and draws of it: the paper's analysis (eq. 1)
NOISE_SAMPLES = 100
_CHUNK = 64  # states at a time: with 100 draws each 6400 rows through the critics

Numbers = NDArray[np.float32]


def snapshot_bytes(agent: AgentState, about: dict[str, Any]) -> bytes:
    """Encoder, policy and critics of an agent (no optimizers, no targets) as one blob.

    Args:
        about: plain numbers and texts that say when it was.
    """
    parts = nn.ModuleDict({"encoder": agent.encoder, "policy": agent.policy, "critic": agent.critic})
    return tensors.pack(parts.state_dict(), KIND, {"config": agent.cfg.to_json(), "about": about})


class AgentSnapshot:
    """Answers what policy and critics would have said.

    Arrays are float32: features (n, f), f may be 0; state (n, s) unscaled; action (n, a) of the environment.
    """

    def __init__(self, cfg: LearnerConfig, weights: dict[str, Tensor], about: dict[str, Any]) -> None:
        self.cfg, self.about = cfg, about
        encoder = Encoder(cfg)
        parts = {
            "encoder": encoder,
            "policy": Policy(cfg, encoder.output_dim),
            "critic": CriticEnsemble(cfg, encoder.output_dim),
        }
        self._net = nn.ModuleDict(parts)
        tensors.load_strict(self._net, weights, KIND)
        self._net.requires_grad_(False)
        self._assembler = ActionAssembler(cfg)

    @staticmethod
    def from_bytes(blob: bytes) -> AgentSnapshot:
        """Reads `snapshot_bytes`; LearningError when the bytes are damaged or of another kind."""
        weights, metadata = tensors.unpack(blob, KIND)
        return AgentSnapshot(LearnerConfig.from_json(metadata["config"]), weights, metadata["about"])

    @torch.inference_mode()
    def gaussian(self, features: ArrayLike, state: ArrayLike) -> tuple[Numbers, Numbers]:
        """Mean of the squashed action in [-1, 1] and standard deviation before squashing, both (n, a)."""
        mean, std = self._net["policy"](self._encoded(features, state))
        return mean.tanh().numpy(), std.numpy()

    @torch.inference_mode()
    def value(self, features: ArrayLike, state: ArrayLike, action: ArrayLike) -> Numbers:
        """Q(s, a), mean of the ensemble, (n,)."""
        return self._critic(self._encoded(features, state), _tensor(action)).numpy()

    @torch.inference_mode()
    def value_variance(
        self,
        features: ArrayLike,
        state: ArrayLike,
        action: ArrayLike,
        noise: float = NOISE,
        samples: int = NOISE_SAMPLES,
        seed: int = 0,
    ) -> Numbers:
        """Var[Q(s, a + e)], e uniform in [-noise, noise] on every action value (paper, eq. 1); (n,).

        Noisy actions are not clipped to [-1, 1], as in the equation. Q is the mean of the ensemble.

        Raises:
            LearningError: fewer than two samples, or a noise that is not positive.
        """
        if samples < 2 or not noise > 0:
            raise LearningError(
                f"value_variance: noise {noise} and {samples} samples; must be positive and at least 2, "
                f"e.g. {NOISE} and {NOISE_SAMPLES} as in the paper"
            )
        generator = torch.Generator().manual_seed(seed)
        encoded, actions = self._encoded(features, state), _tensor(action)
        variances = [
            self._variance(part, taken, noise, samples, generator)
            for part, taken in zip(encoded.split(_CHUNK), actions.split(_CHUNK), strict=True)
        ]
        return torch.cat(variances).numpy()

    def _variance(
        self, encoded: Tensor, action: Tensor, noise: float, samples: int, generator: torch.Generator
    ) -> Tensor:
        shape = (samples, *action.shape)
        noisy = action + (2 * torch.rand(shape, generator=generator) - 1) * noise
        rows = encoded.expand(samples, *encoded.shape).flatten(0, 1)
        values = self._critic(rows, noisy.flatten(0, 1)).view(samples, -1)
        return values.double().var(0, correction=0).float()

    def _critic(self, encoded: Tensor, action: Tensor) -> Tensor:
        return self._net["critic"](encoded, self._assembler.continuous(action)).mean(0)

    def _encoded(self, features: ArrayLike, state: ArrayLike) -> Tensor:
        encoded: Tensor = self._net["encoder"](_tensor(features), _tensor(state))
        return encoded


def _tensor(values: ArrayLike) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
