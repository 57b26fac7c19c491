# SPDX-License-Identifier: Apache-2.0
"""Executable `evaluation_report`: report.json, report.html, trials.csv, initial_states.csv of an evaluation.

Usage: evaluation_report --folder runs/latest/evaluations/<date>
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from rich.console import Console
from rich.table import Table

from hilserl_agent.evaluation.event_log import in_words
from hilserl_agent.evaluation.plots import cycle_time_plot, start_plot, success_plot
from hilserl_agent.evaluation.results import (
    Evaluation,
    compare_all,
    read_evaluation,
    start_spread,
    succeeded,
    summarize,
)
from hilserl_agent.metrics import MetricsError
from hilserl_agent.report import versions

EXIT_EMPTY, EXIT_USAGE = 1, 2
_POSE = ("x_m", "y_m", "z_m", "qx", "qy", "qz", "qw")
_CSV_ROW = ("outcome", "termination_reason", "steps", "duration_s", "intervention_steps", "policy_version")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line entry point: exit 0, 1 without a finished trial, 2 for an unusable folder."""
    parser = argparse.ArgumentParser(prog="evaluation_report", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder that `eval` has made")
    folder: Path = parser.parse_args(arguments).folder
    try:
        evaluation = read_evaluation(folder)
        report = write_report(folder, evaluation)
    except (MetricsError, OSError) as error:
        print(f"evaluation_report: {error}", file=sys.stderr)
        raise SystemExit(EXIT_USAGE) from None
    _print(report, folder)
    raise SystemExit(0 if any(entry["trials"] for entry in report["policies"]) else EXIT_EMPTY)


def write_report(folder: Path, evaluation: Evaluation) -> dict[str, Any]:
    """Writes all files of the report; returns what report.json holds.

    Raises:
        OSError: disk full or not writable.
    """
    metres, radians = start_spread(evaluation.contestants)
    report: dict[str, Any] = {
        "task": evaluation.task,
        "seed": evaluation.seed,
        "trials": evaluation.wanted,
        "board_moved": evaluation.board_moved,
        "overrides": evaluation.overrides,
        "complete": all(len(c.trials) == evaluation.wanted for c in evaluation.contestants),
        "policies": [summarize(contestant) for contestant in evaluation.contestants],
        "comparisons": compare_all(evaluation.contestants),
        "start_difference_m": metres,
        "start_difference_rad": radians,
        "versions": versions(),
    }
    _write(folder / "report.json", json.dumps(report, indent=1, allow_nan=False) + "\n")
    _write_trials(folder / "trials.csv", evaluation)
    _write_states(folder / "initial_states.csv", evaluation)
    _write(folder / "report.html", _page(folder, evaluation, report))
    return report


def _page(folder: Path, evaluation: Evaluation, report: dict[str, Any]) -> str:
    text = (files("hilserl_agent.evaluation") / "report.html.j2").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "seconds": seconds, "signed": signed}
    finished = [contestant for contestant in evaluation.contestants if contestant.trials]
    plots = {
        "success": success_plot(finished) if finished else "",
        "cycle_time": cycle_time_plot(finished),
        "starts": start_plot(finished),
    }
    videos = {
        c.label: sorted(path.relative_to(folder).as_posix() for path in (c.folder / "videos").glob("*.mp4"))
        for c in evaluation.contestants
    }
    return environment.from_string(text).render(report=report, plots=plots, videos=videos)


def _write_trials(path: Path, evaluation: Evaluation) -> None:
    rows: list[list[Any]] = [["policy", "trial", "seed", "success", "truth_success", *_CSV_ROW, "events"]]
    for contestant in evaluation.contestants:
        for number, row in contestant.trials.items():
            known = [row["truth_success"], *(row[key] for key in _CSV_ROW)]
            events = "; ".join(in_words(row.get("events", [])))
            rows.append([contestant.label, number, row.get("seed"), succeeded(row), *known, events])
    _write_csv(path, rows)


def _write_states(path: Path, evaluation: Evaluation) -> None:
    """Seed and resulting poses of every trial: start of each arm, board and goal of the simulation."""
    rows: list[list[Any]] = [["trial", "seed", "what", *_POSE]]
    seen = set()
    for contestant in evaluation.contestants:
        for number, row in contestant.trials.items():
            if number in seen:
                continue
            seen.add(number)
            poses = {f"{arm} start": pose for arm, pose in row.get("base_T_start", {}).items()}
            poses |= {name: row[key] for name, key in _SCENE.items() if key in row}
            rows += [[number, row.get("seed"), what, *pose] for what, pose in poses.items()]
    _write_csv(path, rows)


_SCENE = {"board": "base_T_board", "goal": "base_T_goal"}


def _write_csv(path: Path, rows: list[list[Any]]) -> None:
    partial = path.with_suffix(".csv.part")
    with partial.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    partial.replace(path)


def _write(path: Path, text: str) -> None:
    """A reader sees the whole file or the one before."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def percent(value: float | None) -> str:
    """0.955 -> 95.5 %."""
    return "–" if value is None else f"{100 * value:.1f} %"


def seconds(value: float | None) -> str:
    """1.234 -> 1.23 s."""
    return "–" if value is None else f"{value:.2f} s"


def signed(value: float | None, factor: float = 1.0, digits: int = 1) -> str:
    """0.05 -> +0.1, with a factor 100: +5.0."""
    return "–" if value is None else f"{factor * value:+.{digits}f}"


def _print(report: dict[str, Any], folder: Path) -> None:
    table = Table(title=f"Evaluation of {report['task']}, seed {report['seed']}", title_justify="left")
    for name in ("policy", "trials", "success (95 % Wilson)", "cycle time (95 % bootstrap)"):
        table.add_column(name)
    for entry in report["policies"]:
        table.add_row(entry["label"], str(entry["trials"]), _rate(entry), _time(entry))
    console = Console()
    console.print(table)
    for entry in report["policies"]:
        if entry["truth_lost"]:
            console.print(
                f"{entry['label']}: truth of {entry['truth_lost']} trials lost: counted as failures",
                soft_wrap=True,
            )
    for entry in report["policies"]:
        for event in entry["events"]:
            console.print(
                f"{entry['label']}: {event['kind']} happened in {event['happened']} of {entry['trials']} "
                f"trials; success of those {_rate(event)}",
                soft_wrap=True,
                highlight=False,
            )
    for pair in report["comparisons"]:
        low, high = pair["success_difference_interval_95"]
        console.print(
            f"{pair['second']} against {pair['first']}: success {signed(pair['success_difference'], 100)} "
            f"({signed(low, 100)} to {signed(high, 100)}) points, McNemar p {pair['p_value_holm']:.3f}",
            soft_wrap=True,
            highlight=False,
        )
    console.print(f"report: {(folder / 'report.html').resolve()}", soft_wrap=True, highlight=False)


def _rate(entry: dict[str, Any]) -> str:
    if entry["success_interval_95"] is None:
        return "–"
    low, high = entry["success_interval_95"]
    return f"{percent(entry['success_rate'])} ({percent(low)} to {percent(high)})"


def _time(entry: dict[str, Any]) -> str:
    bounds = entry["cycle_time_interval_95_s"]
    between = f" ({seconds(bounds[0])} to {seconds(bounds[1])})" if bounds else ""
    return seconds(entry["cycle_time_s"]) + between


if __name__ == "__main__":
    main()
