# SPDX-License-Identifier: Apache-2.0
"""Executable `run`: one phase of a task, in a run folder that exists or not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hilserl_bringup.node_specs import RunContext, graph_specs, phase_names
from hilserl_bringup.options import add_task_options, complete_with_shell, overrides, print_tasks, run_main
from hilserl_bringup.process_runner import INTERRUPTED, run_specs
from hilserl_bringup.run_folder import TASK_FILE, seed_of_run, task_of_run, write_task
from hilserl_task import TaskError, load_task


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_main(_run, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run", description="Run one phase of a task and wait for its end.")
    parser.add_argument("phase", nargs="?", help=", ".join(phase_names()))
    parser.add_argument("--run-dir", type=Path, metavar="DIR", help="run folder, new or of an earlier run")
    add_task_options(parser, "default: the task.yaml of DIR", "default: that of the run in DIR, else 0")
    complete_with_shell(parser)
    return parser


def _run(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    if options.list_tasks:
        return print_tasks()
    if options.phase is None:
        raise TaskError(f"phase: missing; must be one of {', '.join(phase_names())}; example: run train")
    return run_phase(options.phase, options, overrides(options))


def run_phase(phase: str, options: argparse.Namespace, changes: tuple[str, ...]) -> int:
    """Runs one phase to its end.

    Args:
        phase: name of it.
        options: task, run_dir and seed.
        changes: overrides on top of the task.

    Raises:
        TaskError: no run folder, or a task that cannot be.
    """
    if options.run_dir is None:
        raise TaskError(f"--run-dir: missing; example: run {phase} --run-dir runs/latest")
    name = _task_name(options)
    task = load_task(name, changes)
    seed = seed_of_run(options.run_dir) if options.seed is None else options.seed
    context = RunContext(name, options.run_dir, seed, changes)
    specs = graph_specs(task, phase, context)
    options.run_dir.mkdir(parents=True, exist_ok=True)
    if not (options.run_dir / TASK_FILE).exists():
        write_task(options.run_dir, task)
    code = run_specs(specs, options.run_dir, isolated=task.scene is not None)
    if code == INTERRUPTED:
        print(f"Stopped; {options.run_dir} keeps what there is.", file=sys.stderr)
    return code


def _task_name(options: argparse.Namespace) -> str:
    """The task of the command line, else the one of the run folder."""
    name = options.task or task_of_run(options.run_dir)
    if not name:
        raise TaskError(
            f"--task: missing, and {options.run_dir / TASK_FILE} does not exist; "
            "example: run train --task ram_insertion"
        )
    return str(name)


if __name__ == "__main__":
    sys.exit(main())
