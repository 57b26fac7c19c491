# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: made once, resumed until complete."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import yaml

from hilserl_task import Task

STATE_FILE = "state.json"
TASK_FILE = "task.yaml"
LATEST = "latest"


@dataclass(frozen=True)
class RunState:
    """What identifies a run, and how far it is.

    Attributes:
        task: name or path that the user gave.
        seed, overrides: as given.
        phases: all that the run goes through, in order.
        done: those that are complete.
    """

    task: str
    seed: int
    overrides: tuple[str, ...]
    phases: tuple[str, ...]
    done: tuple[str, ...] = ()

    def same_run(self, other: RunState) -> bool:
        """Whether both describe the same run, however far each is."""
        return replace(self, done=()) == replace(other, done=())

    @property
    def complete(self) -> bool:
        """Whether every phase is done."""
        return set(self.phases) <= set(self.done)


def open_run(runs: Path, state: RunState, task: Task, now: datetime) -> tuple[Path, RunState]:
    """The folder of an incomplete `runs/latest` that is the same run, else a new one that becomes `latest`.

    Returns:
        run_dir, and the state with the phases that are done already.

    Raises:
        OSError: the folder cannot be made.
    """
    latest = runs / LATEST
    earlier = read_state(latest)
    if earlier is not None and earlier.same_run(state) and not earlier.complete:
        return latest.resolve(), earlier
    run_dir = _new_folder(runs, f"{task.name}-{now:%Y%m%d-%H%M%S}")
    write_task(run_dir, task)
    write_state(run_dir, state)
    point_latest(runs, run_dir)
    return run_dir, state


def write_task(run_dir: Path, task: Task) -> None:
    """Writes the resolved task: every process of the run reads this file, so a later edit changes nothing."""
    text = yaml.safe_dump(task.model_dump(mode="json"), sort_keys=False)
    write_whole(
        run_dir / TASK_FILE, f"# The task as this run uses it, with all overrides and defaults.\n{text}"
    )


def read_state(run_dir: Path) -> RunState | None:
    """State of a run folder; None if there is none or it is unreadable."""
    try:
        values = json.loads((run_dir / STATE_FILE).read_text(encoding="utf-8"))
        lists = {key: tuple(values[key]) for key in ("overrides", "phases", "done")}
        return RunState(task=str(values["task"]), seed=int(values["seed"]), **lists)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def seed_of_run(run_dir: Path) -> int:
    """Seed that a run folder was made with; 0 if it does not say."""
    state = read_state(run_dir)
    return 0 if state is None else state.seed


def task_of_run(run_dir: Path) -> str:
    """Absolute path of the resolved task of a run folder; empty if it has none."""
    file = run_dir / TASK_FILE
    return str(file.absolute()) if file.is_file() else ""


def write_state(run_dir: Path, state: RunState) -> None:
    """Writes state.json; a crash leaves the old or the new one, never half of it."""
    write_whole(run_dir / STATE_FILE, json.dumps(asdict(state), indent=2) + "\n")


def with_done(state: RunState, phase: str) -> RunState:
    """The state after `phase`."""
    done: Sequence[str] = state.done if phase in state.done else (*state.done, phase)
    return replace(state, done=tuple(done))


def point_latest(runs: Path, run_dir: Path) -> None:
    """Makes `runs/latest` a link to `run_dir`, in one step."""
    link = runs / f".{LATEST}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(run_dir.name)
    link.replace(runs / LATEST)


def _new_folder(runs: Path, name: str) -> Path:
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        folder = runs / f"{name}{suffix}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue  # another run began in the same second
        return folder.resolve()
    raise FileExistsError(
        f"run folder {runs / name}: a hundred of this name exist already; example: wait a second"
    )


def write_whole(path: Path, text: str) -> None:
    """A reader sees the old file or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
