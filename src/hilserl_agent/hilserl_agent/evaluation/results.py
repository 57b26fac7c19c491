# SPDX-License-Identifier: Apache-2.0
"""Trials of an evaluation as they lie in its folder, and what they amount to."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from hilserl_agent.evaluation.event_log import EVENT_NAME, EVENT_TIME
from hilserl_agent.evaluation.record import TRIALS_FILE
from hilserl_agent.metrics import MetricsError, Row, read_rows
from hilserl_learning.evaluation import bootstrap_interval, compare_paired, holm, wilson_interval

PLAN_FILE = "evaluation.json"
_SCENE = "base_T_board"  # only a simulation tells it


@dataclass(frozen=True)
class Contestant:
    """One policy in one mode, undisturbed or with events, and its finished trials by number. See
    `hilserl_bringup.contestants`."""

    label: str
    folder: Path
    run_dir: str
    checkpoint: str | None
    deterministic: bool
    sha256: str
    events: tuple[str, ...]
    trials: dict[int, Row]

    @property
    def policy(self) -> tuple[str, str | None, bool, str]:
        """Who acts, and how: the same whatever disturbs it."""
        return self.run_dir, self.checkpoint, self.deterministic, self.sha256

    @property
    def successes(self) -> dict[int, bool]:
        """Whether each trial succeeded: by the simulator's truth, else by the reward classifier."""
        return {number: succeeded(row) for number, row in self.trials.items()}


@dataclass(frozen=True)
class Evaluation:
    """A folder of `eval`."""

    task: str
    wanted: int
    seed: int
    board_moved: bool
    overrides: list[str]
    contestants: list[Contestant]


