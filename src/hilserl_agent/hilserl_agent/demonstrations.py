# SPDX-License-Identifier: Apache-2.0
"""Recorded demonstrations into the demonstration buffer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilserl_learning.perception import Perception
from hilserl_learning.replay import ReplayBuffer
from hilserl_ros.bags import BagError, EpisodeData, check_fits, read_episodes
from hilserl_task import Task, TaskError
from hilserl_task.gripper import GripperPenalty

DEMONSTRATIONS = "demos"
ACTOR_ID = "demonstrations"


def load_demonstrations(
    task: Task, run_dir: Path, perception: Perception | None, buffer: ReplayBuffer, with_features: bool
) -> int:
    """Adds the successful episodes of `run_dir/demos`, at most as many as the task asks for.

    Args:
        with_features: the buffer keeps features of the pictures; they are computed here, once.

    Returns:
        number of transitions.

    Raises:
        TaskError: none there although the task wants some, or a bag is unreadable or does not fit.
    """
    wanted = task.learner.demonstration_count
    if not task.learner.demonstrations or wanted == 0:
        return 0
    folder = run_dir / DEMONSTRATIONS
    try:
        episodes = (
            [episode for episode in read_episodes(folder) if episode.outcome == "success"]
            if folder.is_dir()
            else []
        )
        for episode in episodes[:wanted]:
            check_fits(episode, task)
    except BagError as error:
        raise TaskError(f"demonstrations: {error}") from error
    if not episodes:
        raise TaskError(
            f"demonstrations: {folder} holds no successful episode; record some, or start with the override "
            "learner.demonstrations=false"
        )
    sequence = 0
    for number, episode in enumerate(episodes[:wanted]):
        features = _features(episode, perception if with_features else None)
        try:
            sequence = _add_episode(task, buffer, episode, features, number, sequence)
        except ValueError as error:
            raise TaskError(
                f"demonstration {number} of {folder} does not fit task '{task.name}': {error}"
            ) from error
    return sequence


def _features(episode: EpisodeData, perception: Perception | None) -> NDArray[np.float32]:
    """Features of all frames, (T+1, f)."""
    if perception is None:
        return np.zeros((len(episode.images), 0), np.float32)
    return perception.encode(episode.images)


def _add_episode(
    task: Task,
    buffer: ReplayBuffer,
    episode: EpisodeData,
    features: NDArray[np.float32],
    number: int,
    sequence: int,
) -> int:
    penalty = GripperPenalty(task)
    keeps = buffer.image_shape is not None
    steps = len(episode.actions)
    for k in range(steps):
        sequence += 1
        last = k == steps - 1
        final: dict[str, Any] = {}
        if last:
            final = {
                "next_state": episode.states[k + 1],
                "next_features": features[k + 1],
                "next_images": episode.images[k + 1] if keeps else None,
            }
        buffer.add_step(
            ACTOR_ID,
            sequence,
            number,
            k,
            episode.states[k],
            features[k],
            episode.actions[k],
            float(episode.rewards[k]),
            terminated=last and episode.terminated,
            truncated=last and episode.truncated and not episode.terminated,
            grasp_penalty=penalty.of(episode.actions[k]),
            images=episode.images[k] if keeps else None,
            **final,
        )
    return sequence
