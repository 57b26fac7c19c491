# SPDX-License-Identifier: Apache-2.0
"""Discrete critic of learned grippers (original: sac_hybrid_single.py, sac_hybrid_dual.py; paper, eq. 4).

A gripper command is close, stay or open: -1, 0, +1 in the environment action. The joint command of two
grippers is one of nine, 3 * (left + 1) + (right + 1). Values are learned by double Q-learning and the best
command is always taken: there is no exploration of its own, people show when to grasp.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.networks import DenseHead, normed_layers


def encode_grasp(commands: Tensor) -> Tensor:
    """Gripper columns of an action, [..., grippers] in [-1, 1] -> index of the joint command, int64 [...].

    Rounds half to even, as the original does since a79757a: a person's buttons give commands in (-1, -0.9)
    and (0.9, 1), which truncation made "stay". Commands beyond [-1, 1] count as -1 and 1.
    """
    steps = commands.round().clamp(-1.0, 1.0).long() + 1
    index = steps[..., 0]
    for gripper in range(1, commands.shape[-1]):
        index = 3 * index + steps[..., gripper]
    return index


def decode_grasp(index: Tensor, grippers: int) -> Tensor:
    """Index of a joint command, int64 [...] -> commands -1, 0 or 1, float32 [..., grippers]."""
    places = 3 ** torch.arange(grippers - 1, -1, -1, device=index.device)
    return ((index[..., None] // places) % 3 - 1).float()


class GraspCritic(nn.Module):
    """Value of every joint gripper command; reads what the policy reads, no action."""

    def __init__(self, cfg: LearnerConfig, size_in: int):
        super().__init__()
        normed = cfg.hidden if cfg.grasp_final_norm else cfg.hidden[:-1]
        self.layers = normed_layers(cfg, 1, size_in, normed)
        before = normed[-1] if normed else size_in
        self.last_hidden = None if cfg.grasp_final_norm else DenseHead(before, cfg.hidden[-1])
        self.values = DenseHead(cfg.hidden[-1], cfg.grasp_actions)

    def forward(self, encoded: Tensor) -> Tensor:
        """encoded [B, n] -> values [B, grasp_actions]."""
        hidden = self.layers(encoded)
        return self.values(hidden if self.last_hidden is None else self.last_hidden(hidden))


class ActionAssembler(nn.Module):
    """Splits environment actions into what the policy and what the grasp critic chooses, and joins them."""

    def __init__(self, cfg: LearnerConfig):
        super().__init__()
        self.grippers = len(cfg.grasp_columns)
        self.policy_columns: Tensor
        self.grasp_columns: Tensor
        columns = torch.tensor(cfg.policy_columns), torch.tensor(cfg.grasp_columns, dtype=torch.int64)
        for name, value in zip(("policy_columns", "grasp_columns"), columns, strict=True):
            self.register_buffer(name, value, persistent=False)

    def continuous(self, action: Tensor) -> Tensor:
        """[B, action_dim] -> the policy's columns [B, policy_dim]."""
        return action.index_select(-1, self.policy_columns) if self.grippers else action

    def grasp_index(self, action: Tensor) -> Tensor:
        """[B, action_dim] -> index of the joint gripper command [B]."""
        return encode_grasp(action.index_select(-1, self.grasp_columns))

    def join(self, continuous: Tensor, grasp_values: Tensor | None) -> Tensor:
        """Policy action [B, policy_dim] and grasp values [B, grasp_actions] -> environment action with the
        best gripper command [B, action_dim]; None without learned grippers."""
        if grasp_values is None:
            return continuous
        commands = decode_grasp(grasp_values.argmax(-1), self.grippers)
        action = continuous.new_empty(len(continuous), continuous.shape[-1] + self.grippers)
        action[:, self.policy_columns] = continuous
        action[:, self.grasp_columns] = commands
        return action
