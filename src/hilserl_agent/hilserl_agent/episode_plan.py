# SPDX-License-Identifier: Apache-2.0
"""What an episode is for."""

from __future__ import annotations

from dataclasses import dataclass

from hilserl_agent.actor_policy import Policy
from hilserl_agent.seeds import exploration_seed, reset_seed


@dataclass(frozen=True)
class EpisodePlan:
    """Fixed before the reset.

    Attributes:
        phase: in the summary: train, evaluate or teleop.
        counting, index: what its seeds follow from (`seeds.py`). The same counting and index begin the same
            way in every run with the same seed, however often an episode has to be repeated.
        disturbed: resets with the events of the evaluation (board moved, ...).
        policy: acts in it.
        learnt: its transitions go to the learner, and it counts for the end of training.
    """

    phase: str
    counting: str
    index: int
    disturbed: bool
    policy: Policy
    learnt: bool

    def reset_seed(self, seed: int) -> int:
        """Of start pose, grasp and board."""
        return reset_seed(seed, self.counting, self.index)

    def exploration_seed(self, seed: int) -> int:
        """Of the policy's sampling."""
        return exploration_seed(seed, self.counting, self.index)
