# SPDX-License-Identifier: Apache-2.0
"""Single key presses from a terminal."""

from __future__ import annotations

import os
import select
import termios
import tty

from hilserl_task import TaskError


class Terminal:
    """A terminal that gives every key at once and echoes nothing, until `restore`.

    Ctrl-C still ends the program: the terminal keeps its signal keys.

    Args:
        descriptor: of the terminal, usually 0 (stdin).

    Raises:
        TaskError: it is no terminal.
    """

    def __init__(self, descriptor: int) -> None:
        if not os.isatty(descriptor):
            raise TaskError(
                "stdin is no terminal, so no keys can be read; start the keyboard in a terminal of its own: "
                "ros2 run hilserl_teleop keyboard"
            )
        self._descriptor = descriptor
        self._before = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor)

    def read(self) -> str:
        """Characters typed since the last call, without waiting.

        Raises:
            EOFError: the terminal is gone.
        """
        text = ""
        while select.select([self._descriptor], [], [], 0.0)[0]:
            try:
                data = os.read(self._descriptor, 1024)
            except OSError as error:
                raise EOFError("the terminal is gone") from error
            if not data:
                raise EOFError("the terminal is gone")
            text += data.decode(errors="replace")
        return text

    def restore(self) -> None:
        """Line mode and echo as before. Harmless when repeated or when the terminal is gone."""
        try:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
        except (termios.error, OSError):
            return
