# SPDX-License-Identifier: Apache-2.0
"""Labelled frames on disk: one `labels/episode_XXXX.npz` an episode.

Frames of one episode look alike, so a held-out set is made of episodes, not of frames: that is why they are
stored apart.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FILE_NAME = re.compile(r"^episode_(\d{4,})\.npz$")
_ARRAYS = ("images", "labels", "states", "base_T_tcp", "camera_names")
_OPTIONAL_ARRAYS = ("classes", "class_names", "why", "origin", "gripper_open", "steps")

# Why a frame has its label.
COLLECTED = "collected"
FALSE_POSITIVE, FALSE_NEGATIVE = "false_positive", "false_negative"  # a person's button against the model
CORRECTED = "corrected"  # a person corrected the finished episode
RELABELLED = "relabelled"  # changed afterwards, on the contact sheet
UNDECIDED = -1  # class of a frame that waits for `relabel`


class LabelError(RuntimeError):
    """A labels folder or file is unusable. The text names the file, the rule and what to do."""


@dataclass(frozen=True)
class EpisodeLabels:
    """Labelled frames of one episode, in the order they were seen.

    Attributes:
        images: [N, n_cam, H, W, 3] uint8 RGB.
        labels: [N] bool, success.
        states: [N, n] float32 proprioception (layout: hilserl_task.spaces).
        base_T_tcp: [N, arms, 4, 4] measured poses, each in the base frame of its arm.
        camera_names: order of the camera axis.
        classes: [N] int16 into class_names, UNDECIDED where nobody has said yet; None: success or not.
        class_names: of the task, when the file was written.
        why: [N] where each label comes from: COLLECTED, FALSE_POSITIVE, ...; None: all collected.
        origin: of frames kept while training: episode, session, model_id, ...
        gripper_open: [N, arms] bool, commanded state when the frame was seen; None: no gripper is learned, or
            the commands are not known.
        steps: [N] of the episode that the frames are; None: not known (older files).
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.bool_]
    states: NDArray[np.float32]
    base_T_tcp: NDArray[np.float64]
    camera_names: tuple[str, ...]
    classes: NDArray[np.int16] | None = None
    class_names: tuple[str, ...] = ()
    why: NDArray[np.str_] | None = None
    origin: dict[str, Any] = field(default_factory=dict)
    gripper_open: NDArray[np.bool_] | None = None
    steps: NDArray[np.int64] | None = None

    @property
    def positives(self) -> int:
        """Number of frames of success."""
        return int(self.labels.sum())

    @property
    def negatives(self) -> int:
        """Number of frames without."""
        return len(self.labels) - self.positives

    @property
    def reasons(self) -> NDArray[np.str_]:
        """[N] why each frame has its label."""
        return np.full(len(self.labels), COLLECTED) if self.why is None else self.why

    @property
    def kinds(self) -> NDArray[np.int16]:
        """[N] what is learned: class numbers, or 0 and 1."""
        return self.labels.astype(np.int16) if self.classes is None else self.classes

    def with_kinds(
        self, kinds: NDArray[np.int16], why: NDArray[np.str_], success_class: int | None = None
    ) -> EpisodeLabels:
        """The same frames with other labels: 0 and 1, or class numbers and which of them is success."""
        if self.classes is None:
            return replace(self, labels=kinds.astype(bool), why=why)
        labels = np.zeros(len(kinds), bool) if success_class is None else kinds == success_class
        return replace(self, classes=kinds.astype(np.int16), labels=labels, why=why)

    def chosen(self, frames: NDArray[Any]) -> EpisodeLabels:
        """Only some frames: indices or a mask."""
        return replace(
            self,
            images=self.images[frames],
            labels=self.labels[frames],
            states=self.states[frames],
            base_T_tcp=self.base_T_tcp[frames],
            classes=None if self.classes is None else self.classes[frames],
            why=None if self.why is None else self.why[frames],
            gripper_open=None if self.gripper_open is None else self.gripper_open[frames],
            steps=None if self.steps is None else self.steps[frames],
        )


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
    """Writes one episode; a reader sees the whole file or none (temporary file, then rename).

    Raises:
        OSError: disk full or not writable; an older file stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".npz.part")
    arrays = {
        "images": episode.images,
        "labels": episode.labels,
        "states": episode.states,
        "base_T_tcp": episode.base_T_tcp,
        "camera_names": np.array(episode.camera_names),
    }
    if episode.classes is not None:
        arrays |= {"classes": episode.classes, "class_names": np.array(episode.class_names)}
    if episode.why is not None:
        arrays["why"] = episode.why
    if episode.origin:
        arrays["origin"] = np.array(json.dumps(episode.origin))
    if episode.gripper_open is not None:
        arrays["gripper_open"] = episode.gripper_open
    if episode.steps is not None:
        arrays["steps"] = episode.steps
    try:
        with temporary.open("wb") as stream:
            # Not compressed: 10 MB an episode are written in some ms, compressing would hold up the node.
            np.savez(stream, **arrays)  # type: ignore[arg-type]
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_labels(path: Path) -> EpisodeLabels:
    """Reads and checks one file.

    Raises:
        LabelError: unreadable, an array is missing, or lengths and shapes do not fit together.
    """
    arrays = _load(path, _ARRAYS, _OPTIONAL_ARRAYS)
    try:
        origin = json.loads(str(arrays["origin"])) if "origin" in arrays else {}
    except ValueError as error:
        raise LabelError(f"labels file {path}: origin is not JSON ({error}); delete the file") from error
    poses = arrays["base_T_tcp"]
    episode = EpisodeLabels(
        images=arrays["images"],
        labels=arrays["labels"].astype(bool),
        states=arrays["states"],
        base_T_tcp=poses[:, None] if poses.ndim == 3 else poses,  # older files: one arm, without its axis
        camera_names=tuple(str(name) for name in arrays["camera_names"]),
        classes=arrays["classes"].astype(np.int16) if "classes" in arrays else None,
        class_names=tuple(str(name) for name in arrays.get("class_names", ())),
        why=arrays.get("why"),
        origin=origin,
        gripper_open=arrays["gripper_open"].astype(bool) if "gripper_open" in arrays else None,
        steps=arrays.get("steps"),
    )
    shape = episode.images.shape
    if len(shape) != 5 or shape[1] != len(episode.camera_names) or shape[4] != 3:
        raise LabelError(
            f"labels file {path}: images have shape {shape}; must be "
            f"[frames, {len(episode.camera_names)} cameras, height, width, 3]"
        )
    parts = [episode.labels, episode.states, episode.base_T_tcp, episode.kinds, episode.reasons]
    parts += [part for part in (episode.gripper_open, episode.steps) if part is not None]
    if any(len(part) != shape[0] for part in parts):
        raise LabelError(f"labels file {path}: arrays differ in length; delete the file and collect again")
    return episode


def read_all_labels(
    folder: Path, cameras: tuple[str, ...], image_size: int, classes: tuple[str, ...] = ()
) -> dict[Path, EpisodeLabels]:
    """All episodes of a folder by file, in the order of `label_files`, made of what the task names.

    A running training may add files meanwhile: they are all read in one go, or not at all.

    Args:
        folder: `labels/` of a run.
        cameras: the cameras wanted, in this order; a file may hold more.
        image_size: pixels, square.
        classes: of the task, in this order; empty: success or not.

    Raises:
        LabelError: no file, or one that does not fit; names the file.
    """
    files = label_files(folder)
    if not files:
        raise LabelError(f"labels folder {folder}: holds no episode_XXXX.npz; run collect_labels first")
    return {path: _fit(path, read_labels(path), cameras, image_size, classes) for path in files}


def count_labels(folder: Path) -> tuple[int, int]:
    """Positive and negative frames in a folder; reads the labels only, not the pictures."""
    positives = negatives = 0
    for path in label_files(folder):
        labels = _load(path, ("labels",))["labels"].astype(bool)
        positives += int(labels.sum())
        negatives += int((~labels).sum())
    return positives, negatives


def count_classes(folder: Path, classes: tuple[str, ...]) -> list[int]:
    """Frames of each class in a folder; reads the labels only."""
    counts = [0] * len(classes)
    for path in label_files(folder):
        arrays = _load(path, ("classes", "class_names"))
        names = [str(name) for name in arrays["class_names"]]
        for number, name in enumerate(classes):
            counts[number] += int((arrays["classes"] == names.index(name)).sum()) if name in names else 0
    return counts


def check_folder(
    folder: Path, cameras: tuple[str, ...], image_size: int, classes: tuple[str, ...] = ()
) -> None:
    """Refuses to continue a folder that was collected with other cameras, another size or other classes.

    Raises:
        LabelError: the newest file does not fit the task.
    """
    files = label_files(folder)
    if files:
        _fit(files[-1], read_labels(files[-1]), cameras, image_size, classes)


def last_press(kinds: NDArray[np.integer], classes: bool) -> NDArray[np.integer]:
    """Indices of the frames of the newest press: the last ones in a row of one kind that a button gave.

    Args:
        kinds: [N] 0 and 1, or class numbers.
        classes: with classes every label was pressed; without only 1.
    """
    pressed = np.flatnonzero(np.ones(len(kinds), bool) if classes else kinds == 1)
    if not len(pressed):
        return pressed
    first = pressed[-1]
    while first > 0 and kinds[first - 1] == kinds[pressed[-1]]:
        first -= 1
    return np.arange(first, pressed[-1] + 1)


def undo_last_press(folder: Path) -> tuple[Path, EpisodeLabels] | None:
    """Takes the frames of the newest press out of the files; which file, and what was taken out.

    None when nothing was pressed in any file. A file without frames is removed.

    Raises:
        LabelError: a file is not readable.
        OSError: not writable; the labels stay as they were.
    """
    for path in reversed(label_files(folder)):
        episode = read_labels(path)
        press = last_press(episode.kinds, episode.classes is not None)
        if episode.origin or not len(press):  # what was kept while training is no press of a collection
            continue
        rest = np.setdiff1d(np.arange(len(episode.labels)), press)
        if len(rest):
            write_labels(path, episode.chosen(rest))
        else:
            path.unlink()
        return path, episode.chosen(press)
    return None


def _number(path: Path) -> int:
    match = _FILE_NAME.match(path.name)
    assert match is not None
    return int(match.group(1))


def _load(path: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise LabelError(f"labels file {path}: array '{missing[0]}' is missing; delete the file")
            present = [name for name in optional if name in archive.files]
            return {name: archive[name] for name in (*names, *present)}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise LabelError(
            f"labels file {path}: not readable ({error}); delete it and collect again"
        ) from error


def select_cameras(
    path: Path, episode: EpisodeLabels, cameras: tuple[str, ...], image_size: int
) -> EpisodeLabels:
    """The cameras and the size that a task names. Raises LabelError where they are not there."""
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
    if cameras != episode.camera_names:
        order = [episode.camera_names.index(name) for name in cameras]
        images = np.ascontiguousarray(episode.images[:, order])
        episode = replace(episode, images=images, camera_names=cameras)
    return episode


def _fit(
    path: Path, episode: EpisodeLabels, cameras: tuple[str, ...], image_size: int, classes: tuple[str, ...]
) -> EpisodeLabels:
    episode = select_cameras(path, episode, cameras, image_size)
    return _fit_classes(path, episode, classes)


def _fit_classes(path: Path, episode: EpisodeLabels, classes: tuple[str, ...]) -> EpisodeLabels:
    """Numbers the classes as the task does. Raises LabelError where the task lacks one that was labelled."""
    if bool(classes) != (episode.classes is not None):
        holds = f"the classes {list(episode.class_names)}" if episode.class_names else "success or not"
        raise LabelError(
            f"labels file {path}: labelled with {holds}, the task has reward.classes: {list(classes)}; "
            "collect labels into a new run folder"
        )
    if episode.classes is None or classes == episode.class_names:
        return episode
    numbers = np.full(len(episode.class_names) + 1, UNDECIDED, np.int16)  # the last one stands for -1
    for number, name in enumerate(episode.class_names):
        if name in classes:
            numbers[number] = classes.index(name)
        elif (episode.classes == number).any():
            raise LabelError(
                f"labels file {path}: class '{name}' is not one of reward.classes: {list(classes)}; add it "
                "or collect labels into a new run folder"
            )
    return replace(episode, classes=numbers[episode.classes], class_names=classes)
