# SPDX-License-Identifier: Apache-2.0
"""One input device as the mux knows it: stick, buttons and how old they are. No ROS in here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from hilserl_intervention.buttons import Buttons
from hilserl_task import Task
from hilserl_task.action_codec import check_action
from hilserl_task.action_layout import STICK_AXES
from hilserl_task.frames import Array
from hilserl_task.operator_spec import OperatorSpec

NS_PER_S = 1e9


def device_arms(task: Task) -> tuple[str | None, ...]:
    """The devices a task has, each by the arm it moves; None: the one without an arm, which moves the first.

    Where the task lists none, a driver started by hand may publish either way. A scripted person has one
    device in a task with one arm, and one an arm in a task with several.
    """
    operator, arms = task.operator, tuple(arm.name for arm in task.arms)
    if operator.kind == "scripted":
        return (None,) if len(arms) == 1 else arms
    if operator.devices:
        return tuple(device.arm for device in operator.devices)
    return (None, *arms)


class Device:
    """Newest stick deflection and buttons; stamps are of one clock that the caller chooses.

    Attributes:
        steers: it moved its arm in the last decision.
        lost: it fell silent while it steered: its arm stands still until it speaks again or the episode ends.
    """

    def __init__(self, spec: OperatorSpec, warn: Callable[[str], None]) -> None:
        self._spec, self._warn = spec, warn
        self.buttons = Buttons()
        self.steers = self.lost = False
        self._stick = np.zeros(STICK_AXES)
        self.stick_ns: int | None = None
        self.joy_ns: int | None = None
        self.deflected_ns: int | None = None

    def push(self, stamp_ns: int, deflection: ArrayLike) -> None:
        """Takes a stick reading (6,), unit range; an unusable one counts as neutral."""
        try:
            self._stick = check_action(deflection, STICK_AXES)
        except ValueError as error:
            self._warn(f"stick: {error}")
            self._stick = np.zeros(STICK_AXES)
        self.stick_ns, self.lost = stamp_ns, False
        if self._deflected:
            self.deflected_ns = stamp_ns

    def press(self, stamp_ns: int, levels: list[int]) -> None:
        """Takes button levels."""
        self.buttons.update(levels)
        self.joy_ns = stamp_ns

    @property
    def _deflected(self) -> bool:
        return bool(np.abs(self._stick).max() > self._spec.deadband)

    @property
    def stick(self) -> Array:
        """Deflection (6,); zeros within the dead-band."""
        return self._stick if self._deflected else np.zeros(STICK_AXES)

    def moved(self, now_ns: int) -> bool:
        """The stick is out of its dead-band, or was so within the hold time."""
        if self.deflected_ns is None:
            return False
        hold_ns = self._spec.hold_s * NS_PER_S
        return self._deflected or (hold_ns > 0 and now_ns - self.deflected_ns <= hold_ns)

    def forget_if_silent(self, now_ns: int) -> None:
        """A device that fell silent (unplugged, dead driver) must not go on steering."""
        limit = self._spec.timeout_s * NS_PER_S
        if self.stick_ns is not None and now_ns - self.stick_ns > limit:
            if self.steers and self._deflected:
                self.lost = True
                self._warn("input device fell silent while it steered; its arm stands still until it speaks")
            self._stick, self.stick_ns, self.deflected_ns = np.zeros(STICK_AXES), None, None
        if self.joy_ns is not None and now_ns - self.joy_ns > limit:
            self.buttons.release()
            self.joy_ns = None

    def begin_episode(self, now_ns: int) -> None:
        """A press while nothing ran does nothing to the episode that begins now."""
        self.steers = self.lost = False
        if self.joy_ns is None or self.joy_ns < now_ns:
            self.buttons.forget()

    def answered(self, stamp_ns: int) -> bool:
        """Stick and buttons have the stamp of an observation."""
        return self.stick_ns == self.joy_ns == stamp_ns
