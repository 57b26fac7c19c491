# SPDX-License-Identifier: Apache-2.0
"""What chooses actions: nothing (teleoperation), or the newest policy the learner has published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from hilserl_agent.actor_parameters import ActorParameters
from hilserl_agent.checkpoint import CHECKPOINTS, find_checkpoint
from hilserl_agent.episode_book import Frame
from hilserl_agent.policy_codec import PolicyAssembler, PolicyRejected
from hilserl_agent.policy_file import POLICY_FILE, read_policy_file
from hilserl_learning.actor_policy import ActorPolicy, Decision
from hilserl_learning.errors import LearningError
from hilserl_msgs.msg import PolicyWeights
from hilserl_task import Task, TaskError


class Policy(Protocol):
    """Chooses actions. `version` 0 means there is no policy yet."""

    version: int

    def decide(self, frame: Frame) -> Decision:
        """Answer to an observation."""

    def seed(self, seed: int) -> None:
        """Restarts exploration from a seed (once an episode)."""


class ZeroPolicy:
    """Stands still, so that a person does everything (record_demos.py of the original sends zeros too)."""

    def __init__(self, action_dim: int) -> None:
        self.version = 0
        zero = np.zeros(action_dim, np.float32)
        self._decision = Decision(zero, zero, zero)

    def decide(self, frame: Frame) -> Decision:
        """Zeros, sure of them."""
        return self._decision

    def seed(self, seed: int) -> None:
        """Nothing to seed."""


class LearnedPolicy:
    """Acts with the last good policy; a bad one never replaces it.

    Args:
        config_hash: of the task; other policies are refused.
        deterministic: the mode instead of a sample.
    """

    def __init__(self, config_hash: str, deterministic: bool) -> None:
        self.version = 0
        self._config_hash = config_hash
        self._assembler = PolicyAssembler(config_hash, lambda text: self.on_incomplete(text))
        self.on_incomplete: Callable[[str], None] = lambda _: None  # told of policies whose chunks got lost
        self._deterministic = deterministic
        self._generator = torch.Generator()
        self._network: ActorPolicy | None = None

    def offer(self, message: PolicyWeights) -> bool:
        """Takes a chunk; True when it completed a policy, which is in use from now on.

        Raises:
            PolicyRejected: corrupt, older, foreign, or not a policy of this task.
        """
        received = self._assembler.add(message)
        if received is None:
            return False
        self._use(received.blob, received.version)
        return True

    def load(self, path: Path) -> None:
        """Uses the policy of a file.

        Raises:
            PolicyRejected: missing, unreadable or of another task configuration.
        """
        stored = read_policy_file(path, self._config_hash)
        self._use(stored.blob, stored.version)

    def frozen(self, deterministic: bool) -> LearnedPolicy:
        """The policy of now, which newer ones do not replace."""
        copy = LearnedPolicy(self._config_hash, deterministic)
        copy._network, copy.version = self._network, self.version
        return copy

    def decide(self, frame: Frame) -> Decision:
        """Answer to an observation.

        Raises:
            RuntimeError: there is no policy yet, or it answered with numbers that are not finite.
        """
        if self._network is None:
            raise RuntimeError("no policy yet: wait for learner/policy before acting")
        decision = self._network.decide(frame.features, frame.state, self._deterministic, self._generator)
        if not np.isfinite(decision.action).all():
            raise RuntimeError(
                f"policy {self.version} answered {decision.action.tolist()}, which is not finite"
            )
        return decision

    def seed(self, seed: int) -> None:
        """Restarts exploration noise."""
        self._generator.manual_seed(seed % 2**63)

    def _use(self, blob: bytes, version: int) -> None:
        try:
            network = ActorPolicy.from_safetensors(blob)
        except (LearningError, KeyError, ValueError) as error:
            raise PolicyRejected(f"policy {version} cannot be loaded: {error}") from error
        self._network, self.version = network, version


def make_policy(task: Task, run_dir: Path, chosen: ActorParameters) -> Policy:
    """What acts in a phase; in an evaluation the newest policy of the run, or of the checkpoint named.

    Raises:
        TaskError: there is no such policy, or it is of another configuration.
    """
    if chosen.phase == "teleop":
        return ZeroPolicy(task.action_dim)
    policy = LearnedPolicy(task.config_hash(), chosen.phase == "evaluate" and chosen.deterministic)
    if chosen.phase == "evaluate":
        try:
            policy.load(evaluated_policy(run_dir, task.evaluation.checkpoint))
        except PolicyRejected as error:
            raise TaskError(str(error)) from error
    return policy


def evaluated_policy(run_dir: Path, checkpoint: str | None) -> Path:
    """File of the newest policy of a run (None), or of one of its checkpoints.

    Raises:
        TaskError: no such checkpoint.
    """
    if checkpoint is None:
        return run_dir / POLICY_FILE
    return find_checkpoint(run_dir / CHECKPOINTS, checkpoint) / POLICY_FILE.name
