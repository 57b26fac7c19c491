# SPDX-License-Identifier: Apache-2.0
"""How batches are mixed and how interventions are routed into both buffers."""

from __future__ import annotations

from typing import Any

import torch

from hilserl_learning.errors import LearningError
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
    ):
        if batch_size < 2:
            raise LearningError(f"batch_size: {batch_size}, must be at least 2, e.g. 256")
        self.online, self.demo, self.batch_size, self.generator = online, demo, batch_size, generator

    def sample(self) -> Batch:
        """A fresh batch; LearningError while both buffers are empty."""
        if len(self.demo) == 0:
            return self.online.sample(self.batch_size, self.generator)
        if len(self.online) == 0:
            return self.demo.sample(self.batch_size, self.generator)
        half = self.batch_size // 2
        ours = self.online.sample(self.batch_size - half, self.generator)
        theirs = self.demo.sample(half, self.generator)
        pairs = zip(ours, theirs, strict=True)
        mixed = [None if a is None or b is None else torch.cat([a, b]) for a, b in pairs]
        return Batch(*mixed)  # type: ignore[arg-type]


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
