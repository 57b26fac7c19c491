# SPDX-License-Identifier: Apache-2.0
"""Completion of command lines in the shell where `argcomplete` is activated."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from hilserl_task.loader import available_tasks

Completer = Callable[..., list[str]]


def complete_with_shell(parser: argparse.ArgumentParser, **completers: Completer) -> None:
    """Commands and options of a parser, the names of tasks after `--task`, and what `completers` gives for
    the arguments of their names; also in the parser's commands."""
    import argcomplete  # only here: a program that is not completed starts without it

    _attach(parser, {"task": lambda **_: available_tasks(), **completers})
    argcomplete.autocomplete(parser)


def _attach(parser: argparse.ArgumentParser, completers: dict[str, Completer]) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _attach(command, completers)
        elif action.dest in completers:
            extended: Any = action  # argcomplete looks for the attribute; argparse knows nothing of it
            extended.completer = completers[action.dest]
