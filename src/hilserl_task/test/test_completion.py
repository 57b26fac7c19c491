# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys
from pathlib import Path

from hilserl_task import available_tasks

PROGRAM = """
import argparse
from hilserl_task.completion import complete_with_shell
parser = argparse.ArgumentParser()
parser.add_argument("--arm")
commands = parser.add_subparsers()
commands.add_parser("show").add_argument("--task")
complete_with_shell(parser, arm=lambda **_: ["left", "right"])
"""


def completions(line: str) -> set[str]:
    """What the shell would offer at the end of a line, asked as argcomplete's shell function asks."""
    config = Path(__file__).resolve().parents[3] / "config"
    environment = {
        **os.environ, "HILSERL_CONFIG": str(config), "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line, "COMP_POINT": str(len(line)),
    }  # fmt: skip
    read, write = os.pipe()
    code = f"import os; os.dup2({write}, 8)\n{PROGRAM}"
    subprocess.run([sys.executable, "-c", code], env=environment, pass_fds=[write], timeout=60, check=True)
    os.close(write)
    with os.fdopen(read) as offered:
        return {word.strip() for word in offered.read().split("\n") if word.strip()}


def test_tasks_and_named_arguments_are_offered_also_in_commands():
    assert completions("tool --arm ") == {"left", "right"}
    assert completions("tool --arm l") == {"left"}
    assert completions("tool show --task ") == set(available_tasks())
    assert "show" in completions("tool sh")


def test_a_program_that_is_not_completed_runs_on():
    command = [sys.executable, "-c", PROGRAM + "print('on')"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "on\n"
