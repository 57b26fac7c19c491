# SPDX-License-Identifier: Apache-2.0
"""Report of a run folder: summary.json, training curves, and a table in the terminal.

Usage: report --run-dir runs/<run> [--task NAME] [--seed N] [--set key=value]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from rich.console import Console
from rich.table import Table

from hilserl_agent.analysis.curves import training_figure
from hilserl_agent.analysis.style import save
from hilserl_agent.metrics import (
    WINDOW_EPISODES,
    MetricsError,
    Row,
    intervention_rate,
    read_rows,
)
from hilserl_learning.evaluation import wilson_interval
from hilserl_task import Task, TaskError, load_task

EXIT_NO_EVALUATION = 1
EXIT_USAGE = 2
_PACKAGES = ("torch", "numpy", "mujoco", "rosbags", "opencv-python-headless")


@dataclass
class Report:
    """Numbers of a run (the keys of summary.json), and in words what is missing."""

    summary: dict[str, Any]
    missing: list[str] = field(default_factory=list)

    @property
    def evaluated(self) -> bool:
        """Whether there is a success rate to speak of."""
        return bool(self.summary["eval_episodes"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line entry point: exit 0 with an evaluation, 1 without one, 2 for a wrong folder or task."""
    options = _parse(arguments)
    try:
        task = load_task(options.task or _task_of_run(options.run_dir), options.set)
        report = make_report(options.run_dir, task, options.seed)
    except (TaskError, MetricsError) as error:
        print(f"report: {error}", file=sys.stderr)
        raise SystemExit(EXIT_USAGE) from None
    _print(report, options.run_dir)
    raise SystemExit(0 if report.evaluated else EXIT_NO_EVALUATION)


def make_report(run_dir: Path, task: Task, seed: int | None) -> Report:
    """Reads a run folder, writes summary.json and figures/training.png into it.

    Raises:
        MetricsError: the folder does not exist or a metrics file in it is unusable.
    """
    if not run_dir.is_dir():
        raise MetricsError(f"run folder '{run_dir}' does not exist; example: --run-dir runs/latest")
    report = Report(
        {"task": task.name, "seed": seed, "profile": task.learner.profile, "versions": versions()}
    )
    episodes = read_rows(run_dir / "metrics" / "episodes.jsonl")
    training = [row for row in episodes if row.get("phase") == "train"]
    demos = [row for row in episodes if row.get("phase") == "demos"]
    _add_evaluation(report, evaluation_rows(run_dir), task)
    _add_training(report, training, read_rows(run_dir / "metrics" / "status.jsonl"))
    _add_demonstrations(report, demos)
    _add_classifier(report, run_dir / "classifier" / "report.json")
    _add_operator_time(report, run_dir, task, training, demos)
    _draw_training(report, run_dir, task, training)
    _write_json(run_dir / "summary.json", {**report.summary, "missing": report.missing})
    return report


def evaluation_rows(run_dir: Path) -> list[Row]:
    """Rows of the newest evaluation, discarded ones left out.

    An evaluation is repeated as a whole (after a break, of another policy, with the board moved), so rows
    of different starts are never mixed.
    """
    rows = read_rows(run_dir / "metrics" / "evaluation.jsonl")
    return [row for row in rows if row["started"] == rows[-1]["started"] and not row["discarded"]]


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"python": platform.python_version(), "ros_distro": os.environ.get("ROS_DISTRO", "unknown")}
    for package in ("hilserl_agent", *_PACKAGES):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _add_evaluation(report: Report, rows: list[Row], task: Task) -> None:
    """Success by ground truth where there is one, else by the classifier; says which."""
    summary, count, wanted = report.summary, len(rows), task.evaluation.episodes
    classified = sum(row["outcome"] == "success" for row in rows)
    truths = [row["truth_success"] for row in rows]
    simulated = any(truth is not None for truth in truths)
    successes = sum(truth is True for truth in truths) if simulated else classified
    cycles = [row["duration_s"] for row in rows if row["truth_success"] is True or _counts(row)]
    summary["eval_episodes"] = count
    summary["eval_events"] = list(task.evaluation.disturbances)  # what disturbed every trial
    summary["success_source"] = "ground_truth" if simulated else "classifier"
    summary["success_rate"] = successes / count if count else None
    interval = wilson_interval(successes, count) if count else (0.0, 1.0)
    summary["success_interval_95"] = [round(bound, 4) for bound in interval]
    summary["classifier_success_rate"] = classified / count if count else None
    summary["cycle_time_s"] = float(np.mean(cycles)) if cycles else None
    if not count:
        report.missing.append("evaluation (metrics/evaluation.jsonl): run the phase evaluate")
    elif count != wanted:
        report.missing.append(f"evaluation: {count} episodes, evaluation.episodes is {wanted}")
    if simulated and None in truths:
        report.missing.append(
            f"ground truth of {truths.count(None)} evaluation episodes: counted as failures"
        )


def _counts(row: Row) -> bool:
    """Success by the classifier where no truth is known."""
    return row["truth_success"] is None and row["outcome"] == "success"


