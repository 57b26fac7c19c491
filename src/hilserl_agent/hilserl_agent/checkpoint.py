# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the learner: one folder each, complete or not there at all."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from pathlib import Path
from typing import Any

import torch

from hilserl_learning.replay import ReplayBuffer
from hilserl_learning.sac import RLPDAgent
from hilserl_task import TaskError

_PREFIX = "learner_"
_PARTIAL = ".partial_"
_NAME = re.compile(rf"^{_PREFIX}(\d+)(?:_(\d+))?$")


def write_checkpoint(
    folder: Path, cycle: int, state: dict[str, Any], buffers: dict[str, ReplayBuffer]
) -> Path:
    """Writes `learner_<cycle>` and then removes older ones; returns its path.

    There is a complete checkpoint at every moment after the first: the new one is on the disk before the old
    one goes. A second one of the same cycle (asked for by service) gets a number behind it.

    Raises:
        OSError: disk full or not writable; older checkpoints stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = _next_name(folder, cycle)
    partial = folder / f"{_PARTIAL}{uuid.uuid4().hex}"
    try:
        partial.mkdir()
        for name, buffer in buffers.items():
            buffer.save(partial / f"{name}.npz")
        torch.save(state, partial / "state.pt")
        for path in (*partial.iterdir(), partial):
            _to_disk(path)
        os.replace(partial, target)
        _to_disk(folder)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        shutil.rmtree(partial, ignore_errors=True)
        raise OSError(f"checkpoint {target}: {error}") from error
    for _, _, old in _named(folder):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    return target


def remove_partial(folder: Path) -> None:
    """Removes what a process left that died while it wrote a checkpoint. Call it before the first write."""
    for path in folder.glob(f"{_PARTIAL}*"):
        shutil.rmtree(path, ignore_errors=True)


def newest_checkpoint(folder: Path) -> Path | None:
    """Newest complete checkpoint, or None."""
    found = _checkpoints(folder)
    return found[-1] if found else None


def read_checkpoint(
    path: Path, identity: dict[str, str], buffers: dict[str, ReplayBuffer], agent: RLPDAgent
) -> dict[str, Any]:
    """Loads agent and buffers in place; returns the rest of the state.

    Args:
        identity: entries of the state that must be equal (configuration, perception).

    Raises:
        TaskError: damaged, or of another configuration; the text says what to do.
    """
    remedy = "use the task and overrides it was made with, or a new run folder"
    try:
        state: dict[str, Any] = torch.load(path / "state.pt", weights_only=True)
        for key, mine in identity.items():
            if state[key] != mine:
                raise TaskError(f"checkpoint {path}: {key} is {state[key]}, here {mine}; {remedy}")
        for name, buffer in buffers.items():
            buffer.load(path / f"{name}.npz")
        agent.load_state_dict(state["agent"])
    except TaskError:
        raise
    except Exception as error:  # torch meets a damaged file as errors of many kinds
        raise TaskError(f"checkpoint {path} cannot be used: {error}; {remedy}") from error
    return state


def _next_name(folder: Path, cycle: int) -> Path:
    """Name that sorts behind all there are of this cycle."""
    taken = [number for of, number, _ in _named(folder) if of == cycle]
    return folder / (f"{_PREFIX}{cycle:09d}" + (f"_{max(taken) + 1}" if taken else ""))


def _to_disk(path: Path) -> None:
    """Waits until a file or folder is on the disk: a rename must not overtake what it names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return [path for _, _, path in _named(folder) if (path / "state.pt").is_file()]


def _named(folder: Path) -> list[tuple[int, int, Path]]:
    """Cycle, number and path of whatever is named like a checkpoint, oldest first."""
    matches = [(path, _NAME.match(path.name)) for path in folder.glob(f"{_PREFIX}*")]
    return sorted((int(match[1]), int(match[2] or 0), path) for path, match in matches if match)