def read_evaluation(folder: Path) -> Evaluation:
    """Plan and trials of a folder. A trial written twice (a break between) counts as it was last.

    Raises:
        MetricsError: no evaluation folder, or a file in it is damaged.
    """
    path = folder / PLAN_FILE
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        contestants = [_contestant(folder, entry, int(plan["trials"])) for entry in plan["contestants"]]
        return Evaluation(
            str(plan["task"]),
            int(plan["trials"]),
            int(plan["seed"]),
            bool(plan["board_moved"]),
            list(plan["overrides"]),
            contestants,
        )
    except FileNotFoundError as error:
        raise MetricsError(
            f"evaluation folder {folder}: has no {PLAN_FILE}; make one with: make eval RUN=runs/latest"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MetricsError(f"evaluation {path}: not readable: {error!r}; evaluate again") from error


def succeeded(row: Row) -> bool:
    """By ground truth where there is one; a simulated trial whose truth got lost is a failure."""
    if row["truth_success"] is None and not row["simulated"]:
        return bool(row["outcome"] == "success")
    return bool(row["truth_success"])


def summarize(contestant: Contestant) -> dict[str, Any]:
    """Numbers of one contestant, JSON-ready; null where there is nothing to tell."""
    rows = list(contestant.trials.values())
    good = [row for row in rows if succeeded(row)]
    times = [float(row["duration_s"]) for row in good]
    classified = sum(row["outcome"] == "success" for row in rows)
    count = len(rows)
    return {
        "label": contestant.label,
        "run_dir": contestant.run_dir,
        "checkpoint": contestant.checkpoint,
        "deterministic": contestant.deterministic,
        "policy_sha256": contestant.sha256,
        "policy_version": rows[0]["policy_version"] if rows else None,
        "trials": count,
        "successes": len(good),
        "success_rate": len(good) / count if count else None,
        "success_interval_95": list(wilson_interval(len(good), count)) if count else None,
        "success_source": "ground_truth" if any(row["simulated"] for row in rows) else "classifier",
        "truth_lost": sum(row["simulated"] and row["truth_success"] is None for row in rows),
        "classifier_success_rate": classified / count if count else None,
        "classifier_false_positives": sum(
            row["outcome"] == "success" and row["truth_success"] is False for row in rows
        ),
        "cycle_time_s": float(np.mean(times)) if times else None,
        "cycle_time_interval_95_s": _finite(bootstrap_interval(times)) if times else None,
        "cycle_times_s": times,
        "intervention_steps": sum(row["intervention_steps"] for row in rows),
        "failed_trials": [number for number, row in contestant.trials.items() if not succeeded(row)],
        "events": [summarize_event(contestant, kind) for kind in contestant.events],
    }


def summarize_event(contestant: Contestant, kind: str) -> dict[str, Any]:
    """In how many trials an event happened, when it was seen first, and what came of those trials."""
    seen = {
        number: float(event[EVENT_TIME])
        for number, row in contestant.trials.items()
        for event in row.get("events", [])
        if event[EVENT_NAME] == kind
    }
    rows = [contestant.trials[number] for number in seen]
    good = [row for row in rows if succeeded(row)]
    times = [float(row["duration_s"]) for row in good]
    return {
        "kind": kind,
        "happened": len(seen),
        "first_seen_s": float(np.mean(list(seen.values()))) if seen else None,
        "success_rate": len(good) / len(seen) if seen else None,
        "success_interval_95": list(wilson_interval(len(good), len(seen))) if seen else None,
        "cycle_time_s": float(np.mean(times)) if times else None,
        "cycle_time_interval_95_s": _finite(bootstrap_interval(times)) if times else None,
    }


def compare_all(contestants: list[Contestant]) -> list[dict[str, Any]]:
    """Pairs on the trials both have finished: policies under the same events, and each policy with and
    without events. p-values are adjusted for the number of pairs (Holm)."""
    pairs = [
        (a, b)
        for a, b in combinations(contestants, 2)
        if a.trials.keys() & b.trials.keys() and (a.events == b.events or _disturbed(a, b))
    ]
    compared = [_compare(a, b) for a, b in pairs]
    for entry, adjusted in zip(compared, holm([entry["p_value"] for entry in compared]), strict=True):
        entry["p_value_holm"] = adjusted
    return compared


def start_spread(contestants: list[Contestant]) -> tuple[float, float]:
    """Largest difference of start poses of the same trial: metres and radians. 0 where nothing is known."""
    metres, radians = [0.0], [0.0]
    for a, b in combinations(contestants, 2):
        for number in a.trials.keys() & b.trials.keys():
            first, second = (c.trials[number].get("base_T_start", {}) for c in (a, b))
            for arm in first.keys() & second.keys():
                one, other = np.asarray(first[arm]), np.asarray(second[arm])
                metres.append(float(np.abs(one[:3] - other[:3]).max()))
                # Of unit quaternions: |q - p| = 2 sin(angle / 4); an arc cosine would blur small angles.
                chord = min(np.linalg.norm(one[3:] - other[3:]), np.linalg.norm(one[3:] + other[3:]))
                radians.append(4 * math.asin(min(1.0, float(chord) / 2)))
    return max(metres), max(radians)


def _disturbed(a: Contestant, b: Contestant) -> bool:
    """The same policy, first undisturbed, then with events."""
    return a.policy == b.policy and not a.events


def _compare(a: Contestant, b: Contestant) -> dict[str, Any]:
    shared = sorted(a.trials.keys() & b.trials.keys())
    ours, theirs = a.successes, b.successes
    found = compare_paired([ours[n] for n in shared], [theirs[n] for n in shared])
    seconds = [b.trials[n]["duration_s"] - a.trials[n]["duration_s"] for n in shared if ours[n] and theirs[n]]
    return {
        "first": a.label,
        "second": b.label,
        "trials": len(shared),
        "both": found.both,
        "only_first": found.only_first,
        "only_second": found.only_second,
        "neither": found.neither,
        "success_difference": found.difference,
        "success_difference_interval_95": list(found.interval),
        "p_value": found.p_value,
        "cycle_time_difference_s": float(np.mean(seconds)) if seconds else None,
        "cycle_time_difference_interval_95_s": _finite(bootstrap_interval(seconds)) if seconds else None,
    }


def _contestant(folder: Path, entry: dict[str, Any], wanted: int) -> Contestant:
    place = folder / entry["folder"]
    rows = [row for row in read_rows(place / TRIALS_FILE) if not row["discarded"] and row["trial"] < wanted]
    simulated = any(row["truth_success"] is not None or _SCENE in row for row in rows)
    trials = {int(row["trial"]): {**row, "simulated": simulated} for row in rows}
    fields = {key: entry[key] for key in ("label", "run_dir", "checkpoint", "deterministic", "sha256")}
    events = tuple(entry.get("events", ()))
    return Contestant(folder=place, events=events, trials=dict(sorted(trials.items())), **fields)


def _finite(bounds: tuple[float, float]) -> list[float] | None:
    keep: Callable[[float], bool] = math.isfinite
    return list(bounds) if all(map(keep, bounds)) else None
