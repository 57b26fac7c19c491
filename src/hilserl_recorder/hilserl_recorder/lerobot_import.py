# SPDX-License-Identifier: Apache-2.0
"""A LeRobotDataset v3.0 to bags: our own exports exactly, others as far as they fit the task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hilserl_recorder import lerobot_format as layout
from hilserl_recorder.folders import all_or_none
from hilserl_recorder.imported import HUMAN, ImportedEpisode, poses_from_states, write_imported
from hilserl_recorder.lerobot_dataset import LeRobotDataset, LeRobotEpisode, decode
from hilserl_recorder.progress import track
from hilserl_ros.bags import BagError
from hilserl_task import Task

_INTERVENTION = "complementary_info.is_intervention"  # lerobot's own HIL-SERL recordings
# Strings of a bag that the import writes anew.
_NEW = ("task", "task_yaml", "config_hash", "imported_from", "imported_at")


def import_dataset(root: Path, out: Path, task: Task, cameras: dict[str, str]) -> list[Path]:
    """Writes a bag for every episode.

    Args:
        cameras: name of a camera in the dataset, by name in the task, where they differ.

    Raises:
        BagError: no dataset, or it does not fit the task; `out` is as before then.
    """
    dataset = LeRobotDataset(root)
    wanted = _picture_names(dataset, task, cameras)
    _check(dataset, task)
    with all_or_none() as made:
        for episode in track(dataset.episodes(wanted), "importing", len(dataset.rows)):
            origin = f"LeRobotDataset {root.name}, episode {episode.index}"
            converted, about = _converted(episode, task, wanted, origin)
            made.append(write_imported(out, task, converted, origin, about))
    return made


def _picture_names(dataset: LeRobotDataset, task: Task, cameras: dict[str, str]) -> list[str]:
    """Features of the task's cameras, in task-file order."""
    unknown = sorted(set(cameras) - {camera.name for camera in task.cameras})
    if unknown:
        raise BagError(
            f"--camera: {', '.join(unknown)} is no camera of task '{task.name}'; it has "
            f"{', '.join(camera.name for camera in task.cameras)}"
        )
    names = [f"{layout.IMAGES}{cameras.get(camera.name, camera.name)}" for camera in task.cameras]
    missing = [name for name in names if name not in dataset.picture_features]
    if missing:
        raise BagError(
            f"dataset {dataset.root}: has no {', '.join(missing)}, only {dataset.picture_features}; "
            f"example: --camera {task.cameras[0].name}=front"
        )
    return names


def _check(dataset: LeRobotDataset, task: Task) -> None:
    """Rate and sizes, before anything is written."""
    features, fps = dataset.info["features"], float(dataset.info["fps"])
    names = {name: len(entries) for name, entries in _vector_names(task).items()}
    wrong = [
        f"{name} {list(features[name]['shape']) if name in features else 'missing'}, must be [{size}]"
        for name, size in names.items()
        if name not in features or list(features[name]["shape"]) != [size]
    ]
    if abs(fps * task.period_s - 1) > 1e-3:
        wrong.append(f"{fps:g} frames a second, must be {1 / task.period_s:g} (period_s)")
    if wrong:
        raise BagError(f"dataset {dataset.root}: does not fit task '{task.name}': {'; '.join(wrong)}")


def _vector_names(task: Task) -> dict[str, list[str]]:
    features = layout.features(task, None)
    return {name: features[name]["names"] for name in (layout.STATE, layout.ACTION)}


def _converted(
    episode: LeRobotEpisode, task: Task, wanted: list[str], origin: str
) -> tuple[ImportedEpisode, dict[str, str]]:
    """The episode in this project's terms, and what to remember about it."""
    columns, extra = episode.columns, episode.extra
    rewards = _rewards(columns, origin)
    last: dict[str, Any] = extra or {}
    states = _with_last(columns[layout.STATE], last.get(layout.STATE)).astype(np.float32)
    images = np.stack(
        [
            _resized(_with_last(episode.pictures[name], _last_picture(last.get(name))), task)
            for name in wanted
        ],
        axis=1,
    )
    if layout.POSE in columns:
        poses = _with_last(columns[layout.POSE], last.get(layout.POSE)).reshape(len(states), -1, 7)
    else:
        poses = poses_from_states(task, states)
    summary = json.loads(last["summary"]) if extra else {}
    success = bool(rewards[-1] > 0)
    outcome = summary.pop("outcome", "success" if success else "failure")
    reason = summary.pop("termination_reason", "reward" if success else "timeout")
    about = {k: v for k, v in json.loads(last["metadata"]).items() if k not in _NEW} if extra else {}
    if not extra:
        about["import_notes"] = "the observation after the last action is the last frame once more" + (
            "" if layout.POSE in columns else "; poses are relative to the start"
        )
    converted = ImportedEpisode(
        states=states,
        images=images,
        actions=columns[layout.ACTION].astype(np.float32),
        sources=_sources(columns),
        rewards=rewards,
        poses=poses.astype(float),
        outcome=outcome,
        reason=reason,
        summary=summary,
    )
    return converted, about


def _rewards(columns: dict[str, NDArray[Any]], origin: str) -> NDArray[np.float32]:
    """Success of every step: next.reward, or the end of the episode where only next.success is known."""
    if layout.REWARD in columns:
        return (columns[layout.REWARD].ravel() > 0).astype(np.float32)
    if "next.success" in columns:
        return columns["next.success"].ravel().astype(np.float32)
    raise BagError(f"{origin}: neither {layout.REWARD} nor next.success, so nobody knows where it succeeded")


def _sources(columns: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """Who acted; a demonstration without a word about it was a person's."""
    if layout.SOURCE in columns:
        return columns[layout.SOURCE].ravel().astype(np.uint8)
    if _INTERVENTION in columns:
        return np.where(columns[_INTERVENTION].ravel().astype(bool), HUMAN, 0).astype(np.uint8)
    return np.full(len(columns[layout.ACTION]), HUMAN, np.uint8)


def _with_last(frames: NDArray[Any], last: Any) -> NDArray[Any]:
    """T frames and the one after the last action; unknown, it is the last frame once more.

    lerobot's own replay buffer does the same (rl/buffer.py); after a success its value is not used.
    """
    end = frames[-1] if last is None else np.asarray(last, frames.dtype)
    return np.concatenate([frames, end[None]])


def _last_picture(cell: dict[str, Any] | None) -> NDArray[np.uint8] | None:
    return None if cell is None else decode(cell, Path())


def _resized(pictures: NDArray[np.uint8], task: Task) -> NDArray[np.uint8]:
    """To the task's picture size, as the observation node scales: by area."""
    size = task.observation.image_size
    if pictures.shape[1:3] == (size, size):
        return pictures
    return np.stack([cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA) for p in pictures])
