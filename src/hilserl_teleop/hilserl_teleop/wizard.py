# SPDX-License-Identifier: Apache-2.0
"""Finds out by asking which axis, sign, scale, dead-band and buttons a device has."""

from __future__ import annotations

import math
import os
import select
import time
from collections.abc import Callable

import numpy as np

from hilserl_task import TaskError
from hilserl_task.device_spec import AXIS_NAMES, BUTTON_ACTIONS, AxesSpec, ButtonsSpec
from hilserl_task.frames import Array
from hilserl_teleop.driver import Driver

LOOK_S = 0.01
REST_S = 1.5
PUSHED, RELEASED = 0.25, 0.5  # of full deflection; of the peak
CLEAR = 0.7  # a second axis beyond this share of the first: not clear which one was meant
LARGEST_DEADBAND = 0.3
SCALES = (0.2, 5.0)
PATIENCE_S = 60.0

PUSH = {
    "x": "push it forward, away from you",
    "y": "push it to the left",
    "z": "pull it up",
    "roll": "tilt it to the right, about the forward direction",
    "pitch": "tilt it forward, its front down",
    "yaw": "turn it counter-clockwise, seen from above",
}


class Wizard:
    """Asks a person to push each axis and press each button.

    Args:
        driver: open.
        say: shows a line.
        keyboard: file descriptor of the person's keyboard, for Enter.
    """

    def __init__(self, driver: Driver, say: Callable[[str], None], keyboard: int = 0) -> None:
        self._driver, self._say, self._keyboard = driver, say, keyboard

    def axes(self) -> AxesSpec:
        """All six axes.

        Raises:
            TaskError: the person does not push.
            DeviceGone: the device is gone.
        """
        self._say("Let go of the device.")
        deadband = self._rest()
        found: dict[int, str] = {}
        peaks = [self._axis(name, found) for name in AXIS_NAMES]
        scale = [round(float(np.clip(1.0 / abs(peak), *SCALES)), 2) for _, peak in peaks]
        self._say(f"At rest within {deadband:g}.")
        return AxesSpec.model_validate(
            {
                "order": [axis for axis, _ in peaks],
                "sign": [1 if peak > 0 else -1 for _, peak in peaks],
                "scale": scale,
                "deadband": deadband,
            }
        )

    def buttons(self) -> ButtonsSpec:
        """The four actions."""
        chosen: dict[str, str] = {}
        for action in BUTTON_ACTIONS:
            self._say(f"Press the button for {action}, or Enter for none.")
            while (button := self._button()) in chosen.values() and button is not None:
                self._say(f"'{button}' is taken; press another one, or Enter for none.")
            if button is not None:
                chosen[action] = button
                self._say(f"  {action}: {button}")
        return ButtonsSpec.model_validate(chosen)

    def _rest(self) -> float:
        """Dead-band that keeps the device at rest: twice what it showed, at least the driver's."""
        noise, end = 0.0, time.monotonic() + REST_S
        while time.monotonic() < end:
            noise = max(noise, float(np.abs(self._look()).max()))
        deadband = math.ceil(100 * max(self._driver.deadband, 2 * noise)) / 100
        if deadband > LARGEST_DEADBAND:
            raise TaskError(
                f"the device shows {noise:.2f} at rest, more than {LARGEST_DEADBAND / 2:g}; let go of it, or "
                "plug it in again without touching it, which is when most models find their zero"
            )
        return deadband

    def _axis(self, name: str, found: dict[int, str]) -> tuple[int, float]:
        """Device axis and signed peak of one push."""
        while True:
            self._say(f"{name}: {PUSH[name]}, as far as it goes, then let go.")
            peak = self._push()
            first, second = np.argsort(-np.abs(peak))[:2]
            if abs(peak[second]) > CLEAR * abs(peak[first]):
                self._say(
                    f"  two axes moved: {peak[first]:+.2f} and {peak[second]:+.2f}; once more, cleaner."
                )
            elif int(first) in found:
                self._say(f"  that was the axis of {found[int(first)]}; once more.")
            else:
                found[int(first)] = name
                self._say(f"  device axis {first}, {peak[first]:+.2f}")
                return int(first), float(peak[first])

    def _push(self) -> Array:
        """(6,) deflection at the peak of one push, once it is over."""
        peak, end = np.zeros(6), time.monotonic() + PATIENCE_S
        while True:
            axes = self._look()
            size, largest = np.abs(axes).max(), np.abs(peak).max()
            if size > largest:
                peak = axes.copy()
            elif largest > PUSHED and size < RELEASED * largest:
                self._wait_for_rest(largest)
                return peak
            if time.monotonic() > end:
                raise TaskError(f"nobody pushed for {PATIENCE_S:g} s; nothing was changed")

    def _wait_for_rest(self, peak: float) -> None:
        end = time.monotonic() + PATIENCE_S
        while np.abs(self._look()).max() > max(0.1 * peak, 2 * self._driver.deadband):
            if time.monotonic() > end:
                raise TaskError("the device was not let go of; nothing was changed")

    def _button(self) -> str | None:
        """The next button that goes down; None for Enter."""
        self._driver.tapped = frozenset()
        while True:
            self._look()
            names = sorted(self._driver.tapped, key=lambda name: (name.isdigit(), name))
            if names:
                return names[0]
            if select.select([self._keyboard], [], [], 0.0)[0]:
                if os.read(self._keyboard, 1024) == b"":
                    raise TaskError("the terminal is gone; nothing was changed")
                return None

    def _look(self) -> Array:
        self._driver.poll(time.monotonic())
        time.sleep(LOOK_S)
        return self._driver.axes
