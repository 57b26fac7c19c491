# SPDX-License-Identifier: Apache-2.0
"""A device as the person means it: driver, calibration, buttons and watchdog together. No ROS in here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilserl_task import TaskError
from hilserl_task.device_spec import DeviceSpec
from hilserl_task.frames import Array
from hilserl_teleop.calibration import ButtonMap, Calibration
from hilserl_teleop.driver import DeviceGone, Driver
from hilserl_teleop.watchdog import State, Watchdog

REOPEN_S = 1.0
RELEASED = (False, False, False, False)


@dataclass(frozen=True)
class Reading:
    """What is published of one look.

    Attributes:
        stick: (6,) in [-1, 1].
        buttons: success, discard, failure, gripper.
        state: of the watchdog; neutral unless it is STEERING.
        problem: why the device is gone, for people.
    """

    stick: Array
    buttons: tuple[bool, bool, bool, bool]
    state: State
    problem: str = ""


class Reader:
    """Reads a device, opens it again when it is lost, and lets it steer only after it was let go of.

    Args:
        spec: of the task file.
        driver: of that device, not open yet.
        where: of the device in the task file, for error texts.
    """

    def __init__(self, spec: DeviceSpec, driver: Driver, where: str = "operator.devices") -> None:
        self._spec, self.driver, self._where = spec, driver, where
        self.calibration = Calibration(spec.axes, driver.deadband)
        self._buttons: ButtonMap | None = None
        self._held: frozenset[str] = frozenset()  # down since before it steers: no new press
        self._watchdog = Watchdog(spec.stuck_s or driver.stuck_s, driver.silent_s)
        self._open_at = -np.inf
        self._is_open = self._was_open = False
        self._problem = ""

    def read(self, now_s: float) -> Reading:
        """One look at the device; never waits.

        Args:
            now_s: on a monotonic clock.

        Raises:
            TaskError: the task file does not say which device, or names a button that it has not.
        """
        try:
            if not self._is_open:
                self._open(now_s)
            reported = self._is_open and self.driver.poll(now_s)
        except DeviceGone as error:
            self._lose(str(error), now_s)
        if not self._is_open:
            return Reading(np.zeros(6), RELEASED, self._watchdog.lost(), self._problem)
        centred = self.driver.fades or self.calibration.centred(self.driver.axes)
        state = self._watchdog.update(now_s, reported, centred)
        if state is not State.STEERING or self._buttons is None:
            self._held = self.driver.pressed
            return Reading(np.zeros(6), RELEASED, state)
        self._held &= self.driver.pressed
        levels = self._buttons.levels((self.driver.pressed | self.driver.tapped) - self._held)
        return Reading(self.calibration.stick(self.driver.axes), levels, state)

    def close(self) -> None:
        """Lets the device go."""
        self.driver.close()
        self._is_open = False

    def _open(self, now_s: float) -> None:
        if now_s - self._open_at < REOPEN_S:
            return
        self._open_at = now_s
        try:
            self.driver.open()
            usual = self._spec.buttons or self.driver.usual_buttons
            self._buttons = ButtonMap(usual, self.driver.known_buttons, f"{self._where}.buttons")
        except TaskError as error:
            self.driver.close()
            if not self._was_open:
                raise
            raise DeviceGone(str(error)) from error  # e.g. two candidates after a replug: not in mid-run
        self._watchdog.opened(now_s)
        self._is_open = self._was_open = True

    def _lose(self, problem: str, now_s: float) -> None:
        self.driver.close()
        self._is_open, self._open_at, self._problem = False, now_s, problem
