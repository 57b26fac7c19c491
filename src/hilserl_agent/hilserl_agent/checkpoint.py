# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the learner: one folder each, complete or not there at all.

    checkpoints/learner_000004000/     about.json, state.pt, policy.safetensors, policy.json
    checkpoints/learner_000006000/     the same, and buffers/
    checkpoints/latest -> learner_000006000
    checkpoints/best   -> learner_000004000

Buffers are large, so only the newest checkpoint has them: it is the one that training resumes from. The kept
older ones have networks, optimizers, random states and the policy.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from hilserl_agent.durable import to_disk
from hilserl_agent.policy_codec import ReceivedPolicy
from hilserl_agent.policy_file import POLICY_FILE, write_policy_file
from hilserl_agent.run_identity import disagreement
from hilserl_learning.replay import ReplayBuffer
from hilserl_learning.sac import RLPDAgent
from hilserl_task import TaskError

CHECKPOINTS = "checkpoints"  # in the run folder
LATEST, BEST = "latest", "best"
_PREFIX = "learner_"
_PARTIAL = ".partial_"
_NAME = re.compile(rf"^{_PREFIX}(\d+)(?:_(\d+))?$")
_STATE, _ABOUT, _BUFFERS = "state.pt", "about.json", "buffers"


@dataclass(frozen=True)
class About:
    """What a checkpoint is, for people and for choosing the best.

    Attributes:
        cycle: update cycles done.
        episodes: training episodes so far.
        success_rate: running over the last episodes; None while there are too few to judge.
        config_hash: of the task.
    """

    cycle: int
    episodes: int
    success_rate: float | None
    config_hash: str


def write_checkpoint(
    folder: Path,
    about: About,
    state: dict[str, Any],
    buffers: dict[str, ReplayBuffer],
    policy: ReceivedPolicy,
    keep: int,
) -> Path:
    """Writes `learner_<cycle>`, points `latest` and perhaps `best` at it, then thins out what is older.

    There is a complete checkpoint at every moment after the first: the new one is on the disk before the
    buffers of the old one go. A second one of the same cycle (asked for by service) gets a number behind it.

    Args:
        keep: how many of the newest stay; the best one stays besides.

    Returns:
        Path of the new checkpoint.

    Raises:
        OSError: disk full or not writable; older checkpoints stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = _next_name(folder, about.cycle)
    partial = folder / f"{_PARTIAL}{uuid.uuid4().hex}"
    try:
        (partial / _BUFFERS).mkdir(parents=True)
        for name, buffer in buffers.items():
            buffer.save(partial / _BUFFERS / f"{name}.npz")
        torch.save(state, partial / _STATE)
        write_policy_file(partial / POLICY_FILE.name, policy, about.config_hash)
        (partial / _ABOUT).write_text(json.dumps(asdict(about), indent=1), encoding="utf-8")
        for path in (*partial.rglob("*"), partial):
            to_disk(path)
        os.replace(partial, target)
        to_disk(folder)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        shutil.rmtree(partial, ignore_errors=True)
        raise OSError(f"checkpoint {target}: {error}") from error
    _switch(folder / LATEST, target)
    if _is_best(folder, about):
        _switch(folder / BEST, target)
    _thin_out(folder, target, keep)
    return target


def remove_partial(folder: Path) -> None:
    """Removes what a process left that died while it wrote or removed. Call it before the first write."""
    for path in folder.glob(f"{_PARTIAL}*"):
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)


def newest_checkpoint(folder: Path) -> Path | None:
    """Newest checkpoint that training can resume from, or None before the first.

    Raises:
        TaskError: there are checkpoints, but none with buffers.
    """
    found = _checkpoints(folder)
    complete = [path for path in found if (path / _BUFFERS).is_dir()]
    if found and not complete:
        raise TaskError(
            f"checkpoints in {folder}: {found[-1].name} and older ones hold no buffers to go on with, and "
            "the newer one that did is gone; put it back, or use a new run folder"
        )
    return complete[-1] if complete else None


def find_checkpoint(folder: Path, which: str) -> Path:
    """A checkpoint by what a person calls it.

    Args:
        folder: of the checkpoints of a run.
        which: `best`, `latest`, the name of a folder in it, or the path of a checkpoint anywhere.

    Raises:
        TaskError: there is none; the text lists what there is.
    """
    for path in (folder / which, Path(which).expanduser()):
        if (path / POLICY_FILE.name).is_file():
            return path.resolve()
    names = checkpoint_names(folder)
    hint = ""
    if which == BEST and names:
        hint = "; there is a best one once enough training episodes were judged"
    raise TaskError(
        f"checkpoint: '{which}' is not a checkpoint with a policy{hint}; "
        f"{folder} holds: {', '.join(names) or 'none'}; example: latest"
    )


def checkpoint_names(folder: Path) -> list[str]:
    """What `find_checkpoint` finds in a folder."""
    links = [name for name in (BEST, LATEST) if (folder / name / POLICY_FILE.name).is_file()]
    return [*links, *(path.name for path in _checkpoints(folder))]


def read_checkpoint(
    path: Path, identity: dict[str, str], buffers: dict[str, ReplayBuffer], agent: RLPDAgent
) -> dict[str, Any]:
    """Loads agent and buffers in place; returns the rest of the state.

    Args:
        identity: of here (`run_identity`); the state's must be equal.

    Raises:
        TaskError: damaged, or of another configuration; the text says what to do.
    """
    remedy = "use the task and overrides it was made with, or a new run folder"
    try:
        state: dict[str, Any] = torch.load(path / _STATE, weights_only=True)
        if wrong := disagreement(state, identity):
            raise TaskError(f"checkpoint {path}: {wrong}; {remedy}")
        for name, buffer in buffers.items():
            buffer.load(path / _BUFFERS / f"{name}.npz")
        agent.load_state_dict(state["agent"])
    except TaskError:
        raise
    except Exception as error:  # torch meets a damaged file as errors of many kinds
        raise TaskError(f"checkpoint {path} cannot be used: {error}; {remedy}") from error
    return state


def size_bytes(path: Path) -> int:
    """Bytes that a checkpoint takes on the disk."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _is_best(folder: Path, about: About) -> bool:
    """Highest running success rate so far; of equals the newer."""
    if about.success_rate is None:
        return False
    try:
        before = json.loads((folder / BEST / _ABOUT).read_text(encoding="utf-8"))["success_rate"]
        return about.success_rate >= float(before)
    except (OSError, ValueError, KeyError, TypeError):
        return True  # none yet, or not readable


