# SPDX-License-Identifier: Apache-2.0
"""A gamepad, through evdev or through the topic of a joy node.

ros2 run hilserl_teleop gamepad
"""

from __future__ import annotations

import os

import evdev
from evdev import InputDevice, ecodes

from hilserl_ros.node import run
from hilserl_task import TaskError
from hilserl_task.device_spec import DeviceSpec
from hilserl_teleop.device_node import DeviceNode
from hilserl_teleop.driver import DeviceGone, Driver
from hilserl_teleop.gamepad import DEADBAND, KNOWN, USUAL, Gamepad, is_gamepad
from hilserl_teleop.joy_topic import JoyDriver


class GamepadDriver(Driver):
    """A gamepad of this computer.

    The kernel reports changes only, so a stick held still is silent: no silence is trouble unless the task
    file gives a stuck_s. A pad that is unplugged or out of reach disappears, which is noticed at once.
    """

    known_buttons = KNOWN
    usual_buttons = USUAL
    deadband = DEADBAND

    def __init__(self, spec: DeviceSpec) -> None:
        super().__init__()
        self._spec = spec
        self._device: InputDevice | None = None
        self._pad = Gamepad({})
        self.title = "gamepad"

    def open(self) -> None:
        """Finds the pad and opens it."""
        super().open()
        self._device = choose(self._spec)
        self.title = f"{self._device.name} ({self._device.path})"
        self._sync()

    def poll(self, now_s: float) -> bool:
        """Takes in all events."""
        self.tapped = frozenset()
        if self._device is None:
            raise DeviceGone("gamepad: not open")
        reported = False
        try:
            for event in self._device.read():
                if Gamepad.overrun(event):
                    self._sync()
                reported |= self._pad.take(event)
                self._press(self._pad.pressed)  # each event: a quick tap must not get lost
        except BlockingIOError:
            pass
        except OSError as error:
            raise DeviceGone(f"{self.title}: unplugged ({error.strerror})") from error
        self.axes = self._pad.axes
        return reported

    def _sync(self) -> None:
        """State as the kernel has it."""
        assert self._device is not None
        try:
            axes = self._device.capabilities().get(ecodes.EV_ABS, [])
            self._pad = Gamepad(dict(axes), self._device.active_keys())
        except OSError as error:
            raise DeviceGone(f"{self.title}: unplugged ({error.strerror})") from error
        self.axes = self._pad.axes
        self._press(self._pad.pressed)

    def close(self) -> None:
        """Closes the device file."""
        if self._device is not None:
            self._device.close()
            self._device = None


def find() -> list[InputDevice]:
    """All gamepads that may be read; the caller closes them."""
    pads = []
    for path in evdev.list_devices():
        try:
            device = InputDevice(path)
        except OSError:
            continue  # unplugged meanwhile
        if is_gamepad(device.capabilities(absinfo=False)):
            pads.append(device)
        else:
            device.close()
    return pads


def choose(spec: DeviceSpec) -> InputDevice:
    """The pad the task file means, open.

    Raises:
        DeviceGone: not plugged in, or not readable.
        TaskError: several fit.
    """
    pads = find()
    fitting = [pad for pad in pads if _fits(pad, spec)]
    for pad in pads:
        if pad not in fitting or len(fitting) > 1:
            pad.close()
    if len(fitting) > 1:
        names = "; ".join(f"{pad.name}: path: {pad.phys or pad.path}" for pad in fitting)
        raise TaskError(
            f"driver: gamepad: {len(fitting)} fit: {names}; choose one in the task file; "
            f"example: path: {fitting[0].phys or fitting[0].path}"
        )
    if not fitting:
        there = "; ".join(pad.name for pad in pads) or "none that may be read"
        raise DeviceGone(
            f"no gamepad found; plugged in: {there}; not readable? sudo usermod -aG input $USER, then log in "
            "again"
        )
    return fitting[0]


def _fits(pad: InputDevice, spec: DeviceSpec) -> bool:
    if spec.serial is not None and spec.serial != pad.uniq:
        return False
    if spec.product is not None and spec.product.lower() not in pad.name.lower():
        return False
    if spec.path is None:
        return True
    return spec.path == pad.phys or os.path.realpath(spec.path) == os.path.realpath(pad.path)


class GamepadNode(DeviceNode):
    """Gamepad."""

    def __init__(self) -> None:
        super().__init__("gamepad")

    def make_driver(self, spec: DeviceSpec) -> Driver:
        """Through evdev, or through a topic where the task file names one."""
        return JoyDriver(self, spec.topic) if spec.topic else GamepadDriver(spec)


def main() -> None:
    """Entry point of the executable `gamepad`."""
    run(GamepadNode)


if __name__ == "__main__":
    main()
