# SPDX-License-Identifier: Apache-2.0
"""A gamepad's kernel events (evdev) as stick axes and buttons.

Codes as in the kernel's gamepad specification (Documentation/input/gamepad.rst); all drivers that follow it
(xpad, hid-playstation, hid-nintendo, hid-generic with a mapped pad) give the same.

| stick axis | pad |
|---|---|
| x forward / y left | left stick |
| z up | right trigger up, left trigger down |
| roll | d-pad left / right |
| pitch / yaw | right stick |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from evdev import AbsInfo, InputEvent, ecodes

from hilserl_task.device_spec import ButtonsSpec
from hilserl_task.frames import Array

# Names of the kernel's gamepad specification. On an Xbox pad: A, B, X, Y.
BUTTONS = {
    ecodes.BTN_SOUTH: "south", ecodes.BTN_EAST: "east", ecodes.BTN_NORTH: "north", ecodes.BTN_WEST: "west",
    ecodes.BTN_TL: "tl", ecodes.BTN_TR: "tr", ecodes.BTN_SELECT: "select", ecodes.BTN_START: "start",
    ecodes.BTN_MODE: "mode", ecodes.BTN_THUMBL: "thumbl", ecodes.BTN_THUMBR: "thumbr",
}  # fmt: skip
USUAL = ButtonsSpec(success="south", discard="east", failure="north", gripper="west")
KNOWN = frozenset(BUTTONS.values()) | {str(number) for number in range(len(BUTTONS))}
DEADBAND = 0.1  # thumb sticks rest up to a tenth of their travel beside the centre

STICKS = (ecodes.ABS_X, ecodes.ABS_Y, ecodes.ABS_RX, ecodes.ABS_RY, ecodes.ABS_HAT0X)
TRIGGERS = (ecodes.ABS_Z, ecodes.ABS_RZ)
# A pad needs a stick and a button, or it is a keyboard, a touch screen, a sensor.
REQUIRED = (ecodes.ABS_X, ecodes.ABS_Y)


def is_gamepad(capabilities: Mapping[int, Iterable[object]]) -> bool:
    """Whether a device with these capabilities (`InputDevice.capabilities(absinfo=False)`) is one."""
    axes, keys = set(capabilities.get(ecodes.EV_ABS, ())), set(capabilities.get(ecodes.EV_KEY, ()))
    return axes.issuperset(REQUIRED) and ecodes.BTN_SOUTH in keys


class Gamepad:
    """Axes and buttons as the events left them.

    Args:
        absinfo: range and present value of every absolute axis.
        down: key codes that are down.
    """

    def __init__(self, absinfo: Mapping[int, AbsInfo], down: Iterable[int] = ()) -> None:
        self._info = dict(absinfo)
        self._value = {code: info.value for code, info in absinfo.items()}
        self._down = set(down)

    def take(self, event: InputEvent) -> bool:
        """Takes an event. False when it is neither axis nor button, or means that events were lost."""
        if event.type == ecodes.EV_ABS:
            self._value[event.code] = event.value
        elif event.type == ecodes.EV_KEY and event.value != 2:  # 2: auto-repeat
            (self._down.add if event.value else self._down.discard)(event.code)
        else:
            return False
        return True

    @staticmethod
    def overrun(event: InputEvent) -> bool:
        """The kernel dropped events: state has to be read anew."""
        return bool(event.type == ecodes.EV_SYN and event.code == ecodes.SYN_DROPPED)

    @property
    def axes(self) -> Array:
        """(6,) in stock order."""
        return np.array(
            [
                -self._centred(ecodes.ABS_Y),
                -self._centred(ecodes.ABS_X),
                self._pulled(ecodes.ABS_RZ) - self._pulled(ecodes.ABS_Z),
                self._centred(ecodes.ABS_HAT0X),
                -self._centred(ecodes.ABS_RY),
                -self._centred(ecodes.ABS_RX),
            ]
        )

    @property
    def pressed(self) -> frozenset[str]:
        """Name and number of every button that is down."""
        down = [(name, n) for n, (code, name) in enumerate(BUTTONS.items()) if code in self._down]
        return frozenset(text for name, number in down for text in (name, str(number)))

    def _centred(self, code: int) -> float:
        """[-1, 1] of an axis that rests in the middle of its range; 0 if the pad lacks it."""
        info = self._info.get(code)
        if info is None or info.max <= info.min:
            return 0.0
        middle, half = (info.max + info.min) / 2, (info.max - info.min) / 2
        return float(np.clip((self._value[code] - middle) / half, -1.0, 1.0))

    def _pulled(self, code: int) -> float:
        """[0, 1] of a trigger, which rests at the low end of its range."""
        info = self._info.get(code)
        if info is None or info.max <= info.min:
            return 0.0
        return float(np.clip((self._value[code] - info.min) / (info.max - info.min), 0.0, 1.0))
