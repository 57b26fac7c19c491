# SPDX-License-Identifier: Apache-2.0
"""Buttons of the input device. Edges count, levels do not: a button held across two steps is one event."""

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


class Buttons:
    """Turns Joy messages into events, one a step.

    Levels survive the end of an episode on purpose: a button still held then is not a new press.
    """

    def __init__(self) -> None:
        self._levels: tuple[bool, ...] = ()
        self._pending: list[Event] = []

    @property
    def success_pressed(self) -> bool:
        """Level of the success button."""
        return len(self._levels) > SUCCESS_BUTTON and self._levels[SUCCESS_BUTTON]

    def update(self, levels: Sequence[int]) -> None:
        """Takes the levels of one Joy message; devices with more buttons than we know are fine."""
        now = tuple(bool(level) for level in levels)
        before = self._levels + (False,) * max(0, len(now) - len(self._levels))
        for pressed, was_pressed, event in zip(now, before, BUTTON_EVENTS, strict=False):
            if pressed and not was_pressed and event not in self._pending:
                self._pending.append(event)
        self._levels = now

    def release(self) -> None:
        """The device fell silent: no button counts as held."""
        self._levels = ()

    def take_event(self) -> Event:
        """The event of this step. Of several, the gravest wins: discard, then failure, then success."""
        event = max(self._pending, default=Event.NONE)
        self._pending.clear()
        return event
