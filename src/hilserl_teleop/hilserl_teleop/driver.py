# SPDX-License-Identifier: Apache-2.0
"""What every driver is: it opens a device, takes in its reports and keeps the newest axes and buttons."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from hilserl_task.device_spec import ButtonsSpec
from hilserl_task.frames import Array


class DeviceGone(RuntimeError):
    """The device cannot be used now; it may come back. The text says what to do."""


class Driver:
    """Base of all drivers. Nothing in here waits: a driver is polled 50 times a second.

    Attributes:
        axes: (6,) newest deflection, +-1 at full deflection, before calibration. Axes as of the stock
            spacenav driver: x forward, y left, z up, then rotation about them.
        pressed: buttons that are down, each by its name and by its number.
        tapped: buttons that went down since the last poll, even if they came up again.
        title: what it is, for people.
        known_buttons: all names and numbers; None when the device does not tell.
        usual_buttons: map of the model, for task files without one.
        deadband: share of full deflection, for task files without one.
        stuck_s, silent_s: see Watchdog.
        returns: whether a lost device may come back.
        fades: a deflection ends by itself, so nobody has to let go of it.
    """

    title = "device"
    known_buttons: Collection[str] | None = None
    usual_buttons = ButtonsSpec(success=0, discard=1)
    deadband = 0.0
    stuck_s: float | None = None
    silent_s: float | None = None
    returns = True
    fades = False

    def __init__(self) -> None:
        self.axes: Array = np.zeros(6)
        self.pressed: frozenset[str] = frozenset()
        self.tapped: frozenset[str] = frozenset()

    def open(self) -> None:
        """Opens the device; starts at rest.

        Raises:
            DeviceGone: not there, or not to be opened.
            TaskError: the task file does not say which device.
        """
        self._rest()

    def poll(self, now_s: float) -> bool:
        """Takes in all reports that are waiting. True when there was one.

        Raises:
            DeviceGone: the device is gone.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Lets the device go; harmless when repeated."""

    def _rest(self) -> None:
        self.axes = np.zeros(6)
        self.pressed = self.tapped = frozenset()

    def _press(self, pressed: Collection[str]) -> None:
        """Takes the buttons that are down now."""
        now = frozenset(pressed)
        self.tapped |= now - self.pressed
        self.pressed = now
