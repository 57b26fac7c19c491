# SPDX-License-Identifier: Apache-2.0
"""What the tools of this package have in common on the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from hilserl_task import Task, TaskError, load_task
from hilserl_task.camera_spec import CameraSpec
from hilserl_task.completion import complete_with_shell

WRONG_INPUT, INTERRUPTED = 2, 130


def add_task(parser: argparse.ArgumentParser) -> None:
    """Option --task."""
    parser.add_argument(
        "--task",
        metavar="NAME",
        default="ram_insertion",
        help="name in config/tasks, or path of a task file (default: ram_insertion)",
    )


def chosen_cameras(task: Task, name: str | None) -> tuple[CameraSpec, ...]:
    """The named camera, or all.

    Raises:
        TaskError: no such camera.
    """
    chosen = tuple(camera for camera in task.cameras if name in (None, camera.name))
    if not chosen:
        known = ", ".join(camera.name for camera in task.cameras)
        raise TaskError(f"--camera: '{name}' is not a camera of task '{task.name}'; known: {known}")
    return chosen


def complete(parser: argparse.ArgumentParser) -> None:
    """Completion of options, task and camera names in the shell where `argcomplete` is activated."""
    complete_with_shell(parser, camera=_cameras)


def run_tool(name: str, tool: Callable[[], int]) -> int:
    """Runs a tool. Wrong input becomes one line on standard error and exit code 2; Ctrl-C 130."""
    try:
        return tool()
    except TaskError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


def _cameras(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Cameras of the task that stands on the command line already."""
    try:
        return [camera.name for camera in load_task(parsed_args.task).cameras]
    except TaskError:
        return []