def _switch(link: Path, target: Path) -> None:
    """Points a relative link at a checkpoint, atomically; a copied or moved run folder keeps it right."""
    fresh = link.with_name(f"{_PARTIAL}{uuid.uuid4().hex}")
    os.symlink(target.name, fresh)
    try:
        os.replace(fresh, link)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise OSError(f"{link} must be a link to a checkpoint: {error}") from error
    to_disk(link.parent)


def _thin_out(folder: Path, newest: Path, keep: int) -> None:
    """Buffers stay in the newest only; of the rest the newest `keep` and the best stay."""
    best = (folder / BEST).resolve()
    older = [path for _, _, path in _named(folder) if path != newest]
    for path in older:
        _remove(path / _BUFFERS, folder)
    for path in older[: max(0, len(older) + 1 - keep)]:
        if path.resolve() != best:
            _remove(path, folder)


def _remove(path: Path, folder: Path) -> None:
    """Takes a folder out of sight at once, then deletes it: half a checkpoint is never seen."""
    doomed = folder / f"{_PARTIAL}{uuid.uuid4().hex}"
    try:
        os.replace(path, doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


def _next_name(folder: Path, cycle: int) -> Path:
    """Name that sorts behind all there are of this cycle."""
    taken = [number for of, number, _ in _named(folder) if of == cycle]
    return folder / (f"{_PREFIX}{cycle:09d}" + (f"_{max(taken) + 1}" if taken else ""))


def _checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return [path for _, _, path in _named(folder) if (path / _STATE).is_file()]


def _named(folder: Path) -> list[tuple[int, int, Path]]:
    """Cycle, number and path of whatever is named like a checkpoint, oldest first."""
    matches = [(path, _NAME.match(path.name)) for path in folder.glob(f"{_PREFIX}*")]
    return sorted((int(match[1]), int(match[2] or 0), path) for path, match in matches if match)
