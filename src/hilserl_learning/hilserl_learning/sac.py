# SPDX-License-Identifier: Apache-2.0
"""RLPD on soft actor-critic, with a grasp critic where grippers are learned.

Original: serl_launcher/agents/continuous/sac.py, sac_hybrid_single.py and sac_hybrid_dual.py. All losses of
one update are differentiated at the same parameters and then applied, each by its own Adam, as there.
Gradient routes: picture heads learn from critic and grasp critic; the proprioception layer from both and
the actor; the actor loss does not touch the critics.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hilserl_learning import schedule, tensors
from hilserl_learning.distributions import sample_with_log_prob
from hilserl_learning.errors import LearningError
from hilserl_learning.grasp_critic import ActionAssembler, GraspCritic
from hilserl_learning.learner_config import LearnerConfig, differences
from hilserl_learning.networks import CriticEnsemble, Encoder, Policy
from hilserl_learning.noise import ShardGenerator, normal
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
    """Policy, critic ensemble, grasp critic if any, their targets, temperature and their optimizers."""

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
    def critic_target(
        self, batch: Batch, noise: Tensor | None = None, next_encoded: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """y = r + gamma * mask * min over target members of Q'(s', a'), and log-prob of a'; both [B].

        The minimum is over all members, or over `subset_size` random ones (REDQ). No entropy in the backup,
        as in the original. `batch.discount` replaces gamma where the reward is a sum over several steps.

        Args:
            next_encoded: the target encoder's output of the next observations, if it is known already.
        """
        action, log_prob = self.sample_action(batch.next_features, batch.next_state, noise)
        if next_encoded is None:
            next_encoded = self.target_encoder(batch.next_features, batch.next_state)
        values = self.target_critic(next_encoded, action)
        target = self._bootstrapped(batch, batch.reward, self._random_members(values).amin(0))
        if self.cfg.clip_target is not None:
            target = target.clamp(*self.cfg.clip_target)
        return target, log_prob

    def _random_members(self, values: Tensor) -> Tensor:
        """`subset_size` different members of values [members, B], the same for the whole batch."""
        if self.cfg.subset_size in (None, len(values)):
            return values
        order = torch.rand(len(values), generator=self.generator, device=values.device).argsort()
        return values.index_select(0, order[: self.cfg.subset_size])

    def _bootstrapped(self, batch: Batch, reward: Tensor, next_value: Tensor) -> Tensor:
        """reward + discount * mask * next_value, [B]."""
        mask = 1.0 - batch.terminated
        if not self.cfg.bootstrap_truncated:
            mask = mask * (1.0 - batch.truncated)
        if batch.discount is None:
            return torch.addcmul(reward, mask, next_value, value=self.cfg.discount)
        return torch.addcmul(reward, mask * batch.discount, next_value)

    def critic_loss(
        self, batch: Batch, target: Tensor, encoded: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean over members and batch of (Q - y)^2, and the values [members, B]."""
        if encoded is None:
            encoded = self.encoder(batch.features, batch.state)
        values = self.critic(encoded, self.assembler.continuous(batch.action))
        return (values - target).square().mean(), values

    @torch.no_grad()
    def grasp_target(self, batch: Batch, next_encoded: Tensor | None = None) -> Tensor:
        """y = r + penalty + gamma * mask * Q'(s', argmax over a of Q(s', a)), [B].

        The penalty of useless gripper commands is in this reward only. Of `clip_target` only the upper bound
        holds: penalties take the value below the rewards' lower one.
        """
        assert self.grasp_critic is not None
        assert self.target_grasp_critic is not None
        if next_encoded is None:
            next_encoded = self.target_encoder(batch.next_features, batch.next_state)
        online = self.grasp_critic(self.encoder(batch.next_features, batch.next_state))
        best = online.argmax(-1, keepdim=True)
        value = self.target_grasp_critic(next_encoded).gather(-1, best)[:, 0]
        reward = batch.reward if batch.grasp_penalty is None else batch.reward + batch.grasp_penalty
        target = self._bootstrapped(batch, reward, value)
        return target if self.cfg.clip_target is None else target.clamp(max=self.cfg.clip_target[1])

    def grasp_loss(
        self, batch: Batch, target: Tensor, encoded: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean over the batch of (Q(s, executed command) - y)^2, and the values [B, commands]."""
        assert self.grasp_critic is not None
        if encoded is None:
            encoded = self.encoder(batch.features, batch.state)
        values = self.grasp_critic(encoded)
        taken = values.gather(-1, self.assembler.grasp_index(batch.action)[:, None])[:, 0]
        return (taken - target).square().mean(), values

    def actor_loss(self, batch: Batch, noise: Tensor | None = None, encoded: Tensor | None = None) -> Tensor:
        """Mean of alpha * log-prob minus the *mean* of the ensemble (the original; not its minimum)."""
        action, log_prob = self.sample_action(batch.features, batch.state, noise)
        with torch.no_grad():
            if encoded is None:
                encoded = self.encoder(batch.features, batch.state)
            alpha = self.temperature
        return (alpha * log_prob - self.critic(encoded.detach(), action).mean(0)).mean()

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
        gradients, metrics = self.gradients(batch, with_actor, noise_next, noise_pi)
        if self.average is not None:
            gradients, metrics = self.average(gradients, metrics)
        rate = schedule.learning_rate(self.cfg, self.gradient_steps)
        for name, gradient in gradients.items():
            self._apply(name, gradient, rate)
        self.update_target()
        self.gradient_steps += 1
        return metrics

    def gradients(
        self,
        batch: Batch,
        with_actor: bool,
        noise_next: Tensor | None = None,
        noise_pi: Tensor | None = None,
    ) -> tuple[dict[str, tuple[Tensor, ...]], dict[str, Tensor]]:
        """Gradient of every loss at the current parameters, in the order of its optimizer's; and metrics."""
        encoded = self.encoder(batch.features, batch.state)
        with torch.no_grad():
            next_encoded = self.target_encoder(batch.next_features, batch.next_state)
        target, next_log_prob = self.critic_target(batch, noise_next, next_encoded)
        critic_loss, values = self.critic_loss(batch, target, encoded)
        losses = {"critic": critic_loss}
        metrics = {
            "critic_loss": critic_loss.detach(),
            "q": values.detach().mean(),
            "target_q": target.mean(),
        }
        if self.grasp_critic is not None:
            grasp_target = self.grasp_target(batch, next_encoded)
            losses["grasp_critic"], values = self.grasp_loss(batch, grasp_target, encoded)
            metrics |= {
                "grasp_critic_loss": losses["grasp_critic"].detach(),
                "grasp_q": values.detach().mean(),
            }
        if with_actor:
            losses["actor"] = self.actor_loss(batch, noise_pi, encoded)
            losses["temperature"] = self.temperature_loss(next_log_prob)
            metrics |= {
                "actor_loss": losses["actor"].detach(),
                "temperature": self.temperature.detach(),
                "entropy": -next_log_prob.mean(),
            }
        return self._differentiate(losses), metrics

    def _differentiate(self, losses: dict[str, Tensor]) -> dict[str, tuple[Tensor, ...]]:
        """Gradients by loss; zeros for skipped losses whose Adam steps all the same."""
        encoded_twice = self.grasp_critic is not None
        found = {
            name: torch.autograd.grad(
                loss, self._parameters[name], retain_graph=encoded_twice and name == "critic"
            )
            for name, loss in losses.items()
        }
        if self.cfg.step_skipped_losses:
            for name, parameters in self._parameters.items():
                found.setdefault(name, tuple(torch.zeros_like(p) for p in parameters))
        return found

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


def metrics_to_floats(metrics: dict[str, Tensor]) -> dict[str, float]:
    """All metrics in one device-to-host transfer."""
    values = torch.stack(list(metrics.values())).tolist() if metrics else []
    return dict(zip(metrics, values, strict=True))
