# SPDX-License-Identifier: Apache-2.0
"""The learner's memory: two buffers over one store of frames, in the form that this machine has room for."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hilserl_agent.config import encodes_in_update, keeps_images
from hilserl_learning.errors import LearningError
from hilserl_learning.feature_cache import FeatureCache
from hilserl_learning.frames import FrameStore
from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.perception import Perception
from hilserl_learning.pictures import PictureKind
from hilserl_learning.replay import ReplayBuffer, slots_for
from hilserl_learning.replay_budget import ReplayBudget, free_memory, replay_budget, require_memory
from hilserl_task import Task, TaskError

PICTURES = "pictures"  # folder in the run folder, used when pictures do not fit into memory
# Frames that get their crops after an update cycle. One frame comes in per environment step, for which there
# is at least one cycle, so four catch up with demonstrations and with a backlog.
FRAMES_PER_CYCLE = 4


@dataclass(frozen=True)
class ReplayMemory:
    """What the learner learns from.

    Attributes:
        budget: bytes of full buffers. pictures: where pictures lie, if any are kept.
    """

    online: ReplayBuffer
    demonstrations: ReplayBuffer
    budget: ReplayBudget
    pictures: PictureKind
    _cache: FeatureCache | None

    def fill_copies(self) -> None:
        """Computes crops that are still missing, of a few frames; call it after every update cycle."""
        if self._cache is not None:
            self._cache.fill(FRAMES_PER_CYCLE)


def make_replay_memory(
    task: Task, config: LearnerConfig, perception: Perception | None, run_dir: Path, seed: int
) -> ReplayMemory:
    """Buffers for a task.

    Pictures that updates read stay raw while there is memory, since PNG would cost each update its decoding;
    pictures that only serve to compute features are always PNG. What does not fit goes to disk.

    Raises:
        TaskError: the machine has no room for full buffers.
    """
    sizes = _sizes(task, config, perception)
    capacity = task.learner.capacity
    pictures, budget = _fitting(capacity, config.action_dim, sizes, run_dir, encodes_in_update(task))
    frames = FrameStore(
        slots_for(capacity, capacity), **sizes, pictures=pictures, folder=run_dir / PICTURES, seed=seed,
        crop_padding=config.crop_padding,
    )  # fmt: skip
    online, demonstrations = (
        ReplayBuffer(
            capacity,
            config.state_dim,
            sizes["feature_dim"],
            config.action_dim,
            image_shape=sizes["image_shape"],
            frames=frames,
            gives_images=encodes_in_update(task),
        )
        for _ in range(2)
    )
    cached = perception is not None and sizes["feature_copies"] > 1
    cache = FeatureCache(perception, frames) if cached and perception is not None else None
    return ReplayMemory(online, demonstrations, budget, pictures, cache)


def _sizes(task: Task, config: LearnerConfig, perception: Perception | None) -> dict[str, Any]:
    """Arguments that `FrameStore` and `replay_budget` have in common."""
    size, stored = task.observation.image_size, not encodes_in_update(task)
    maps = perception is not None and perception.kind == "maps"
    return {
        "state_dim": config.state_dim,
        "feature_dim": config.feature_dim if stored else 0,
        "image_shape": (len(task.cameras), size, size, 3) if keeps_images(task) else None,
        "feature_copies": config.stored_copies if stored else 1,
        # README of hilserl_learning: what a byte a value costs. Read-outs are small and have a sign.
        "feature_dtype": torch.uint8 if maps and stored else torch.float32,
        "feature_block": config.map_size**2 if maps else 1,
    }


def _fitting(
    capacity: int, action_dim: int, sizes: dict[str, Any], run_dir: Path, read_in_updates: bool
) -> tuple[PictureKind, ReplayBudget]:
    """First form of pictures with which full buffers fit."""
    run_dir.mkdir(parents=True, exist_ok=True)
    memory, disk = free_memory(), shutil.disk_usage(run_dir).free
    forms: list[PictureKind] = ["png", "disk"]
    if read_in_updates or sizes["image_shape"] is None:
        forms.insert(0, "raw")
    refused = ""
    for form in forms:
        budget = replay_budget(capacity, action_dim=action_dim, **sizes, pictures=form)
        try:
            require_memory(budget, memory, disk)
        except LearningError as error:
            refused = refused or str(error)
        else:
            return form, budget
    raise TaskError(f"learner.capacity: {refused}")
