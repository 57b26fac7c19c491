# SPDX-License-Identifier: Apache-2.0
"""How batches are mixed and how interventions are routed into both buffers."""

from __future__ import annotations

from typing import Any

import torch

from hilserl_learning.errors import LearningError
from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.replay import Batch, ReplayBuffer


class RLPDSampler:
    """Half of every batch from experience, half from demonstrations and interventions (paper, RLPD).

    While one of the two is empty the other gives the whole batch.
    """

    def __init__(
        self,
        online: ReplayBuffer,
        demo: ReplayBuffer,
        batch_size: int = 256,
        generator: torch.Generator | None = None,
        n_steps: int = 1,
        discount: float | None = None,
    ):
        """Args: n_steps, discount: as `ReplayBuffer.sample` takes them; 1 step needs no discount."""
        if batch_size < 2:
            raise LearningError(f"batch_size: {batch_size}, must be at least 2, e.g. 256")
        self.online, self.demo, self.batch_size, self.generator = online, demo, batch_size, generator
        self._horizon: dict[str, Any] = {} if n_steps == 1 else {"n_steps": n_steps, "discount": discount}

    @classmethod
    def of(
        cls,
        cfg: LearnerConfig,
        online: ReplayBuffer,
        demo: ReplayBuffer,
        generator: torch.Generator | None = None,
    ) -> RLPDSampler:
        """The batches that a learner of this config takes: its batch size, its n-step returns."""
        return cls(online, demo, cfg.batch_size, generator, cfg.n_step, cfg.discount)

    def sample(self) -> Batch:
        """A fresh batch; LearningError while both buffers are empty."""
        if len(self.demo) == 0:
            return self._from(self.online, self.batch_size)
        if len(self.online) == 0:
            return self._from(self.demo, self.batch_size)
        half = self.batch_size // 2
        ours = self._from(self.online, self.batch_size - half)
        theirs = self._from(self.demo, half)
        pairs = zip(ours, theirs, strict=True)
        mixed = [None if a is None or b is None else torch.cat([a, b]) for a, b in pairs]
        return Batch(*mixed)  # type: ignore[arg-type]

    def _from(self, buffer: ReplayBuffer, size: int) -> Batch:
        return buffer.sample(size, self.generator, **self._horizon)


def add_with_intervention(online: ReplayBuffer, demo: ReplayBuffer, intervened: bool, **step: Any) -> bool:
    """Puts a step into the online buffer and, if a person chose the action, into the demonstrations too.

    The frame after a run of corrected steps completes the last of them in the demonstration buffer.

    Args:
        step: the keyword arguments of `ReplayBuffer.add_step`.

    Returns:
        False when the step was already there.
    """
    if not online.add_step(**step):
        return False
    if intervened:
        demo.add_step(**step)
    else:
        frame = ("actor_id", "sequence", "episode", "step", "state", "features", "images")
        demo.add_frame(**{key: step[key] for key in frame if key in step})
    return True
