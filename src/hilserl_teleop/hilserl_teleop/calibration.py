# SPDX-License-Identifier: Apache-2.0
"""From a device's axes and buttons to the stick and the four actions, as the task file says."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from hilserl_task import TaskError
from hilserl_task.device_spec import BUTTON_ACTIONS, AxesSpec, ButtonsSpec
from hilserl_task.frames import Array

# A hand is off the device below this share of full deflection, whatever the dead-band: springs do not
# return to exactly zero.
CENTRED = 0.05


class Calibration:
    """Order, sign, scale, dead-band and curve of the axes.

    Args:
        spec: of the task file.
        deadband: the driver's, where the task file names none.
    """

    def __init__(self, spec: AxesSpec, deadband: float = 0.0) -> None:
        self._order = np.array(spec.order)
        self._gain = np.array(spec.sign) * np.array(spec.scale)
        self._deadband = np.array(spec.deadband if spec.deadband is not None else [deadband] * 6)
        self._exponent = spec.exponent

    def stick(self, axes: Array) -> Array:
        """(6,) in [-1, 1] of the device's (6,) axes; continuous, also at the edge of the dead-band."""
        size = np.minimum(np.abs(self._pushed(axes)), 1.0)
        left = np.maximum(size - self._deadband, 0.0) / (1.0 - self._deadband)
        return np.sign(self._pushed(axes)) * left**self._exponent

    def centred(self, axes: Array) -> bool:
        """No hand on it: every axis within its dead-band, or within 5 %."""
        return bool((np.abs(self._pushed(axes)) <= np.maximum(self._deadband, CENTRED)).all())

    def _pushed(self, axes: Array) -> Array:
        return self._gain * axes[self._order]


class ButtonMap:
    """Which device button stands for success, discard, failure and gripper.

    Args:
        spec: of the task file, or the driver's usual one.
        known: all names and numbers the device has; None when it cannot be known.

    Raises:
        TaskError: an action has a button that the device does not have.
    """

    def __init__(self, spec: ButtonsSpec, known: Collection[str] | None, where: str = "buttons") -> None:
        self._buttons = [getattr(spec, action) for action in BUTTON_ACTIONS]
        for action, button in zip(BUTTON_ACTIONS, self._buttons, strict=True):
            if button is not None and known is not None and str(button) not in known:
                names = sorted(
                    known, key=lambda name: (name.isdigit(), int(name) if name.isdigit() else 0, name)
                )
                raise TaskError(
                    f"{where}.{action}: '{button}' is no button of this device; known: {', '.join(names)}; "
                    f"example: {action}: {names[0]}"
                )

    def levels(self, pressed: Collection[str]) -> tuple[bool, bool, bool, bool]:
        """Success, discard, failure, gripper."""
        down = [button is not None and str(button) in pressed for button in self._buttons]
        return down[0], down[1], down[2], down[3]
