# SPDX-License-Identifier: Apache-2.0
"""The keyboard of a terminal as input device.

ros2 run hilserl_teleop keyboard
"""

from __future__ import annotations

import os
import sys

from hilserl_ros.node import run
from hilserl_task import TaskError
from hilserl_task.device_spec import DeviceSpec
from hilserl_teleop.device_node import DeviceNode
from hilserl_teleop.driver import DeviceGone, Driver
from hilserl_teleop.keys import BUTTONS, HELP, SPEED_KEYS, USUAL_BUTTONS, KeyDecoder, KeyStick
from hilserl_teleop.terminal import Terminal


class KeyboardDriver(Driver):
    """Keys of a terminal. A deflection fades by itself, so no silence is trouble; a lost terminal is.

    Args:
        terminal: device file of the terminal; empty: that of stdin.
    """

    known_buttons = BUTTONS
    usual_buttons = USUAL_BUTTONS
    returns = False
    fades = True

    def __init__(self, terminal: str = "") -> None:
        super().__init__()
        self._path = terminal
        self._terminal: Terminal | None = None
        self._decoder, self._keys = KeyDecoder(), KeyStick()
        self._descriptor = -1
        self.title = "keyboard"

    def open(self) -> None:
        """Takes the terminal and shows the keys."""
        super().open()
        if not self._path:
            self._descriptor = sys.stdin.fileno()
        else:
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_NOCTTY)
            except OSError as error:
                raise TaskError(f"tty: '{self._path}' cannot be opened: {error.strerror}") from error
        self._terminal = Terminal(self._descriptor)
        self._say(HELP)

    def poll(self, now_s: float) -> bool:
        """Takes in what was typed."""
        if self._terminal is None:
            raise DeviceGone("keyboard: no terminal")
        try:
            typed = self._terminal.read()
        except EOFError as error:
            raise DeviceGone(f"keyboard: {error}") from error
        keys = self._decoder.feed(typed)
        for key in keys:
            self._take(key, now_s)
        self.tapped = frozenset()
        self._press(self._keys.pressed(now_s))
        self.axes = self._keys.stick(now_s)
        return bool(keys)

    def _take(self, key: str, now_s: float) -> None:
        if key == "h":
            self._say(HELP)
        elif self._keys.press(key, now_s) and key in SPEED_KEYS:
            self._say(f"speed {self._keys.speed:g}\n")

    def close(self) -> None:
        """Gives the terminal back as it was."""
        if self._terminal is None:
            return
        self._terminal.restore()
        self._terminal = None
        if self._path:
            os.close(self._descriptor)

    def _say(self, text: str) -> None:
        if self._path:
            os.write(self._descriptor, text.encode())
        else:
            sys.stdout.write(text)
            sys.stdout.flush()


class KeyboardNode(DeviceNode):
    """Keyboard. Parameter `tty`: device file of the terminal, where the node has no terminal of its own."""

    def __init__(self) -> None:
        super().__init__("keyboard")

    def make_driver(self, spec: DeviceSpec) -> Driver:
        """Of the terminal `tty`, or of stdin."""
        return KeyboardDriver(str(self.declare_parameter("tty", "").value))


def main() -> None:
    """Entry point of the executable `keyboard`."""
    run(KeyboardNode)


if __name__ == "__main__":
    main()
