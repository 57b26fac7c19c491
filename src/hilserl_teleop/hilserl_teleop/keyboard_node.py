# SPDX-License-Identifier: Apache-2.0
"""The keyboard of a terminal as input device.

ros2 run hilserl_teleop keyboard
"""

from __future__ import annotations

import sys
import time

from hilserl_ros.node import ERROR, HilserlNode, run
from hilserl_teleop.device import PUBLISH_RATE_HZ, DevicePublisher
from hilserl_teleop.keys import HELP, KeyDecoder, KeyStick
from hilserl_teleop.terminal import Terminal


class KeyboardNode(HilserlNode):
    """Publishes spacenav/joy and spacenav/twist_stamped at 30 Hz from the keys of this terminal."""

    def __init__(self) -> None:
        super().__init__("keyboard")
        self._terminal = Terminal(sys.stdin.fileno())
        self._decoder, self._keys = KeyDecoder(), KeyStick()
        self._device = DevicePublisher(self)
        self.create_timer(1.0 / PUBLISH_RATE_HZ, self._tick)
        self._say(HELP)

    def close(self) -> None:
        """Gives the terminal back as it was."""
        self._terminal.restore()

    def _tick(self) -> None:
        now_s = time.monotonic()
        try:
            typed = self._terminal.read()
        except EOFError as error:
            self.diagnose(ERROR, "keyboard lost", reason=error)
            self.finish(1)
            typed = ""
        for key in self._decoder.feed(typed):
            self._take(key, now_s)
        stamp = self.get_clock().now().to_msg()
        self._device.publish(stamp, self._keys.stick(now_s), self._keys.buttons(now_s))

    def _take(self, key: str, now_s: float) -> None:
        if key == "h":
            self._say(HELP)
        elif self._keys.press(key, now_s) and key in "+=-":
            self._say(f"speed {self._keys.speed:g}\n")

    @staticmethod
    def _say(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def main() -> None:
    """Entry point of the executable `keyboard`."""
    run(KeyboardNode)


if __name__ == "__main__":
    main()
