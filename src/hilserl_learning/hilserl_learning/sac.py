# SPDX-License-Identifier: Apache-2.0
"""RLPD on soft actor-critic (original: serl_launcher/agents/continuous/sac.py).

All losses of one update are differentiated at the same parameters and then applied, each by its own Adam,
as in the original. Gradient routes: picture heads learn from the critic only; the proprioception layer
from critic and actor; the actor loss does not touch the critic.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hilserl_learning import tensors
from hilserl_learning.distributions import sample_with_log_prob
from hilserl_learning.errors import LearningError
from hilserl_learning.networks import CriticEnsemble, Encoder, Policy
from hilserl_learning.noise import ShardGenerator, normal
from hilserl_learning.profiles import LearnerConfig, differences
from hilserl_learning.replay import Batch


class Sampler(Protocol):
    """Anything that gives fresh batches."""

    def sample(self) -> Batch:
        """One batch."""
        ...


class Average(Protocol):
    """Mean over the processes that share every batch (hilserl_learning.distributed)."""

    def __call__(
        self, gradients: dict[str, tuple[Tensor, ...]], metrics: dict[str, Tensor]
    ) -> tuple[dict[str, tuple[Tensor, ...]], dict[str, Tensor]]:
        """Both, averaged."""
        ...


class FeatureSource(Protocol):
    """What re-encodes pictures inside an update (only without a feature cache)."""

    def augmented_features(self, images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
        """uint8 [B, n_cam, H, W, 3] -> float32 [B, feature_dim]."""
        ...


class RLPDAgent:
    """Policy, critic ensemble, targets, temperature and their optimizers."""

    def __init__(
        self,
        cfg: LearnerConfig,
        seed: int = 0,
        device: str | torch.device = "cpu",
        perception: FeatureSource | None = None,
    ):
        """Parameters depend on `seed` only.

        Args:
            perception: needed when cfg.augmentation is 'crop': pictures are cropped and encoded anew in
                every update, as in the original, instead of using the features stored with the frames.
        """
        if cfg.augmentation == "crop" and cfg.feature_dim and perception is None:
            raise LearningError(
                "augmentation: 'crop' encodes pictures in every update and needs perception=...; "
                "use augmentation='none' or 'cached' with features stored in the replay buffer"
            )
        self.cfg, self.perception = cfg, perception
        self.device = torch.device(device)
        self.generator = ShardGenerator(self.device)
        self.generator.manual_seed(seed)
        self.average: Average | None = None
        self._build(seed)
        self.gradient_steps = 0

    def _build(self, seed: int) -> None:
        cfg = self.cfg
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = Encoder(cfg)
            self.policy = Policy(cfg, self.encoder.output_dim)
            self.critic = CriticEnsemble(cfg, self.encoder.output_dim)
        self.target_encoder = Encoder(cfg)
        self.target_critic = CriticEnsemble(cfg, self.encoder.output_dim)
        self.target_encoder.load_state_dict(self.encoder.state_dict())
        self.target_critic.load_state_dict(self.critic.state_dict())
        for module in self._modules().values():
            module.to(self.device)
        for target in (self.target_encoder, self.target_critic):
            target.requires_grad_(False)
        raw = math.log(math.expm1(cfg.temperature_init))  # inverse of softplus
        self.raw_temperature = torch.tensor(raw, device=self.device, requires_grad=True)
        self._collect_parameters()

    def _collect_parameters(self) -> None:
        cfg = self.cfg
        shared = list(self.encoder.parameters())
        proprio = [] if self.encoder.proprio is None else list(self.encoder.proprio.parameters())
        self._critic_parameters = shared + list(self.critic.parameters())
        self._actor_parameters = proprio + list(self.policy.parameters())
        self._online = [p.data for p in self._critic_parameters]
        self._target = [p.data for m in (self.target_encoder, self.target_critic) for p in m.parameters()]
        options: dict[str, Any] = {
            "lr": cfg.learning_rate,
            "betas": (cfg.adam_beta1, cfg.adam_beta2),
            "eps": cfg.adam_eps,
            "fused": True,
        }
        self.optimizers = {
            "critic": torch.optim.Adam(self._critic_parameters, **options),
            "actor": torch.optim.Adam(self._actor_parameters, **options),
            "temperature": torch.optim.Adam([self.raw_temperature], **options),
        }

    def _modules(self) -> dict[str, nn.Module]:
        names = ("encoder", "policy", "critic", "target_encoder", "target_critic")
        return {name: getattr(self, name) for name in names}

    # --- losses -----------------------------------------------------------------------------------------

    @property
    def temperature(self) -> Tensor:
        """alpha = softplus of the raw parameter, 0-dim."""
        return F.softplus(self.raw_temperature)

    def policy_input(self, features: Tensor, state: Tensor, train: bool = False) -> Tensor:
        """What the policy reads: pictures without gradient, proprioception with. `train`: dropout."""
        if self.encoder.image_dim == 0:
            return self.encoder.state(state)
        with torch.no_grad():
            images = self.encoder.images(features, self.generator if train else None)
        return torch.cat([images, self.encoder.state(state)], -1)

    def sample_action(
        self, features: Tensor, state: Tensor, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Action [B, a] and log-prob [B] of the current policy; `noise` [B, a] fixes the sample."""
        mean, std = self.policy(self.policy_input(features, state, train=True))
        if noise is None:
            noise = normal(mean.shape, self.generator)
        return sample_with_log_prob(mean, std, noise)

    @torch.no_grad()
    def critic_target(self, batch: Batch, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """y = r + gamma * mask * min over target members of Q'(s', a'), and log-prob of a'; both [B].

        No entropy in the backup, as in the original.
        """
        action, log_prob = self.sample_action(batch.next_features, batch.next_state, noise)
        encoded = self.target_encoder(batch.next_features, batch.next_state)
        value = self.target_critic(encoded, action).amin(0)
        mask = 1.0 - batch.terminated
        if not self.cfg.bootstrap_truncated:
            mask = mask * (1.0 - batch.truncated)
        target = torch.addcmul(batch.reward, mask, value, value=self.cfg.discount)
        if self.cfg.clip_target is not None:
            target = target.clamp(*self.cfg.clip_target)
        return target, log_prob

    def critic_loss(self, batch: Batch, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mean over members and batch of (Q - y)^2, and the values [members, B]."""
        values = self.critic(self.encoder(batch.features, batch.state), batch.action)
        return (values - target).square().mean(), values

    def actor_loss(self, batch: Batch, noise: Tensor | None = None) -> Tensor:
        """Mean of alpha * log-prob minus the *mean* of the ensemble (the original; not its minimum)."""
        action, log_prob = self.sample_action(batch.features, batch.state, noise)
        with torch.no_grad():
            encoded = self.encoder(batch.features, batch.state)
            alpha = self.temperature
        return (alpha * log_prob - self.critic(encoded, action).mean(0)).mean()

    def temperature_loss(self, next_log_prob: Tensor) -> Tensor:
        """alpha * (entropy - target), entropy estimated on the next observations."""
        return self.temperature * (-next_log_prob.mean() - self.cfg.entropy_target)

    # --- updates ----------------------------------------------------------------------------------------

    def update(self, source: Sampler | Iterable[Batch], utd: int | None = None) -> dict[str, Tensor]:
        """One cycle: `utd` critic steps (default cfg.critic_updates_per_actor_update) on fresh batches, the
        last one together with one actor and one temperature step.

        Returns:
            0-dim tensors that stay on the device; `metrics_to_floats` reads them in one transfer.
        """
        cycle = utd or self.cfg.critic_updates_per_actor_update
        batches = None if hasattr(source, "sample") else iter(source)  # type: ignore[arg-type]
        metrics: dict[str, Tensor] = {}
        for index in range(cycle):
            batch = source.sample() if batches is None else next(batches)  # type: ignore[union-attr]
            metrics |= self.step(batch, with_actor=index == cycle - 1)
        return metrics

    def step(
        self, batch: Batch, with_actor: bool, noise_next: Tensor | None = None, noise_pi: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Critic step, with actor and temperature steps if asked, then the target update."""
        batch = self._with_features(batch)
        target, next_log_prob = self.critic_target(batch, noise_next)
        critic_loss, values = self.critic_loss(batch, target)
        gradients = {"critic": torch.autograd.grad(critic_loss, self._critic_parameters)}
        metrics = {
            "critic_loss": critic_loss.detach(),
            "q": values.detach().mean(),
            "target_q": target.mean(),
        }
        if with_actor:
            actor_loss = self.actor_loss(batch, noise_pi)
            temperature_loss = self.temperature_loss(next_log_prob)
            metrics |= {
                "actor_loss": actor_loss.detach(),
                "temperature": self.temperature.detach(),
                "entropy": -next_log_prob.mean(),
            }
            gradients["actor"] = torch.autograd.grad(actor_loss, self._actor_parameters)
            gradients["temperature"] = torch.autograd.grad(temperature_loss, [self.raw_temperature])
        elif self.cfg.step_skipped_losses:
            gradients["actor"] = tuple(torch.zeros_like(p) for p in self._actor_parameters)
            gradients["temperature"] = (torch.zeros_like(self.raw_temperature),)
        if self.average is not None:
            gradients, metrics = self.average(gradients, metrics)
        for name, gradient in gradients.items():
            self._apply(name, gradient)
        self.update_target()
        self.gradient_steps += 1
        return metrics

    def _apply(self, name: str, gradients: tuple[Tensor, ...]) -> None:
        optimizer = self.optimizers[name]
        for parameter, gradient in zip(optimizer.param_groups[0]["params"], gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def update_target(self) -> None:
        """Polyak: target += rate * (online - target), encoder included."""
        torch._foreach_lerp_(self._target, self._online, self.cfg.target_rate)

    def _with_features(self, batch: Batch) -> Batch:
        """The batch on the device; pictures cropped and encoded anew when nothing is cached."""
        batch = batch.to(self.device)
        if self.cfg.augmentation != "crop" or not self.cfg.feature_dim or self.perception is None:
            return batch
        if batch.images is None or batch.next_images is None:
            raise LearningError("augmentation: 'crop' needs pictures: give the buffer an image_shape")
        padding = self.cfg.crop_padding
        return batch._replace(
            features=self.perception.augmented_features(batch.images, padding, self.generator),
            next_features=self.perception.augmented_features(batch.next_images, padding, self.generator),
            images=None,
            next_images=None,
        )

    # --- acting, weights, resume ------------------------------------------------------------------------

    @torch.inference_mode()
    def act(
        self, state: NDArray[Any], features: NDArray[Any] | None, deterministic: bool = False
    ) -> NDArray[np.float32]:
        """Action float32 (a,) in [-1, 1] for one observation: state (n,), features (feature_dim,) or None."""
        state_row = torch.as_tensor(state, dtype=torch.float32, device=self.device)[None]
        given = np.zeros(0, np.float32) if features is None else features
        feature_row = torch.as_tensor(given, dtype=torch.float32, device=self.device)[None]
        mean, std = self.policy(self.policy_input(feature_row, state_row))
        if not deterministic:
            mean = mean + std * torch.randn(mean.shape, generator=self.generator, device=self.device)
        return mean.tanh()[0].cpu().numpy()

    def policy_state_dict(self) -> dict[str, Tensor]:
        """Only what an actor needs: encoder heads and policy; no trunk, no critics."""
        return nn.ModuleDict({"encoder": self.encoder, "policy": self.policy}).state_dict()

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


def metrics_to_floats(metrics: dict[str, Tensor]) -> dict[str, float]:
    """All metrics in one device-to-host transfer."""
    values = torch.stack(list(metrics.values())).tolist() if metrics else []
    return dict(zip(metrics, values, strict=True))
