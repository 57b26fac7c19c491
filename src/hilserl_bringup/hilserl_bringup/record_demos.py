# SPDX-License-Identifier: Apache-2.0
"""Executable `record_demos`: the whole graph for recording demonstrations, on a robot or in simulation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hilserl_bringup.options import add_task_options, complete_with_shell, overrides, print_tasks, run_main
from hilserl_bringup.run import run_phase
from hilserl_task import TaskError

GATES = ("either", "person", "classifier", "both")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_main(_record, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="record_demos",
        description="Record demonstrations until there are enough. The same command again goes on where it "
        "stopped. Meanwhile, in another terminal: demos pause DIR, demos resume DIR, demos delete BAG.",
    )
    parser.add_argument(
        "--run-dir", type=Path, metavar="DIR", required=True, help="run folder; bags go to DIR/demos"
    )
    parser.add_argument("--count", type=int, metavar="N", help="how many (default: the task's, often 20)")
    parser.add_argument(
        "--gate",
        choices=GATES,
        help="who says that an episode succeeded: the person's button, the classifier, either, or the button "
        "if the classifier agrees (default: the task's)",
    )
    add_task_options(parser, "default: the task.yaml of DIR", "default: that of the run in DIR, else 0")
    complete_with_shell(parser)
    return parser


def _record(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    if options.list_tasks:
        return print_tasks()
    if options.count is not None and options.count < 1:
        raise TaskError(f"--count: {options.count} must be 1 or more; example: --count 20")
    code = run_phase("demos", options, (*overrides(options), *_changes(options)))
    if code == 0:
        print(f"Done: {options.run_dir / 'demos'}; `demos list` and `demos show` tell what is in it.")
    return code


def _changes(options: argparse.Namespace) -> tuple[str, ...]:
    """The options of this program as task overrides."""
    changes = []
    if options.count is not None:
        changes.append(f"learner.demonstration_count={options.count}")
    if options.gate is not None:
        changes.append(f"demonstrations.gate={options.gate}")
    return tuple(changes)


if __name__ == "__main__":
    sys.exit(main())
