# SPDX-License-Identifier: Apache-2.0
"""Executable `demos`: everything a person does with recorded demonstrations.

demos list runs/x/demos
demos show runs/x/demos --out strip.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hilserl_recorder import demos_commands
from hilserl_ros.bags import BagError
from hilserl_task import TaskError
from hilserl_task.completion import complete_with_shell

WRONG_INPUT, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Exit code 1: a bag or file is unusable; 2: wrong arguments; 130: Ctrl-C."""
    parser = _parser()
    complete_with_shell(parser)
    options = parser.parse_args(arguments)
    try:
        code = options.run(options)
    except TaskError as error:
        print(f"demos: {error}", file=sys.stderr)
        code = WRONG_INPUT
    except (BagError, OSError) as error:
        print(f"demos: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("demos: stopped; no half bag was left", file=sys.stderr)
        code = INTERRUPTED
    raise SystemExit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demos", description="Looks after recorded demonstrations.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in demos_commands.COMMANDS:
        add(commands)
    return parser


if __name__ == "__main__":
    main()
