# SPDX-License-Identifier: Apache-2.0
"""Time stamps of a device in ROS time. No ROS in here.

A frame arrives some milliseconds after its stamp, never before. So `now - stamp` is the clock offset plus a
delay, and its smallest value over a window is the best estimate of it: the idea of NTP's clock filter.
The window forgets, so drift between the clocks (some 50 ppm, 0.5 ms in ten seconds) is followed.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

WINDOW_NS = 10_000_000_000
# Delays stay below this; a larger difference is a clock that was set, wrapped or started anew.
JUMP_NS = 1_000_000_000
# A stall of this host looks like a jump too, but only for a few frames. At 30 Hz this is a third of a second.
CONFIRMATIONS = 10


class ClockMap:
    """Offset between the clock of a device and ROS time.

    Attributes:
        jumps: how often one of the clocks was set, wrapped or started anew.
    """

    def __init__(self) -> None:
        self.jumps = 0
        self._offsets: deque[tuple[int, int]] = deque()  # (now, offset), offsets ascending
        self._device_ns: int | None = None
        self._doubts = 0

    def ros_ns(self, device_ms: float, clock: Literal["system", "device"], now_ns: int) -> int:
        """ROS time of a frame.

        Args:
            device_ms: the frame's stamp.
            clock: a `system` stamp is the host's time already; it is taken as it is unless ROS time is
                another (use_sim_time).
            now_ns: ROS time at its arrival.

        Returns:
            Never later than now: what arrived was taken before.
        """
        device_ns = round(device_ms * 1e6)
        if clock == "system" and 0 <= now_ns - device_ns < JUMP_NS:
            return device_ns
        return min(device_ns + self._offset(device_ns, now_ns), now_ns)

    def _offset(self, device_ns: int, now_ns: int) -> int:
        """Takes a pair of times in and returns the estimate of the offset."""
        offset = now_ns - device_ns
        went_back = self._device_ns is not None and device_ns < self._device_ns - JUMP_NS
        self._device_ns = device_ns
        if self._offsets:
            # An offset far below the smallest cannot be a delay, nor can one after a device that began anew.
            excess = offset - self._offsets[0][1]
            if excess < -JUMP_NS or went_back:
                self._begin_anew()
            elif excess > JUMP_NS:
                self._doubts += 1
                if self._doubts < CONFIRMATIONS:
                    return self._offsets[0][1]
                self._begin_anew()
        self._doubts = 0
        self._keep(offset, now_ns)
        return self._offsets[0][1]

    def _keep(self, offset: int, now_ns: int) -> None:
        """Sliding minimum: an older entry that is no smaller can never be the minimum again."""
        while self._offsets and self._offsets[-1][1] >= offset:
            self._offsets.pop()
        self._offsets.append((now_ns, offset))
        while self._offsets[0][0] < now_ns - WINDOW_NS:
            self._offsets.popleft()

    def _begin_anew(self) -> None:
        self.jumps += 1
        self._offsets.clear()
