# SPDX-License-Identifier: Apache-2.0
"""Command-line options that the tools of a run folder share."""

from __future__ import annotations

import argparse
from pathlib import Path

from hilserl_task import Task, load_task


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """`--run-dir`, `--task` and `--set`."""
    add = parser.add_argument
    add("--run-dir", type=Path, required=True, metavar="DIR", help="run folder, for example runs/latest")
    add("--task", metavar="NAME", help="task name or file (default: task.yaml of the run)")
    add(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a task value; may be repeated"
    )


def task_of(options: argparse.Namespace) -> Task:
    """The task that the options name. Raises TaskError."""
    return load_task(options.task or str(options.run_dir / "task.yaml"), options.set)