def _add_training(report: Report, rows: list[Row], statuses: list[Row]) -> None:
    summary = report.summary
    statuses = [row for row in statuses if row.get("phase") == "train"]
    kept = [row for row in rows if not row["discarded"]]
    last = [(row["intervention_steps"], row["steps"]) for row in kept[-WINDOW_EPISODES:]]
    walls = [row["wall_s"] for row in [*rows, *statuses]]
    summary["train_wall_s"] = max(walls) if walls else None
    summary["train_episodes"] = len(rows)
    summary["env_steps"] = sum(row["steps"] for row in rows)
    summary["gradient_steps"] = max((row["gradient_steps"] for row in statuses), default=None)
    summary["intervention_rate_last20"] = intervention_rate(last)
    summary["train_success_rate_last20"] = (
        float(np.mean([row["outcome"] == "success" for row in kept[-WINDOW_EPISODES:]])) if kept else None
    )
    if not rows:
        report.missing.append("training episodes (metrics/episodes.jsonl): run the phase train")
    if not statuses:
        report.missing.append("learner status (metrics/status.jsonl): gradient steps are not known")


def _add_demonstrations(report: Report, rows: list[Row]) -> None:
    """The person's own figures: what a policy is compared with."""
    kept = [row for row in rows if not row["discarded"]]
    good = [row["duration_s"] for row in kept if row["outcome"] == "success"]
    report.summary["demonstrations"] = len(good)
    report.summary["demo_success_rate"] = len(good) / len(kept) if kept else None
    report.summary["demo_cycle_time_s"] = float(np.mean(good)) if good else None
    if not good:
        report.missing.append("demonstrations (metrics/episodes.jsonl): their cycle time is not known")


def _add_classifier(report: Report, path: Path) -> None:
    report.summary["classifier_accuracy"] = None
    try:
        report.summary["classifier_accuracy"] = json.loads(path.read_text(encoding="utf-8"))["accuracy"]
    except FileNotFoundError:
        report.missing.append("classifier report (classifier/report.json): run train_classifier")
    except (OSError, ValueError, KeyError, TypeError) as error:
        report.missing.append(f"classifier report (classifier/report.json): not readable ({error!r})")


def _add_operator_time(
    report: Report, run_dir: Path, task: Task, training: list[Row], demos: list[Row]
) -> None:
    """Seconds a person had the arm, from step counts: labelling, demonstrating, intervening."""
    steps = {
        "labels": _label_frames(report, run_dir / "labels"),
        "demonstrations": sum(row["steps"] for row in demos),
        "interventions": sum(row["intervention_steps"] for row in training),
    }
    report.summary["operator_seconds"] = round(sum(steps.values()) * task.period_s, 3)
    report.summary["operator_seconds_by_part"] = {
        part: round(count * task.period_s, 3) for part, count in steps.items()
    }


def _label_frames(report: Report, folder: Path) -> int:
    """Number of labelled frames; the pictures are not read."""
    frames = 0
    for path in sorted(folder.glob("episode_*.npz")):
        try:
            with np.load(path, allow_pickle=False) as archive:
                frames += len(archive["labels"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            report.missing.append(f"labels file {path.name}: not readable ({error}); not counted")
    if not frames:
        report.missing.append("labels (labels/*.npz): run collect_labels")
    return frames


def _draw_training(report: Report, run_dir: Path, task: Task, training: list[Row]) -> None:
    if any(not row["discarded"] for row in training):
        title = f"{task.name}: training, profile {task.learner.profile}"
        figure = training_figure(training, title, report.summary["demo_cycle_time_s"])
        save(figure, run_dir / "figures", "training")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """A reader sees the whole file or the one before."""
    temporary = path.with_suffix(".json.part")
    temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def _print(report: Report, run_dir: Path) -> None:
    summary = report.summary
    low, high = summary["success_interval_95"]
    interval = f" (95 % interval {low:.0%} to {high:.0%})" if report.evaluated else ""
    lines = [
        ("success", f"{_percent(summary['success_rate'])} of {summary['eval_episodes']} episodes{interval}"),
        ("person's success", f"{_percent(summary['demo_success_rate'])}, by the classifier"),
        ("judged by", summary["success_source"].replace("_", " ")),
        ("success by the classifier", _percent(summary["classifier_success_rate"])),
        (
            "cycle time",
            f"{_seconds(summary['cycle_time_s'])}, person {_seconds(summary['demo_cycle_time_s'])}",
        ),
        ("training time", _seconds(summary["train_wall_s"])),
        ("environment steps", f"{summary['env_steps']} in {summary['train_episodes']} episodes"),
        ("gradient steps", str(summary["gradient_steps"] if summary["gradient_steps"] is not None else "–")),
        (f"interventions, last {WINDOW_EPISODES} episodes", _percent(summary["intervention_rate_last20"])),
        ("classifier accuracy, held out", _percent(summary["classifier_accuracy"])),
        ("operator's time", _seconds(summary["operator_seconds"])),
        ("task, profile, seed", f"{summary['task']}, {summary['profile']}, {summary['seed']}"),
    ]
    table = Table(title="Run report", show_header=False, title_justify="left")
    for name, value in lines:
        table.add_row(name, value)
    console = Console()
    console.print(table)
    for note in report.missing:
        console.print(f"missing: {note}", style="yellow", markup=False, highlight=False)
    console.print(f"folder: {run_dir.resolve()}", soft_wrap=True, markup=False, highlight=False)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def _task_of_run(run_dir: Path) -> str:
    """The resolved task file that the run was made with.

    Raises:
        TaskError: the folder holds none.
    """
    path = run_dir / "task.yaml"
    if not path.is_file():
        raise TaskError(f"run folder '{run_dir}' has no task.yaml; name the task: --task ram_insertion")
    return str(path)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="report", description="Summary and figures of a run folder.")
    parser.add_argument("--run-dir", type=Path, required=True, help="run folder, for example runs/latest")
    parser.add_argument("--task", help="task name or file (default: task.yaml of the run)")
    parser.add_argument("--seed", type=int, default=None, help="seed of the run, noted in summary.json")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a task value")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
