# SPDX-License-Identifier: Apache-2.0
"""Executable `eval`: how good is a policy? Trials from listed initial states, and a report with intervals.

Every policy of the command line faces the same initial states, so differences are compared trial by trial.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hilserl_bringup.commands import find_executable
from hilserl_bringup.contestants import (
    MODES,
    Contestant,
    Plan,
    check_task,
    find_contestants,
    first_missing,
    open_evaluation,
)
from hilserl_bringup.node_specs import NodeSpec, ParameterValue, RunContext, graph_specs
from hilserl_bringup.options import EVENT_HELP, complete_with_shell, event_kinds, print_tasks, run_main
from hilserl_bringup.process_runner import INTERRUPTED, StopRequest, run_specs
from hilserl_bringup.run_folder import TASK_FILE
from hilserl_task import TaskError, load_task

ALL_VIDEOS = 1_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_main(_evaluate, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eval",
        description="Evaluate policies without interventions and write a report (JSON, CSV, HTML).",
        epilog="examples: eval --run-dir runs/latest --trials 100 --checkpoint best --compare runs/other; "
        "eval --trials 50 --mode stochastic --event board_shifts --event arm_pushed",
    )
    add = parser.add_argument
    add("--task", metavar="NAME", help="refuse run folders of another task (default: take what they are)")
    add("--run-dir", type=Path, default=Path("runs/latest"), metavar="DIR", help="default: runs/latest")
    add("--trials", default="100", metavar="N", help="of every policy (default: 100)")
    add("--seed", default="0", metavar="N", help="of initial states and sampling (default: 0)")
    add(
        "--checkpoint",
        action="append",
        default=[],
        metavar="NAME",
        help="best, latest or a name, instead of the newest policy; several are compared",
    )
    add(
        "--compare",
        action="append",
        default=[],
        metavar="DIR[:NAME]",
        help="another run folder, or a checkpoint in it, on the same initial states; may be repeated",
    )
    add("--mode", choices=tuple(MODES), default="both", help="samples, or the mode (default: both)")
    add("--videos", default="0", metavar="N", help="videos of the first N trials of each policy, or all")
    add("--board-moved", action="store_true", help="with the board moved and turned")
    add(
        "--event",
        action="append",
        default=[],
        metavar="KIND[+KIND]",
        help=f"trials once more with this event, on the same initial states; may be repeated; {EVENT_HELP}",
    )
    add("--set", action="append", default=[], metavar="a.b=c", help="change a key of the task; repeatable")
    add("--list-tasks", action="store_true", help="print the names of all tasks and exit")
    complete_with_shell(parser)
    return parser


def _evaluate(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    if options.list_tasks:
        return print_tasks()
    plan = _plan(options)
    videos = ALL_VIDEOS if options.videos == "all" else _number("--videos", options.videos, 0, "10, or all")
    folder = open_evaluation(options.run_dir, plan, datetime.now())
    _say(f"{plan.task}: {plan.trials} trials of {len(plan.contestants)} policies, seed {plan.seed}; {folder}")
    with StopRequest().installed() as stop:
        code = _run_all(plan, folder, videos, stop)
    written = _report(folder)
    if code == INTERRUPTED:
        _say("Stopped; finished trials are kept. The same command goes on where it stopped.")
    return code or written


def _plan(options: argparse.Namespace) -> Plan:
    trials = _number("--trials", options.trials, 1, "100")
    seed = _number("--seed", options.seed, 0, "0")
    policies: list[tuple[Path, str | None]] = [
        (options.run_dir, name) for name in options.checkpoint or [None]
    ]
    for text in options.compare:
        run, _, name = text.partition(":")
        policies.append((Path(run), name or None))
    names = {check_task(run, options.task) for run, _ in policies}
    if len(names) > 1:
        raise TaskError(f"--compare: run folders are of different tasks: {', '.join(sorted(names))}")
    conditions = [(), *(event_kinds(text) for text in options.event)]
    contestants = find_contestants(policies, MODES[options.mode], list(dict.fromkeys(conditions)))
    plan = Plan(names.pop(), trials, seed, options.board_moved, tuple(options.set), contestants)
    for contestant in contestants:
        load_task(str(Path(contestant.run_dir) / TASK_FILE), _changes(plan, contestant))
    return plan


def _changes(plan: Plan, contestant: Contestant) -> list[str]:
    """Overrides on top of the task of the contestant's run."""
    changes = [
        f"evaluation.episodes={plan.trials}",
        f"evaluation.deterministic={str(contestant.deterministic).lower()}",
        f"evaluation.board_moved={str(plan.board_moved).lower()}",
        f"evaluation.events=[{', '.join(contestant.events)}]",
    ]
    if contestant.checkpoint:
        changes.append(f'evaluation.checkpoint="{contestant.checkpoint}"')
    return [*changes, *plan.overrides]


def _run_all(plan: Plan, folder: Path, videos: int, stop: StopRequest) -> int:
    """Every contestant's missing trials; 0, or why it ended early."""
    for contestant in plan.contestants:
        results = folder / contestant.folder
        done = first_missing(results, plan.trials)
        if done == plan.trials:
            continue
        again = f", from trial {done}" if done else ""
        _say(f"\n{contestant.label}{again}")
        results.mkdir(exist_ok=True)
        specs, isolated = evaluation_specs(plan, contestant, results, done, videos)
        code = run_specs(specs, results, isolated=isolated, stop=stop)
        if code or stop:
            return code or INTERRUPTED
    return 0


def evaluation_specs(
    plan: Plan, contestant: Contestant, results: Path, first_trial: int, videos: int
) -> tuple[list[NodeSpec], bool]:
    """Processes of the phase evaluate for one contestant; and whether they need a ROS domain of their own."""
    overrides = _changes(plan, contestant)
    run_dir = Path(contestant.run_dir)
    name = str(run_dir / TASK_FILE)
    task = load_task(name, overrides)
    context = RunContext(name, run_dir, plan.seed, tuple(overrides))
    specs = graph_specs(task, "evaluate", context)
    left = plan.trials - first_trial
    specs = with_parameters(specs, "actor", first_trial=first_trial, episodes=left)
    monitor: dict[str, ParameterValue] = {"results": str(results), "pictured": videos}
    specs = with_parameters(specs, "monitor", first_trial=first_trial, **monitor)
    return specs, task.scene is not None


def with_parameters(specs: list[NodeSpec], executable: str, **parameters: ParameterValue) -> list[NodeSpec]:
    """The specs, with further parameters for one executable."""
    return [
        replace(spec, parameters={**spec.parameters, **parameters}) if spec.executable == executable else spec
        for spec in specs
    ]


def _report(folder: Path) -> int:
    command = [str(find_executable("hilserl_agent", "evaluation_report")), "--folder", str(folder)]
    return subprocess.run(command, check=False).returncode


def _number(option: str, text: str, least: int, example: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise TaskError(f"{option}: '{text}' must be a whole number of at least {least}; example: {example}")
    return value


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
