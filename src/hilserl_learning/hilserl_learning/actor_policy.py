# SPDX-License-Identifier: Apache-2.0
"""The policy as an actor runs it: built from the learner's blob alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hilserl_learning import tensors
from hilserl_learning.errors import finite_vector
from hilserl_learning.grasp_critic import ActionAssembler, GraspCritic
from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.networks import Encoder, Policy


@dataclass(frozen=True)
class Decision:
    """What a policy answered, and what it thought.

    Attributes:
        action: float32 (action_dim,) of the environment, in [-1, 1], commands of learned grippers included.
        mean: float32 (policy_dim,) of the squashed action, in [-1, 1].
        std: float32 (policy_dim,) of the Gaussian before squashing.
    """

    action: NDArray[np.float32]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]


class ActorPolicy:
    """Encoder heads, policy network and, where grippers are learned, grasp critic; inference only."""

    def __init__(self, cfg: LearnerConfig, weights: dict[str, torch.Tensor], gradient_steps: int = 0):
        self.cfg, self.gradient_steps = cfg, gradient_steps
        self._net = torch.nn.ModuleDict({"encoder": Encoder(cfg)})
        size: int = self._net["encoder"].output_dim  # type: ignore[assignment]
        self._net["policy"] = Policy(cfg, size)
        if cfg.grasp_actions:
            self._net["grasp_critic"] = GraspCritic(cfg, size)
        self._assembler = ActionAssembler(cfg)
        tensors.load_strict(self._net, weights, "policy")
        self._net.requires_grad_(False)

    @staticmethod
    def from_safetensors(blob: bytes) -> ActorPolicy:
        """Reads `RLPDAgent.policy_safetensors()`; LearningError when the bytes are damaged or do not fit."""
        weights, metadata = tensors.unpack(blob, "policy")
        cfg = LearnerConfig.from_json(metadata["config"])
        return ActorPolicy(cfg, weights, int(metadata["gradient_steps"]))

    def act(
        self,
        features: Any,
        state: Any,
        deterministic: bool = False,
        generator: torch.Generator | None = None,
    ) -> NDArray[np.float32]:
        """The action of `decide`."""
        return self.decide(features, state, deterministic, generator).action

    @torch.inference_mode()
    def decide(
        self,
        features: Any,
        state: Any,
        deterministic: bool = False,
        generator: torch.Generator | None = None,
    ) -> Decision:
        """Answer to one observation.

        Args:
            features: (feature_dim,) as `Perception.encode` gives them; None when the policy has no pictures.
            state: (state_dim,) proprioception, unscaled.
            deterministic: tanh of the mean; otherwise a sample drawn with `generator`. The gripper
                command is always the one of highest value.

        Raises:
            LearningError: wrong size or not finite.
        """
        given = np.zeros(0) if features is None and self.cfg.feature_dim == 0 else np.reshape(features, -1)
        feature_row = torch.from_numpy(finite_vector("features", given, self.cfg.feature_dim))[None]
        state_row = torch.from_numpy(finite_vector("state", state, self.cfg.state_dim))[None]
        encoded = self._net["encoder"](feature_row, state_row)
        mean, std = self._net["policy"](encoded)
        chosen = mean if deterministic else mean + std * torch.randn(mean.shape, generator=generator)
        grasp_values = self._net["grasp_critic"](encoded) if self.cfg.grasp_actions else None
        action = self._assembler.join(chosen.tanh(), grasp_values)[0].numpy()
        return Decision(action, mean.tanh()[0].numpy(), std[0].numpy())
