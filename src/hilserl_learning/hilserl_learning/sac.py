# SPDX-License-Identifier: Apache-2.0
"""RLPD on soft actor-critic, with a grasp critic where grippers are learned.

Original: serl_launcher/agents/continuous/sac.py, sac_hybrid_single.py and sac_hybrid_dual.py. All losses of
one update are differentiated at the same parameters and then applied, each by its own Adam, as there.
Gradient routes: picture heads learn from critic and grasp critic; the proprioception layer from both and
the actor; the actor loss does not touch the critics.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor

from hilserl_learning.agent_state import AgentState, Gradients
from hilserl_learning.distributions import sample_with_log_prob
from hilserl_learning.errors import LearningError
from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.noise import normal
from hilserl_learning.replay import Batch


class Sampler(Protocol):
    """Anything that gives fresh batches."""

    def sample(self) -> Batch:
        """One batch."""
        ...


class Average(Protocol):
    """Mean over the processes that share every batch (hilserl_learning.distributed)."""

    def __call__(
        self, gradients: Gradients, metrics: dict[str, Tensor]
    ) -> tuple[Gradients, dict[str, Tensor]]:
        """Both, averaged."""
        ...


class FeatureSource(Protocol):
    """What re-encodes pictures inside an update (only without a feature cache)."""

    def augmented_features(self, images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
        """uint8 [B, n_cam, H, W, 3] -> float32 [B, feature_dim]."""
        ...


class RLPDAgent(AgentState):
    """An agent that learns: losses and updates over its networks (`AgentState`)."""

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
        super().__init__(cfg, seed, device)
        self.perception = perception
        self.average: Average | None = None

    # --- losses -----------------------------------------------------------------------------------------

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
        self.apply(gradients)
        return metrics

    def gradients(
        self,
        batch: Batch,
        with_actor: bool,
        noise_next: Tensor | None = None,
        noise_pi: Tensor | None = None,
    ) -> tuple[Gradients, dict[str, Tensor]]:
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

    def _differentiate(self, losses: dict[str, Tensor]) -> Gradients:
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


def metrics_to_floats(metrics: dict[str, Tensor]) -> dict[str, float]:
    """All metrics in one device-to-host transfer."""
    values = torch.stack(list(metrics.values())).tolist() if metrics else []
    return dict(zip(metrics, values, strict=True))
