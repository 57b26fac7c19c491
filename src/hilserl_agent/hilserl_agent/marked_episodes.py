# SPDX-License-Identifier: Apache-2.0
"""What a run has recorded for its read-out: labelled and demonstrated episodes, with success marks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hilserl_agent.demonstrations import DEMONSTRATIONS
from hilserl_ros.bags import EpisodeData, check_fits, read_episodes
from hilserl_task import Task
from hilserl_task.gripper import commanded_open

LABELS = "labels"


@dataclass(frozen=True)
class MarkedEpisode:
    """Frames of one episode.

    Attributes:
        images: uint8 (N, cameras, H, W, 3).
        base_T_tcp: (N, arms, 4, 4), each in the base frame of its arm.
        success: bool (N,), frames at which the task is done.
        gripper_open: bool (N, arms), commanded when the frame was seen; None: not known.
        steps: (N,) of the episode that the frames are, in order; None: none is left out.
    """

    images: NDArray[np.uint8]
    base_T_tcp: NDArray[np.float64]
    success: NDArray[np.bool_]
    gripper_open: NDArray[np.bool_] | None = None
    steps: NDArray[np.int64] | None = None


def marked_episodes(task: Task, run_dir: Path) -> list[MarkedEpisode]:
    """Labelled and demonstrated episodes of a run.

    Raises:
        ValueError: (also BagError) there are none, or one is unreadable or does not fit the task.
    """
    demonstrations = run_dir / DEMONSTRATIONS
    episodes = read_label_files(run_dir / LABELS, len(task.arms))
    if demonstrations.is_dir():
        for episode in read_episodes(demonstrations):
            check_fits(episode, task)
            episodes.append(_of_demonstration(episode, task))
    if not episodes:
        raise ValueError(
            f"{run_dir} holds neither {LABELS}/*.npz nor bags in {DEMONSTRATIONS}/; collect labels first "
            "(make demo does)"
        )
    return episodes


def _of_demonstration(episode: EpisodeData, task: Task) -> MarkedEpisode:
    """Reward of step k is the success of frame k + 1."""
    success = np.concatenate([[False], episode.rewards > 0.5])
    return MarkedEpisode(
        episode.images, episode.arms_base_T_tcp, success, commanded_open(task, episode.actions)
    )


def read_label_files(folder: Path, arms: int = 1) -> list[MarkedEpisode]:
    """Episodes of a folder of `*.npz` written by label collection, in name order.

    Args:
        arms: that a file must hold.

    Raises:
        ValueError: a file lacks an array, is unreadable, or is of a task with other arms.
    """
    return [_read_label_file(path, arms) for path in sorted(folder.glob("*.npz"))]


def _read_label_file(path: Path, arms: int) -> MarkedEpisode:
    try:
        with np.load(path, allow_pickle=False) as data:
            poses = data["base_T_tcp"]
            episode = MarkedEpisode(
                data["images"],
                poses[:, None] if poses.ndim == 3 else poses,  # files of old hold one arm without an axis
                data["labels"].astype(bool),
                data["gripper_open"].astype(bool) if "gripper_open" in data else None,
                data["steps"].astype(np.int64) if "steps" in data else None,
            )
    except (KeyError, OSError, ValueError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"label file {path}: {error}; must hold the arrays images, labels and base_T_tcp. "
            "Delete it or collect labels again"
        ) from error
    _check(path, episode, arms)
    return episode


def _check(path: Path, episode: MarkedEpisode, arms: int) -> None:
    count = len(episode.images)
    lengths = {"labels": episode.success.shape, "base_T_tcp": episode.base_T_tcp.shape}
    wanted = {"labels": (count,), "base_T_tcp": (count, arms, 4, 4)}
    if episode.gripper_open is not None:
        lengths["gripper_open"], wanted["gripper_open"] = episode.gripper_open.shape, (count, arms)
    if episode.steps is not None:
        lengths["steps"], wanted["steps"] = episode.steps.shape, (count,)
    for name, shape in wanted.items():
        if lengths[name] != shape:
            raise ValueError(
                f"label file {path}: {name} has shape {lengths[name]}, must be {shape} for {arms} arm(s); "
                "delete it or collect labels into a new run folder"
            )
