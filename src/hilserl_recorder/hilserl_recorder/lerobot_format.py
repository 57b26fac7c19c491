# SPDX-License-Identifier: Apache-2.0
"""Layout of LeRobotDataset v3.0 (huggingface/lerobot, src/lerobot/datasets): names, features, statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilserl_task import Task
from hilserl_task.spaces import state_names

VERSION = "v3.0"
INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
# Not of LeRobot, which ignores it: last observations, summaries and metadata, so that nothing is lost.
EXTRA = "meta/hilserl/episodes.parquet"
CHUNKS_SIZE, DATA_FILE_MB, VIDEO_FILE_MB = 1000, 100, 200  # lerobot's own defaults

STATE, ACTION, REWARD, DONE = "observation.state", "action", "next.reward", "next.done"
POSE, SOURCE = "observation.tcp_pose", "hilserl.source"
IMAGES = "observation.images."
QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}

_POSE_ENTRIES = ("x_m", "y_m", "z_m", "qx", "qy", "qz", "qw")
_INDICES = {
    "timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64",
    "task_index": "int64",
}  # fmt: skip

Feature = dict[str, Any]


def features(task: Task, video: Feature | None) -> dict[str, Feature]:
    """All features of a dataset of this task.

    Args:
        video: `info` of the video features; None: pictures as PNG inside the parquet files.
    """
    size = task.observation.image_size
    picture: Feature = {
        "dtype": "image" if video is None else "video",
        "shape": [size, size, 3],
        "names": ["height", "width", "channels"],
    }
    if video is not None:
        picture["info"] = video
    poses = [f"{arm.name}/{entry}" for arm in task.arms for entry in _POSE_ENTRIES]
    own = {
        STATE: _vector("float32", state_names(task)),
        **{f"{IMAGES}{camera.name}": picture for camera in task.cameras},
        POSE: _vector("float64", poses),
        ACTION: _vector("float32", action_names(task)),
        REWARD: _vector("float32", None),
        DONE: _vector("bool", None),
        SOURCE: _vector("int64", None),
    }
    return own | {name: _vector(dtype, None) for name, dtype in _INDICES.items()}


def action_names(task: Task) -> list[str]:
    """Name of every action value, `<arm>/<entry>`."""
    names = []
    for arm, values in zip(task.arms, task.action_layout.arms, strict=True):
        names += [f"{arm.name}/{entry}" for entry in arm.action.names]
        names += [f"{arm.name}/gripper"] if values.gripper is not None else []
    return names


def _vector(dtype: str, names: list[str] | None) -> Feature:
    return {"dtype": dtype, "shape": [len(names) if names else 1], "names": names}


def statistics(values: NDArray[Any]) -> dict[str, Any]:
    """Statistics of a feature, (frames, n) or (frames, height, width, 3) uint8, as stats.json has them.

    Pictures: per channel, scaled to 0..1, in the shape (3, 1, 1).
    """
    picture = values.ndim == 4
    flat = (
        values.reshape(-1, 3) / np.float32(255) if picture else values.reshape(len(values), -1).astype(float)
    )
    quantiles = np.quantile(flat, list(QUANTILES.values()), axis=0)
    numbers = {
        "min": flat.min(axis=0), "max": flat.max(axis=0), "mean": flat.mean(axis=0, dtype=float),
        "std": flat.std(axis=0, dtype=float), **dict(zip(QUANTILES, quantiles, strict=True)),
    }  # fmt: skip
    shaped = {name: value.reshape(-1, 1, 1) if picture else value for name, value in numbers.items()}
    return {**{name: value.tolist() for name, value in shaped.items()}, "count": [len(values)]}


def info(
    task: Task, fps: int, features_: dict[str, Feature], lengths: Sequence[int], video: bool
) -> dict[str, Any]:
    """Content of meta/info.json."""
    return {
        "codebase_version": VERSION,
        "robot_type": task.arms[0].robot,
        "total_episodes": len(lengths),
        "total_frames": int(sum(lengths)),
        "total_tasks": 1,
        "chunks_size": CHUNKS_SIZE,
        "data_files_size_in_mb": DATA_FILE_MB,
        "video_files_size_in_mb": VIDEO_FILE_MB,
        "fps": fps,
        "splits": {"train": f"0:{len(lengths)}"},
        "data_path": DATA,
        "video_path": VIDEO if video else None,
        "features": features_,
    }
