# SPDX-License-Identifier: Apache-2.0
"""Which policies an evaluation is about, and the folder that holds what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import product
from pathlib import Path

from hilserl_bringup.run_folder import TASK_FILE, write_whole
from hilserl_task import TaskError, load_task

EVALUATIONS = "evaluations"  # in the run folder
PLAN_FILE = "evaluation.json"
TRIALS_FILE = "trials.jsonl"
MODES = {"stochastic": (False,), "deterministic": (True,), "both": (False, True)}


@dataclass(frozen=True)
class Contestant:
    """One policy, acting in one way.

    Attributes:
        label: for people.
        folder: of its trials, in the evaluation's folder.
        run_dir: run it comes from, absolute; its perception and its reward classifier act too.
        checkpoint: name in the run's checkpoints or path; None: the newest policy.
        deterministic: the mode of the policy instead of a sample.
        sha256: of the policy file: training that goes on makes another contestant.
        events: what disturbs its trials, see `hilserl_task.evaluation_spec`; none: nothing does.
    """

    label: str
    folder: str
    run_dir: str
    checkpoint: str | None
    deterministic: bool
    sha256: str
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What is evaluated, on which initial states. Equal plans are one evaluation, done in several goes."""

    task: str
    trials: int
    seed: int
    board_moved: bool
    overrides: tuple[str, ...]
    contestants: tuple[Contestant, ...]


def find_contestants(
    policies: Sequence[tuple[Path, str | None]],
    modes: Sequence[bool],
    conditions: Sequence[tuple[str, ...]] = ((),),
) -> tuple[Contestant, ...]:
    """Every policy in every mode under every condition.

    Args:
        policies: run folder and checkpoint (None: newest policy).
        modes: deterministic or not.
        conditions: events that disturb the trials; the empty one: nothing does.

    Raises:
        TaskError: a run folder, checkpoint or policy that does not exist.
    """
    runs = {run.resolve() for run, _ in policies}
    found: list[Contestant] = []
    for run, checkpoint in policies:
        blob = policy_file(run, checkpoint).read_bytes()
        parts = [run.resolve().name] if len(runs) > 1 else []
        parts += [Path(checkpoint).name if checkpoint else "newest policy"]
        for deterministic, events in product(modes, conditions):
            mode = "deterministic" if deterministic else "stochastic"
            label = ", ".join([*parts, mode, *([" + ".join(events)] if events else [])])
            folder = f"{len(found) + 1}_" + label.replace(", ", "_").replace(" + ", "+").replace(" ", "_")
            digest = hashlib.sha256(blob).hexdigest()
            home = str(run.resolve())
            found.append(Contestant(label, folder, home, checkpoint, deterministic, digest, events))
    return tuple(found)


def check_task(run: Path, task: str | None) -> str:
    """Name of the task of a run folder.

    Raises:
        TaskError: the folder is none, or its task is another than `task`.
    """
    file = run / TASK_FILE
    if not file.is_file():
        raise TaskError(
            f"run folder {run}: has no {TASK_FILE}, so no training was started in it; "
            "example: --run-dir runs/latest"
        )
    name = load_task(str(file)).name
    if task is not None and name != load_task(task).name:
        raise TaskError(f"run folder {run}: is of task '{name}', not of '{load_task(task).name}'")
    return name


def open_evaluation(run: Path, plan: Plan, now: datetime) -> Path:
    """Folder of an evaluation with this plan that is not complete yet, else a new one.

    Raises:
        OSError: it cannot be made.
    """
    base = run.resolve() / EVALUATIONS
    for folder in sorted(base.glob("*"), reverse=True):
        if _read_plan(folder) == _as_json(plan) and any(
            first_missing(folder / contestant.folder, plan.trials) < plan.trials
            for contestant in plan.contestants
        ):
            return folder
    folder = base / f"{now:%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    write_whole(folder / PLAN_FILE, json.dumps(asdict(plan), indent=1) + "\n")
    return folder


def first_missing(folder: Path, trials: int) -> int:
    """First trial without a result; `trials` when all have one. A row torn by a crash is none."""
    done = set()
    file = folder / TRIALS_FILE
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        try:
            row = json.loads(line)
            if not row["discarded"]:
                done.add(int(row["trial"]))
        except (ValueError, KeyError, TypeError):
            continue
    return next((trial for trial in range(trials) if trial not in done), trials)


def policy_file(run: Path, checkpoint: str | None) -> Path:
    """The newest policy of a run (None), or that of a checkpoint.

    Raises:
        TaskError: there is none; the text lists what there is.
    """
    name = "policy.safetensors"
    if checkpoint is None:
        file = run / "policy" / name
        if not file.is_file():
            raise TaskError(f"run folder {run}: has no policy ({file.relative_to(run)}); train first")
        return file
    for folder in (run / "checkpoints" / checkpoint, Path(checkpoint).expanduser()):
        if (folder / name).is_file():
            return folder / name
    known = sorted(path.parent.name for path in (run / "checkpoints").glob(f"*/{name}"))
    raise TaskError(
        f"checkpoint '{checkpoint}': not in {run / 'checkpoints'}, which holds: {', '.join(known) or 'none'}"
    )


def _read_plan(folder: Path) -> object:
    try:
        return json.loads((folder / PLAN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _as_json(plan: Plan) -> object:
    return json.loads(json.dumps(asdict(plan)))
