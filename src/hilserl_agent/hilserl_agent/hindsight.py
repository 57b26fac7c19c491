# SPDX-License-Identifier: Apache-2.0
"""Pose labels that the robot gives itself: where its hand was when the task was done.

The tcp pose at an episode's successful frames is that episode's goal (it includes how the object was
grasped). Every other frame of the episode is labelled with goal_T_tcp. Nothing but the robot's own
proprioception and the success marks is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hilserl_learning.readout import pose_labels


@dataclass(frozen=True)
class MarkedEpisode:
    """Frames of one episode.

    Attributes:
        images: uint8 (N, cameras, H, W, 3).
        base_T_tcp: (N, 4, 4).
        success: bool (N,), frames at which the task is done.
    """

    images: NDArray[np.uint8]
    base_T_tcp: NDArray[np.float64]
    success: NDArray[np.bool_]


@dataclass(frozen=True)
class LabelledFrames:
    """Training data of a read-out.

    Attributes:
        images: uint8 (N, cameras, H, W, 3).
        targets: float32 (N, 6), goal_T_tcp as position [m] and rotation vector [rad].
        groups: int64 (N,), episode of each frame: frames of one episode never sit on both sides of a split.
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]
    groups: NDArray[np.int64]


def mean_pose(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of (N, 4, 4) poses: mean position, mean rotation (chordal).

    Raises:
        ValueError: no pose.
    """
    if len(poses) == 0:
        raise ValueError("mean_pose: needs at least one pose")
    mean = np.eye(4)
    mean[:3, :3] = Rotation.from_matrix(poses[:, :3, :3]).mean().as_matrix()
    mean[:3, 3] = poses[:, :3, 3].mean(axis=0)
    return mean


def label_episode(episode: MarkedEpisode) -> NDArray[np.float32] | None:
    """goal_T_tcp of every frame, float32 (N, 6); None where the episode never succeeds."""
    if not episode.success.any():
        return None
    base_T_goal = mean_pose(episode.base_T_tcp[episode.success])
    return pose_labels(episode.base_T_tcp, base_T_goal).astype(np.float32)


def label_frames(episodes: list[MarkedEpisode]) -> LabelledFrames:
    """All frames of the successful episodes, with their hindsight labels.

    Raises:
        ValueError: no episode succeeds.
    """
    images, targets, groups = [], [], []
    for number, episode in enumerate(episodes):
        labels = label_episode(episode)
        if labels is not None:
            images.append(episode.images)
            targets.append(labels)
            groups.append(np.full(len(labels), number))
    if not images:
        raise ValueError(
            f"none of the {len(episodes)} episodes has a successful frame, so no goal pose is known; "
            "collect labels or demonstrations that reach the goal"
        )
    return LabelledFrames(np.concatenate(images), np.concatenate(targets), np.concatenate(groups))


def read_label_files(folder: Path) -> list[MarkedEpisode]:
    """Episodes of a folder of `*.npz` written by label collection, in name order.

    Raises:
        ValueError: a file lacks an array or is unreadable.
    """
    return [_read_label_file(path) for path in sorted(folder.glob("*.npz"))]


def _read_label_file(path: Path) -> MarkedEpisode:
    try:
        with np.load(path, allow_pickle=False) as data:
            return MarkedEpisode(data["images"], data["base_T_tcp"], data["labels"].astype(bool))
    except (KeyError, OSError, ValueError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"label file {path}: {error}; must hold the arrays images, labels and base_T_tcp. "
            "Delete it or collect labels again"
        ) from error
