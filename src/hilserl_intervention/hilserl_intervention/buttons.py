# SPDX-License-Identifier: Apache-2.0
"""Buttons of the person. Edges count, levels do not: a button held across two steps is one event."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class Event(IntEnum):
    """What a button edge means; values as in hilserl_msgs/Action."""

    NONE = 0
    SUCCESS = 1
    FAILURE = 2
    DISCARD = 3


# Index in sensor_msgs/Joy.buttons. A two-button SpaceMouse has the first two, larger ones and gamepads all.
BUTTON_EVENTS = (Event.SUCCESS, Event.DISCARD, Event.FAILURE)
SUCCESS_BUTTON = BUTTON_EVENTS.index(Event.SUCCESS)
GRIPPER_BUTTON = len(BUTTON_EVENTS)


class Buttons:
    """Turns Joy messages into events, one a step, and into the wish to toggle the gripper.

    Levels survive the end of an episode on purpose: a button still held then is not a new press.

    Attributes:
        toggle: the gripper shall change; two presses before it could are none.
    """

    def __init__(self) -> None:
        self.toggle = False
        self._levels: tuple[bool, ...] = ()
        self._pending: set[Event] = set()
        self._held_over = False  # success has not been let go of since `forget`

    @property
    def success_pressed(self) -> bool:
        """Level of the success button; not the end of a press that was meant for something before."""
        return self._success_level and not self._held_over

    @property
    def _success_level(self) -> bool:
        return len(self._levels) > SUCCESS_BUTTON and self._levels[SUCCESS_BUTTON]

    def update(self, levels: Sequence[int]) -> None:
        """Takes the levels of one Joy message; devices with more buttons than we know are fine."""
        now = tuple(bool(level) for level in levels)
        before = self._levels + (False,) * max(0, len(now) - len(self._levels))
        for index, (pressed, was_pressed) in enumerate(zip(now, before, strict=False)):
            if pressed and not was_pressed:
                self._edge(index)
        self._levels = now
        self._held_over &= self._success_level

    def _edge(self, index: int) -> None:
        if index < len(BUTTON_EVENTS):
            self.press(BUTTON_EVENTS[index])
        elif index == GRIPPER_BUTTON:
            self.toggle = not self.toggle

    def press(self, event: Event) -> None:
        """An edge without a level, as from a window; the same event twice in a step is one."""
        self._pending.add(event)

    def release(self) -> None:
        """The device fell silent: no button counts as held."""
        self._levels, self._held_over = (), False

    def take_event(self) -> Event:
        """The event of this step. Of several, the gravest wins: discard, then failure, then success."""
        event = max(self._pending, default=Event.NONE)
        self._pending.clear()
        return event

    def forget(self) -> None:
        """Drops what was pressed and not yet taken, and the rest of a press that is still held."""
        self._pending.clear()
        self.toggle = False
        self._held_over = self._success_level
