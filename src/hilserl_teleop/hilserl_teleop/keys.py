# SPDX-License-Identifier: Apache-2.0
"""From key presses to a stick. A terminal reports presses and repeats, never releases: deflection fades."""

from __future__ import annotations

import re

import numpy as np

from hilserl_task.device_spec import ButtonsSpec
from hilserl_task.frames import Array

FULL_S = 0.1  # full deflection after a press or repeat (a terminal repeats about 30 times a second)
NEUTRAL_S = 0.2  # neutral this long after the last press
SPEEDS = (0.1, 0.2, 0.35, 0.5, 0.7, 1.0)

# Key -> (axis, sign). Base axes: x forward, y left, z up; then rotation about them.
AXES = {
    "w": (0, 1), "s": (0, -1), "a": (1, 1), "d": (1, -1), "r": (2, 1), "f": (2, -1),
    "up": (0, 1), "down": (0, -1), "left": (1, 1), "right": (1, -1), "page_up": (2, 1), "page_down": (2, -1),
    "u": (3, 1), "o": (3, -1), "i": (4, 1), "k": (4, -1), "j": (5, 1), "l": (5, -1),
}  # fmt: skip
SPEED_KEYS = ("+", "=", "-")
USUAL_BUTTONS = ButtonsSpec(success="space", discard="backspace", failure="x", gripper="g")
# Any key that moves nothing may be a button.
BUTTONS = frozenset({"space", "backspace", "enter", "tab", *"bcegmnpqtvxyz", *"0123456789"})

_SEQUENCES = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left", "\x1b[5~": "page_up",
    "\x1b[6~": "page_down", "\x1bOA": "up", "\x1bOB": "down", "\x1bOC": "right", "\x1bOD": "left",
    " ": "space", "\x7f": "backspace", "\x08": "backspace", "\n": "enter", "\r": "enter", "\t": "tab",
}  # fmt: skip
_TOKEN = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|[\s\S]")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;]*|O)?$")

HELP = """\
keyboard teleoperation (keep a key down to keep moving)
  w / s   or up / down            forward / back       x
  a / d   or left / right         left / right         y
  r / f   or page up / page down  up / down            z
  u / o   roll     i / k  pitch     j / l  yaw
  + / -   faster / slower            h  this help
  space   success  backspace  discard the episode      x  failure
  g       close or open the gripper
  Ctrl-C  ends
"""


class KeyDecoder:
    """Splits a terminal's characters into key names; an arrow key is several, maybe in two reads."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> list[str]:
        """Names of the keys pressed: letters as they are, `up`, `page_down`, `space`, `backspace`."""
        text = self._rest + text
        unfinished = _UNFINISHED.search(text)
        self._rest = unfinished.group() if unfinished else ""
        text = text[: len(text) - len(self._rest)]
        return [_SEQUENCES.get(token, token.lower()) for token in _TOKEN.findall(text)]


class KeyStick:
    """Stick and buttons as the keys left them."""

    def __init__(self) -> None:
        self._pressed_at = np.full(6, -np.inf)
        self._sign = np.zeros(6)
        self._button_at: dict[str, float] = {}
        self._speed = SPEEDS.index(0.5)

    @property
    def speed(self) -> float:
        """Deflection of a pressed key."""
        return SPEEDS[self._speed]

    def press(self, key: str, now_s: float) -> bool:
        """Takes a key. False when it means nothing."""
        if key in AXES:
            axis, sign = AXES[key]
            self._pressed_at[axis], self._sign[axis] = now_s, sign
        elif key in BUTTONS:
            self._button_at[key] = now_s
        elif key in SPEED_KEYS:
            step = -1 if key == "-" else 1
            self._speed = min(max(self._speed + step, 0), len(SPEEDS) - 1)
        else:
            return False
        return True

    def stick(self, now_s: float) -> Array:
        """(6,) deflection: full for 0.1 s, neutral 0.2 s after the last press."""
        age = now_s - self._pressed_at
        fade = np.clip((NEUTRAL_S - age) / (NEUTRAL_S - FULL_S), 0.0, 1.0)
        return self.speed * self._sign * fade

    def pressed(self, now_s: float) -> frozenset[str]:
        """Names of the buttons that are down: for 0.2 s after the last press."""
        return frozenset(key for key, at in self._button_at.items() if now_s - at < NEUTRAL_S)
