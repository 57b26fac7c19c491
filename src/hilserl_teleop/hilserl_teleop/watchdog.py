# SPDX-License-Identifier: Apache-2.0
"""When a device may steer: it is there, it reports, and it has been let go of since the last trouble.

A SpaceMouse reports 60 to 125 times a second while it is deflected and falls silent at rest. So silence at
rest is a still hand, silence while deflected is a lost link. A topic is sent all the time: any silence is
trouble.
"""

from __future__ import annotations

import math
from enum import Enum

# Hands off for this long before a device steers (again). Longer than a SpaceMouse needs for a report, so a
# hand that is already pushing is noticed.
CENTRED_S = 0.1


class State(Enum):
    """How a device is."""

    GONE = "gone"
    SILENT = "silent"
    STUCK = "stuck"
    UNCENTRED = "not let go of yet"
    STEERING = "steering"


class Watchdog:
    """Decides from reports and their times; all times on one monotonic clock.

    Args:
        stuck_s: deflected without a report for so long: stuck. None: a still deflection is legitimate.
        silent_s: no report at all for so long: silent. None: silence at rest is legitimate.
    """

    def __init__(self, stuck_s: float | None, silent_s: float | None = None) -> None:
        self._stuck_s, self._silent_s = stuck_s, silent_s
        self._reported_at = 0.0
        self._centred_since: float | None = None
        self._trusted = False

    def lost(self) -> State:
        """The device is not there."""
        self._distrust()
        return State.GONE

    def opened(self, now_s: float) -> None:
        """The device is there (again). One that always reports has yet to prove it."""
        self._distrust()
        self._reported_at = now_s if self._silent_s is None else -math.inf

    def update(self, now_s: float, reported: bool, centred: bool) -> State:
        """The state after a look at the device.

        Args:
            now_s: time of the look.
            reported: it has said something since the last look.
            centred: nobody pushes it.
        """
        if reported:
            self._reported_at = now_s
        quiet_s = now_s - self._reported_at
        if self._silent_s is not None and quiet_s > self._silent_s:
            self._distrust()
            return State.SILENT
        if self._stuck_s is not None and not centred and quiet_s > self._stuck_s:
            self._distrust()
            return State.STUCK
        return self._after_rest(now_s, centred)

    def _after_rest(self, now_s: float, centred: bool) -> State:
        if self._trusted:
            return State.STEERING
        if not centred:
            self._centred_since = None
            return State.UNCENTRED
        self._centred_since = now_s if self._centred_since is None else self._centred_since
        self._trusted = now_s - self._centred_since >= CENTRED_S
        return State.STEERING if self._trusted else State.UNCENTRED

    def _distrust(self) -> None:
        self._trusted, self._centred_since = False, None
