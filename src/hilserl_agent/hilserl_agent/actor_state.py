# SPDX-License-Identifier: Apache-2.0
"""What an actor remembers over a restart: `run_dir/checkpoints/actor.json`, one entry a phase."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hilserl_task import TaskError

# Counting from 0 again would use episode numbers twice, which the learner refuses.
_REMEDY = "use a new run folder"


@dataclass
class ActorState:
    """Counters of one phase.

    Attributes:
        next_episode: number of the next episode; grows when an episode begins, so a number is never used
            for two episodes, whatever happens in between.
        total_steps: actions of all finished episodes, up to number `counted_episode`.
        training_stop: state of the stopping rule.
        trials: episodes of evaluations in the middle of training; they have numbers, nothing else.
        people_off: an evaluation has switched interventions off; they are on again when it is over.
    """

    next_episode: int = 0
    total_steps: int = 0
    training_stop: dict[str, Any] = field(default_factory=dict)
    counted_episode: int = -1
    trials: int = 0
    people_off: bool = False

    def count(self, episode: int, steps: int) -> None:
        """Adds the steps of an episode, unless they are counted already."""
        if episode > self.counted_episode:
            self.total_steps += steps
            self.counted_episode = episode


class CounterFile:
    """Counters of one phase of a run. An evaluation keeps none: it is repeated as a whole, as its seeds are.

    Args:
        phase: train, evaluate or teleop.
        counting: name of its entry in the file.
    """

    def __init__(self, run_dir: Path, phase: str, counting: str) -> None:
        self._path, self._counting = run_dir / "checkpoints" / "actor.json", counting
        self._kept = phase != "evaluate"

    def load(self) -> ActorState:
        """What an earlier start left; TaskError when the file is damaged."""
        try:
            return load_state(self._path, self._counting) if self._kept else ActorState()
        except ValueError as error:
            raise TaskError(str(error)) from error

    def save(self, state: ActorState) -> None:
        """Raises OSError: disk full or not writable."""
        if self._kept:
            save_state(self._path, self._counting, state)


def load_state(path: Path, phase: str) -> ActorState:
    """State of a phase, fresh when there is none.

    Raises:
        ValueError: the file is damaged.
    """
    entry = _read(path).get(phase)
    if entry is None:
        return ActorState()
    try:
        return ActorState(**entry)
    except TypeError as error:
        raise ValueError(f"{path}: phase '{phase}': {error}; {_REMEDY}") from error


def save_state(path: Path, phase: str, state: ActorState) -> None:
    """Replaces the entry of a phase, atomically.

    Raises:
        OSError: disk full or not writable.
    """
    entries = _read(path)
    entries[phase] = asdict(state)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(entries, indent=1))
        file.flush()
        os.fsync(file.fileno())  # a power cut must not leave the new name on an empty file
    os.replace(temporary, path)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable as JSON: {error}; {_REMEDY}") from error
    if not isinstance(entries, dict):
        raise ValueError(f"{path}: must be a JSON object; {_REMEDY}")
    return entries
