# SPDX-License-Identifier: Apache-2.0
"""Labelled frames on disk: one `labels/episode_XXXX.npz` an episode.

Frames of one episode look alike, so a held-out set is made of episodes, not of frames: that is why they are
stored apart.
"""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FILE_NAME = re.compile(r"^episode_(\d{4,})\.npz$")
_ARRAYS = ("images", "labels", "states", "base_T_tcp", "camera_names")


class LabelError(RuntimeError):
    """A labels folder or file is unusable. The text names the file, the rule and what to do."""


@dataclass(frozen=True)
class EpisodeLabels:
    """Labelled frames of one episode, in the order they were seen.

    Attributes:
        images: [N, n_cam, H, W, 3] uint8 RGB.
        labels: [N] bool, the success button was held.
        states: [N, n] float32 proprioception (layout: hilserl_task.spaces).
        base_T_tcp: [N, 4, 4] measured pose of the first arm.
        camera_names: order of the camera axis.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.bool_]
    states: NDArray[np.float32]
    base_T_tcp: NDArray[np.float64]
    camera_names: tuple[str, ...]

    @property
    def positives(self) -> int:
        """Number of frames with the button held."""
        return int(self.labels.sum())

    @property
    def negatives(self) -> int:
        """Number of frames without."""
        return len(self.labels) - self.positives


def label_files(folder: Path) -> list[Path]:
    """Label files of a folder by number; empty when the folder does not exist."""
    if not folder.is_dir():
        return []
    numbered = [(_number(path), path) for path in folder.iterdir() if _FILE_NAME.match(path.name)]
    return [path for _, path in sorted(numbered)]


def next_label_file(folder: Path) -> Path:
    """First free `episode_XXXX.npz`: numbers go on where an earlier collection stopped."""
    files = label_files(folder)
    return folder / f"episode_{_number(files[-1]) + 1 if files else 0:04d}.npz"


def write_labels(path: Path, episode: EpisodeLabels) -> None:
    """Writes one episode; a reader sees the whole file or none (temporary file, then rename)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".npz.part")
    with temporary.open("wb") as stream:
        # Not compressed: 10 MB an episode are written in some ms, compressing them would hold up the node.
        np.savez(
            stream,
            images=episode.images,
            labels=episode.labels,
            states=episode.states,
            base_T_tcp=episode.base_T_tcp,
            camera_names=np.array(episode.camera_names),
        )
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def read_labels(path: Path) -> EpisodeLabels:
    """Reads and checks one file.

    Raises:
        LabelError: unreadable, an array is missing, or lengths and shapes do not fit together.
    """
    arrays = _load(path, _ARRAYS)
    episode = EpisodeLabels(
        images=arrays["images"],
        labels=arrays["labels"].astype(bool),
        states=arrays["states"],
        base_T_tcp=arrays["base_T_tcp"],
        camera_names=tuple(str(name) for name in arrays["camera_names"]),
    )
    shape, count = episode.images.shape, len(episode.labels)
    if len(shape) != 5 or shape[1] != len(episode.camera_names) or shape[4] != 3:
        raise LabelError(
            f"labels file {path}: images have shape {shape}; must be "
            f"[frames, {len(episode.camera_names)} cameras, height, width, 3]"
        )
    if not shape[0] == count == len(episode.states) == len(episode.base_T_tcp):
        raise LabelError(f"labels file {path}: arrays differ in length; delete the file and collect again")
    return episode


def read_all_labels(folder: Path, cameras: tuple[str, ...], image_size: int) -> list[EpisodeLabels]:
    """All episodes of a folder, made of the cameras and the size that the task names.

    Args:
        folder: `labels/` of a run.
        cameras: the cameras wanted, in this order; a file may hold more.
        image_size: pixels, square.

    Raises:
        LabelError: no file, or one that does not fit; names the file.
    """
    files = label_files(folder)
    if not files:
        raise LabelError(f"labels folder {folder}: holds no episode_XXXX.npz; run collect_labels first")
    return [_select_cameras(path, read_labels(path), cameras, image_size) for path in files]


def count_labels(folder: Path) -> tuple[int, int]:
    """Positive and negative frames in a folder; reads the labels only, not the pictures."""
    positives = negatives = 0
    for path in label_files(folder):
        labels = _load(path, ("labels",))["labels"].astype(bool)
        positives += int(labels.sum())
        negatives += int((~labels).sum())
    return positives, negatives


def check_folder(folder: Path, cameras: tuple[str, ...], image_size: int) -> None:
    """Refuses to continue a folder that was collected with other cameras or another size.

    Raises:
        LabelError: the newest file does not fit the task.
    """
    files = label_files(folder)
    if files:
        _select_cameras(files[-1], read_labels(files[-1]), cameras, image_size)


def _number(path: Path) -> int:
    match = _FILE_NAME.match(path.name)
    assert match is not None
    return int(match.group(1))


def _load(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise LabelError(f"labels file {path}: array '{missing[0]}' is missing; delete the file")
            return {name: archive[name] for name in names}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise LabelError(
            f"labels file {path}: not readable ({error}); delete it and collect again"
        ) from error


def _select_cameras(
    path: Path, episode: EpisodeLabels, cameras: tuple[str, ...], image_size: int
) -> EpisodeLabels:
    missing = [name for name in cameras if name not in episode.camera_names]
    if missing:
        raise LabelError(
            f"labels file {path}: camera '{missing[0]}' of the task is not in it (it holds "
            f"{', '.join(episode.camera_names)}); collect labels into a new run folder"
        )
    size = episode.images.shape[2:4]
    if size != (image_size, image_size):
        raise LabelError(
            f"labels file {path}: pictures are {size[1]}x{size[0]}, the task has observation.image_size: "
            f"{image_size}; collect labels into a new run folder"
        )
    if cameras == episode.camera_names:
        return episode
    order = [episode.camera_names.index(name) for name in cameras]
    return EpisodeLabels(
        np.ascontiguousarray(episode.images[:, order]),
        episode.labels,
        episode.states,
        episode.base_T_tcp,
        cameras,
    )
