# SPDX-License-Identifier: Apache-2.0
"""Command-line options that `demo` and `run` share, and what they change in the task."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hilserl_task import TaskError, available_tasks, completion
from hilserl_task.evaluation_spec import EVENT_KINDS

WRONG_INPUT = 2
EVENT_HELP = f"kinds: {', '.join(EVENT_KINDS)} (a scene has some of them)"


def add_task_options(
    parser: argparse.ArgumentParser, task_default: str, seed_default: str, **defaults: str | int
) -> None:
    """Options that name and change a task.

    Args:
        task_default, seed_default: what --help says about them.
        defaults: of `task` and `seed`; None where left out.
    """
    add = parser.add_argument
    add("--task", metavar="NAME", help=f"name in config/tasks, or path of a task file ({task_default})")
    add("--seed", type=_seed, metavar="N", help=f"of all randomness ({seed_default})")
    parser.set_defaults(**defaults)
    add(
        "--set",
        action="append",
        default=[],
        metavar="a.b=c",
        help="change a key of the task; may be repeated",
    )
    add("--pacing", choices=("lockstep", "realtime"), help="simulation as fast as possible, or by the clock")
    add("--max-steps", type=_positive, metavar="N", help="training ends after so many steps")
    add("--eval-episodes", type=_positive, metavar="N", help="episodes of the evaluation")
    add("--board-moved", action="store_true", help="evaluate with the board moved and turned")
    add("--event", metavar="KIND[+KIND]", help=f"evaluate with this event in every trial; {EVENT_HELP}")
    add(
        "--checkpoint",
        metavar="NAME",
        help="evaluate a checkpoint: best, latest, its name or its folder (default: the newest policy)",
    )
    add("--no-interventions", action="store_true", help="nobody corrects the policy in training")
    add("--no-demos", action="store_true", help="training starts without demonstrations")
    add("--no-images", action="store_true", help="the policy sees no images")
    add("--list-tasks", action="store_true", help="print the names of all tasks and exit")


def overrides(options: argparse.Namespace) -> tuple[str, ...]:
    """The options as task overrides, `--set` last so that it wins."""
    chosen = []
    if options.pacing:
        chosen.append(f"pacing={options.pacing}")
    if options.max_steps:
        chosen.append(f"training.max_steps={options.max_steps}")
    if options.eval_episodes:
        chosen.append(f"evaluation.episodes={options.eval_episodes}")
    if options.board_moved:
        chosen.append("evaluation.board_moved=true")
    if options.event:
        chosen.append(f"evaluation.events=[{', '.join(event_kinds(options.event))}]")
    if options.checkpoint:
        chosen.append(
            f"evaluation.checkpoint={json.dumps(options.checkpoint)}"
        )  # quoted: a name, never a number
    if options.no_interventions:
        chosen.append("operator.interventions=false")
    if options.no_demos:
        chosen.append("learner.demonstrations=false")
    if options.no_images:
        chosen.append("learner.policy_images=false")
    return (*chosen, *options.set)


def event_kinds(text: str) -> tuple[str, ...]:
    """Kinds of events in `one+other`, in the order of `EVENT_KINDS`.

    Raises:
        TaskError: an unknown one, or one named twice.
    """
    kinds = tuple(text.split("+"))
    for kind in kinds:
        if kind not in EVENT_KINDS:
            close = difflib.get_close_matches(kind, EVENT_KINDS, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"{EVENT_HELP}; example: --event board_shifts"
            raise TaskError(f"--event: '{kind}' is unknown; {hint}")
    if len(set(kinds)) != len(kinds):
        raise TaskError(f"--event: '{text}' names one twice; each happens once in a trial")
    return tuple(kind for kind in EVENT_KINDS if kind in kinds)


def run_main(program: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None = None) -> int:
    """Runs a program; wrong input becomes one line on standard error and exit code 2."""
    try:
        return program(argv)
    except TaskError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT
    except (OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1


def print_tasks() -> int:
    """Prints the name of every task that is found."""
    print("\n".join(available_tasks()))
    return 0


def complete_with_shell(parser: argparse.ArgumentParser) -> None:
    """Completion of options and of names of tasks, checkpoints and events in the shell where `argcomplete` is
    activated."""
    completion.complete_with_shell(parser, checkpoint=_checkpoints, event=_events)


def _events(prefix: str = "", **_: object) -> list[str]:
    """Kinds, also after a `+`."""
    before = prefix.rpartition("+")
    return [before[0] + before[1] + kind for kind in EVENT_KINDS]


def _checkpoints(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Names in the run folder that stands on the command line already."""
    run_dir = getattr(parsed_args, "run_dir", None)
    found = sorted(path.name for path in Path(run_dir, "checkpoints").glob("learner_*")) if run_dir else []
    return ["best", "latest", *found]


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"'{text}': must not be negative; example: 0")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}': must be 1 or more; example: 50")
    return value
