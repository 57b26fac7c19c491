# SPDX-License-Identifier: Apache-2.0
"""What replay memory will take when it is full, before anything is stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from hilserl_learning.errors import LearningError
from hilserl_learning.feature_rows import bytes_per_row
from hilserl_learning.pictures import PictureKind

# PNG size over pixels that is planned with: that of a camera with a noise of 4 grey levels (see `pictures`).
PICTURE_RATIO = 0.65
EPISODE_STEPS = 30  # an episode has one frame more than transitions; short ones are planned with
MEMORY_SHARE = 0.9  # of what is free; the rest is for networks, batches and the system
_FRAME_INDEX = 3 * 8  # copies, number, owners (`FrameStore`)
_TRANSITION_INDEX = 5 * 8 + 4 * 4  # frames, successor, two sampling indices, outcome (`ReplayBuffer`)
_OBJECT = 33 + 110  # a bytes object and its place in a dict
_DISK_BLOCK = 4096


@dataclass(frozen=True)
class ReplayBudget:
    """Bytes of full buffers.

    Attributes:
        frames, transitions: numbers that are planned with.
        features, pictures, rest: main memory. disk: pictures on disk.
    """

    frames: int
    transitions: int
    features: int
    pictures: int
    rest: int
    disk: int

    @property
    def memory(self) -> int:
        """Main memory, bytes."""
        return self.features + self.pictures + self.rest

    @property
    def per_transition(self) -> float:
        """Main memory of one transition, bytes."""
        return self.memory / self.transitions

    def __str__(self) -> str:
        parts = f"features {_gb(self.features)}, pictures {_gb(self.pictures)}, rest {_gb(self.rest)}"
        disk = f", and {_gb(self.disk)} on disk" if self.disk else ""
        return f"{self.transitions} transitions: {_gb(self.memory)} of memory ({parts}){disk}"


def replay_budget(
    capacity: int,
    state_dim: int,
    feature_dim: int,
    action_dim: int,
    image_shape: tuple[int, int, int, int] | None = None,
    feature_copies: int = 1,
    feature_dtype: torch.dtype = torch.float32,
    feature_block: int = 16,
    pictures: PictureKind = "raw",
    buffers: int = 2,
    shared: float = 0.0,
    picture_ratio: float = PICTURE_RATIO,
    episode_steps: float = EPISODE_STEPS,
) -> ReplayBudget:
    """Bytes of `buffers` full buffers; the other arguments are those of `ReplayBuffer` and `FrameStore`.

    Args:
        shared: share of all frames that are in another buffer too; 0 is the worst case.
        picture_ratio: PNG size over pixels; measured 0.28 without noise, 0.62 with a noise of 4 grey levels.
        episode_steps: mean steps of an episode or stored segment.
    """
    transitions = capacity * buffers
    frames = round(transitions * (1.0 - shared) * (1.0 + 1.0 / episode_steps))
    pixels = 0 if image_shape is None else image_shape[0] * image_shape[1] * image_shape[2] * image_shape[3]
    in_memory, on_disk = 0.0, 0.0
    if pixels and pictures == "raw":
        in_memory = pixels
    elif pixels and pictures == "png":
        in_memory = pixels * picture_ratio + _OBJECT
    elif pixels:
        in_memory, on_disk = 4, pixels * picture_ratio + _DISK_BLOCK / 2
    rest = frames * (4 * state_dim + _FRAME_INDEX) + transitions * (4 * action_dim + _TRANSITION_INDEX)
    return ReplayBudget(
        frames=frames,
        transitions=transitions,
        features=frames * feature_copies * bytes_per_row(feature_dim, feature_dtype, feature_block),
        pictures=round(frames * in_memory),
        rest=rest,
        disk=round(frames * on_disk),
    )


def require_memory(budget: ReplayBudget, memory: int | None = None, disk: int | None = None) -> None:
    """LearningError when the machine cannot hold full buffers.

    Args:
        memory, disk: free bytes; None: whatever there is.
    """
    usable = None if memory is None else MEMORY_SHARE * memory
    if usable is not None and budget.memory > usable:
        raise LearningError(_too_much(budget, "memory", budget.memory, usable))
    if disk is not None and budget.disk > disk:
        raise LearningError(_too_much(budget, "disk", budget.disk, disk))


def _too_much(budget: ReplayBudget, what: str, need: float, usable: float) -> str:
    fits = int(budget.transitions * usable / need)
    return (
        f"replay {what}: full buffers of {budget}; usable are {_gb(usable)}. That is enough for "
        f"{fits} transitions in all buffers together: make learner.capacity smaller, or use fewer "
        "learner.feature_copies, a smaller observation.image_size or another machine"
    )


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes this process may still take by the machine and its container; None: unknown."""
    known = [value for value in (_free_of_machine(root), _free_of_container(root)) if value is not None]
    return min(known) if known else None


def _free_of_machine(root: Path) -> int | None:
    try:
        text = (root / "proc/meminfo").read_text()
    except OSError:
        return None
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(lines["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in lines else None


def _free_of_container(root: Path) -> int | None:
    """Limit of control group version 2, as containers see it."""
    group = root / "sys/fs/cgroup"
    try:
        limit, used = (group / "memory.max").read_text(), (group / "memory.current").read_text()
        if limit.strip() == "max":
            return None
        return max(0, int(limit) - max(0, int(used) - _reclaimable(group / "memory.stat")))
    except (OSError, ValueError):
        return None


def _reclaimable(statistics: Path) -> int:
    """Cached files count as used there, though the kernel gives them up when memory is wanted."""
    try:
        lines = [line.split() for line in statistics.read_text().splitlines()]
    except OSError:
        return 0
    return sum(int(size) for name, size in lines if name in ("active_file", "inactive_file"))


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
