# SPDX-License-Identifier: Apache-2.0
"""Networks and optimizers of an agent: built, acting, applying gradients, saved and resumed. No losses."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hilserl_learning import schedule, tensors
from hilserl_learning.errors import LearningError
from hilserl_learning.grasp_critic import ActionAssembler, GraspCritic
from hilserl_learning.learner_config import LearnerConfig, differences
from hilserl_learning.networks import CriticEnsemble, Encoder, Policy
from hilserl_learning.noise import ShardGenerator

Gradients = dict[str, tuple[Tensor, ...]]  # by loss, in the order of its optimizer's parameters


class AgentState:
    """Policy, critic ensemble, grasp critic if any, their targets, temperature and their optimizers."""

    def __init__(self, cfg: LearnerConfig, seed: int, device: str | torch.device):
        """Parameters depend on `seed` only."""
        self.cfg = cfg
        self.device = torch.device(device)
        self.generator = ShardGenerator(self.device)
        self.generator.manual_seed(seed)
        self._build(seed)
        self.gradient_steps = 0

    def _build(self, seed: int) -> None:
        cfg = self.cfg
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = Encoder(cfg)
            self.policy = Policy(cfg, self.encoder.output_dim)
            self.critic = CriticEnsemble(cfg, self.encoder.output_dim)
            self.grasp_critic = GraspCritic(cfg, self.encoder.output_dim) if cfg.grasp_actions else None
        self.target_encoder = copy.deepcopy(self.encoder)
        self.target_critic = copy.deepcopy(self.critic)
        self.target_grasp_critic = copy.deepcopy(self.grasp_critic)
        self.assembler = ActionAssembler(cfg).to(self.device)
        for name, module in self._modules().items():
            module.to(self.device).requires_grad_(not name.startswith("target"))
        raw = math.log(math.expm1(cfg.temperature_init))  # inverse of softplus
        self.raw_temperature = torch.tensor(raw, device=self.device, requires_grad=True)
        self._collect_parameters()

    def _collect_parameters(self) -> None:
        cfg = self.cfg
        heads = list(self.encoder.parameters())
        proprio = [] if self.encoder.proprio is None else list(self.encoder.proprio.parameters())
        groups: dict[str, list[Tensor]] = {
            "critic": [*heads, *self.critic.parameters()],
            "actor": [*proprio, *self.policy.parameters()],
            "temperature": [self.raw_temperature],
        }
        if self.grasp_critic is not None:
            groups["grasp_critic"] = [*heads, *self.grasp_critic.parameters()]
        options: dict[str, Any] = {
            "lr": schedule.learning_rate(cfg, 0),
            "betas": (cfg.adam_beta1, cfg.adam_beta2),
            "eps": cfg.adam_eps,
            "fused": True,
        }
        self._parameters = groups
        self.optimizers = {name: torch.optim.Adam(group, **options) for name, group in groups.items()}
        modules = self._modules()
        followed = [name for name in modules if f"target_{name}" in modules]
        self._online = [p.data for name in followed for p in modules[name].parameters()]
        self._target = [p.data for name in followed for p in modules[f"target_{name}"].parameters()]

    def _modules(self) -> dict[str, nn.Module]:
        names = ("encoder", "policy", "critic", "grasp_critic")
        targets = ("target_encoder", "target_critic", "target_grasp_critic")
        found = {name: getattr(self, name) for name in (*names, *targets)}
        return {name: module for name, module in found.items() if module is not None}

    @property
    def temperature(self) -> Tensor:
        """alpha = softplus of the raw parameter, 0-dim."""
        return F.softplus(self.raw_temperature)

    # --- acting -----------------------------------------------------------------------------------------

    def policy_input(self, features: Tensor, state: Tensor, train: bool = False) -> Tensor:
        """What the policy reads: pictures without gradient, proprioception with. `train`: dropout."""
        if self.encoder.image_dim == 0:
            return self.encoder.state(state)
        with torch.no_grad():
            images = self.encoder.images(features, self.generator if train else None)
        return torch.cat([images, self.encoder.state(state)], -1)

    @torch.inference_mode()
    def act(
        self, state: NDArray[Any], features: NDArray[Any] | None, deterministic: bool = False
    ) -> NDArray[np.float32]:
        """Environment action float32 (action_dim,) in [-1, 1] for one observation, grippers included.

        Args:
            state: (state_dim,); features: (feature_dim,) or None.
            deterministic: tanh of the mean instead of a sample. The gripper command is always the best one.
        """
        state_row = torch.as_tensor(state, dtype=torch.float32, device=self.device)[None]
        given = np.zeros(0, np.float32) if features is None else features
        feature_row = torch.as_tensor(given, dtype=torch.float32, device=self.device)[None]
        encoded = self.policy_input(feature_row, state_row)
        mean, std = self.policy(encoded)
        if not deterministic:
            mean = mean + std * torch.randn(mean.shape, generator=self.generator, device=self.device)
        grasp_values = None if self.grasp_critic is None else self.grasp_critic(encoded)
        return self.assembler.join(mean.tanh(), grasp_values)[0].cpu().numpy()

    # --- updates ----------------------------------------------------------------------------------------

    def apply(self, gradients: Gradients) -> None:
        """One step of the optimizers named, at the learning rate of now, then of the target networks."""
        rate = schedule.learning_rate(self.cfg, self.gradient_steps)
        for name, gradient in gradients.items():
            self._apply(name, gradient, rate)
        self.update_target()
        self.gradient_steps += 1

    def _apply(self, name: str, gradients: tuple[Tensor, ...], rate: float) -> None:
        optimizer = self.optimizers[name]
        optimizer.param_groups[0]["lr"] = rate
        for parameter, gradient in zip(self._parameters[name], gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def update_target(self) -> None:
        """Polyak: target += rate * (online - target), encoder included."""
        torch._foreach_lerp_(self._target, self._online, self.cfg.target_rate)

    # --- weights, resume --------------------------------------------------------------------------------

    def policy_state_dict(self) -> dict[str, Tensor]:
        """Only what an actor needs: encoder heads, policy and grasp critic; no trunk, no other critics."""
        needed = {"encoder", "policy", "grasp_critic"}
        return nn.ModuleDict({k: v for k, v in self._modules().items() if k in needed}).state_dict()

    def policy_safetensors(self) -> bytes:
        """The policy with its config as one blob for `ActorPolicy.from_safetensors`."""
        metadata = {"config": self.cfg.to_json(), "gradient_steps": self.gradient_steps}
        return tensors.pack(self.policy_state_dict(), "policy", metadata)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on exactly where this agent is: networks, optimizers, random state."""
        return {
            "config": self.cfg.to_json(),
            "gradient_steps": self.gradient_steps,
            "generator": self.generator.get_state(),
            "raw_temperature": self.raw_temperature.detach().clone(),
            "modules": {name: module.state_dict() for name, module in self._modules().items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Takes `state_dict`'s content; LearningError that lists what differs when the config is another."""
        found = LearnerConfig.from_json(saved["config"])
        if found != self.cfg:
            changes = "; ".join(differences(found, self.cfg))
            raise LearningError(f"checkpoint: made with another learner config: {changes}")
        for name, module in self._modules().items():
            tensors.load_strict(module, saved["modules"][name], f"checkpoint {name}")
        with torch.no_grad():
            self.raw_temperature.copy_(saved["raw_temperature"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(saved["optimizers"][name])
        self.generator.set_state(saved["generator"])
        self.gradient_steps = int(saved["gradient_steps"])
