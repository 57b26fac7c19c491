# SPDX-License-Identifier: Apache-2.0
"""All labelled frames of a run as one set with numbers, and what is new in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilserl_learning.classifier import split_episodes
from hilserl_reward.labels import UNDECIDED, EpisodeLabels, LabelError, read_all_labels
from hilserl_task import Task


@dataclass(frozen=True)
class LabelSet:
    """Frames of all label files, one after the other; a frame's number is its place in this row.

    Attributes:
        files: label files in order; episodes: what they hold.
        images: [N, n_cam, H, W, 3] uint8 RGB of the reward's cameras.
        kinds: [N] 0 and 1, or class numbers; UNDECIDED where nobody has said yet.
        groups: [N] episode of each frame: files of one episode of training are one group.
        why: [N] where each label comes from.
    """

    files: list[Path]
    episodes: list[EpisodeLabels]
    images: NDArray[np.uint8]
    kinds: NDArray[np.int16]
    groups: NDArray[np.str_]
    why: NDArray[np.str_]

    @property
    def decided(self) -> NDArray[np.bool_]:
        """[N] frames that can be learned from."""
        return self.kinds != UNDECIDED

    def place(self, number: int) -> tuple[int, int]:
        """File and frame in it of a frame's number. Raises LabelError when there is none."""
        rest = number
        for file, episode in enumerate(self.episodes):
            if 0 <= rest < len(episode.labels):
                return file, rest
            rest -= len(episode.labels)
        raise LabelError(f"frame {number}: there are {len(self.kinds)} frames, 0 to {len(self.kinds) - 1}")

    def signature(self) -> dict[str, str]:
        """What is learned from each file, a letter a frame, so that a later training can tell what is new."""
        return {
            path.name: "".join("?" if kind == UNDECIDED else str(kind) for kind in episode.kinds.tolist())
            for path, episode in zip(self.files, self.episodes, strict=True)
        }

    def held_out(self, share: float, seed: int) -> NDArray[np.bool_]:
        """[N] frames that are not learned from: whole episodes of the collected ones, and apart from them
        whole episodes of those added since, so that a few corrections do not all end up unlearned.
        """
        decided, mask = self.decided, np.zeros(len(self.kinds), bool)
        added = np.char.find(self.groups, "/") >= 0
        base = decided & ~added if (decided & ~added).any() else decided
        kinds = self.kinds if self.episodes[0].classes is not None else self.kinds.astype(bool)
        mask[base] = split_episodes(kinds[base], self.groups[base], share, seed)
        names = np.unique(self.groups[decided & added & ~base])
        chosen = np.random.default_rng(seed).permutation(names)[: round(share * len(names))]
        mask[decided & ~base] = np.isin(self.groups[decided & ~base], chosen)
        return mask


def load_label_set(folder: Path, task: Task) -> LabelSet:
    """All label files of a folder.

    Raises:
        LabelError: none, or one that does not fit the task.
    """
    read = read_all_labels(folder, task.reward_cameras, task.observation.image_size, task.reward.classes)
    groups = [np.full(len(episode.labels), _group(path, episode.origin)) for path, episode in read.items()]
    episodes = list(read.values())
    return LabelSet(
        list(read),
        episodes,
        np.concatenate([episode.images for episode in episodes]),
        np.concatenate([episode.kinds for episode in episodes]),
        np.concatenate(groups),
        np.concatenate([episode.reasons for episode in episodes]),
    )


def new_frames(now: dict[str, str], before: dict[str, str] | None) -> int:
    """How many frames differ from what an earlier training learned; all, if there was none."""
    if before is None:
        return sum(len(kinds) for kinds in now.values())
    changed = 0
    for name, kinds in now.items():
        old = before.get(name, "")
        changed += abs(len(kinds) - len(old)) + sum(a != b for a, b in zip(kinds, old, strict=False))
    return changed


def _group(path: Path, origin: dict[str, Any]) -> str:
    """Episodes of training by session and number; collected ones by their file."""
    return (
        f"{origin['session']}/{origin['episode']}" if {"session", "episode"} <= origin.keys() else path.stem
    )
