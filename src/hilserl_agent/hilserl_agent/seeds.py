# SPDX-License-Identifier: Apache-2.0
"""Seeds of resets and of exploration: every episode of every phase has its own, repeatable one."""

from __future__ import annotations

import numpy as np

# Fixed numbers, so that a new phase never changes the seeds of the others.
PHASES = {"train": 1, "evaluate": 2, "teleop": 3, "labels": 4, "chain": 5}
_RESET, _EXPLORATION = 0, 1


def reset_seed(seed: int, phase: str, episode: int) -> int:
    """uint64 seed of the reset before an episode (start pose, grasp, board).

    Args:
        seed: of the run, not negative.
        phase: one of `PHASES`.
        episode: number of the episode in this phase, from 0.

    Raises:
        ValueError: unknown phase or a negative number.
    """
    return _derive(seed, phase, episode, _RESET)


def exploration_seed(seed: int, phase: str, episode: int) -> int:
    """uint64 seed of the policy's sampling in an episode. Arguments as in `reset_seed`."""
    return _derive(seed, phase, episode, _EXPLORATION)


def _derive(seed: int, phase: str, episode: int, stream: int) -> int:
    if phase not in PHASES:
        raise ValueError(f"phase: '{phase}' must be one of {', '.join(PHASES)}; example: train")
    if seed < 0 or episode < 0:
        raise ValueError(
            f"seed {seed} and episode {episode} must not be negative; example: seed 0, episode 0"
        )
    sequence = np.random.SeedSequence([seed, PHASES[phase], episode, stream])
    return int(sequence.generate_state(1, np.uint64)[0])
