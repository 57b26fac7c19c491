# SPDX-License-Identifier: Apache-2.0
"""Executable `demo`: a task from nothing to a report; every phase can be interrupted and resumed."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from hilserl_bringup.node_specs import RunContext, graph_specs, phase_names
from hilserl_bringup.options import add_task_options, complete_with_shell, overrides, print_tasks, run_main
from hilserl_bringup.process_runner import INTERRUPTED, StopRequest, run_specs
from hilserl_bringup.run_folder import TASK_FILE, RunState, open_run, with_done, write_state
from hilserl_task import Task, load_task

DEFAULT_TASK = "ram_insertion"

_TITLES = {
    "labels": "collect labels for the reward classifier",
    "classifier": "train the reward classifier",
    "demos": "record demonstrations",
    "perception": "fit the perception read-out",
    "train": "train with interventions",
    "evaluate": "evaluate without interventions",
    "report": "write the report",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_main(_demo, argv)


def demo_phases(task: Task) -> tuple[str, ...]:
    """The phases of the story: without demonstrations, none are recorded."""
    return tuple(phase for phase in phase_names() if phase != "demos" or task.learner.demonstrations)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo",
        description="Learn a task in simulation, from labels to a report.",
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of run folders"
    )
    add_task_options(parser, f"default: {DEFAULT_TASK}", "default: 0", task=DEFAULT_TASK, seed=0)
    complete_with_shell(parser)
    return parser


def _demo(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    if options.list_tasks:
        return print_tasks()
    task = load_task(options.task, overrides(options))
    phases = demo_phases(task)
    wanted = RunState(options.task, options.seed, overrides(options), phases)
    run_dir, state = open_run(options.runs, wanted, task, datetime.now())
    _say(f"{task.name}, seed {options.seed}: {'resuming' if state.done else 'run folder'} {run_dir}")
    # The resolved copy in the run folder: an edit of the task file does not change a run half way.
    context = RunContext(str(run_dir / TASK_FILE), run_dir, options.seed)
    with StopRequest().installed() as stop:
        return _run_phases(load_task(context.task), state, context, stop, _again(argv))


def _run_phases(task: Task, state: RunState, context: RunContext, stop: StopRequest, again: str) -> int:
    for number, phase in enumerate(state.phases, start=1):
        if phase in state.done:
            continue
        _say(f"\n[{number}/{len(state.phases)}] {_title(phase, task)}")
        started = time.monotonic()
        code = run_specs(
            graph_specs(task, phase, context), context.run_dir, isolated=task.scene is not None, stop=stop
        )
        if code not in (0, INTERRUPTED):
            _say(f"Phase {phase} failed. Logs: {context.run_dir / 'logs'}. Resume after the cure: {again}")
            return code
        if code == 0:
            state = with_done(state, phase)
            write_state(context.run_dir, state)
            _say(f"      {phase}: {time.monotonic() - started:.0f} s")
        if stop and not state.complete:
            _say(f"\nStopped in phase {phase}; everything is saved. Resume: {again}")
            return INTERRUPTED
    _say(f"\nDone: {context.run_dir}")
    return 0


def _title(phase: str, task: Task) -> str:
    if phase == "train" and not task.operator.interventions:
        return "train without interventions"
    return _TITLES[phase]


def _again(argv: Sequence[str] | None) -> str:
    """The command line that resumes this run."""
    arguments = sys.argv[1:] if argv is None else argv
    return shlex.join(["make", "demo", f"ARGS={shlex.join(arguments)}"]) if arguments else "make demo"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
