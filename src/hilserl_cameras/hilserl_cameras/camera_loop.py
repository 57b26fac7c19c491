# SPDX-License-Identifier: Apache-2.0
"""One camera in a thread of its own: open, read, hand on, and try again when it is lost. No ROS in here."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hilserl_cameras.clock_map import ClockMap
from hilserl_cameras.frame import Calibration, CameraLost, Frame, Source

# The slowest usual stream has 5 Hz; with auto exposure in the dark some halve their rate.
FRAME_TIMEOUT_S = 1.0
RETRY_S = 0.5
STOP_S = 5.0


@dataclass(frozen=True)
class Picture:
    """A frame with its time.

    Attributes:
        stamp_ns: ROS time at which it was taken.
    """

    frame: Frame
    stamp_ns: int
    calibration: Calibration | None


@dataclass(frozen=True)
class Health:
    """How a camera is.

    Attributes:
        state: `opening` until the first frame, `streaming`, `lost` after a failure.
        reason: why it is lost, or what is open.
        rate_hz: of the last second or so.
        age_s: between the newest picture's stamp and its arrival; None before the first.
        frames, lost_frames, losses, clock_jumps: since the start. A lost frame is a gap in the device's
            counter, a loss is a camera that went away.
        exposure: of the newest frame, in the device's unit.
    """

    state: Literal["opening", "streaming", "lost"]
    reason: str
    rate_hz: float
    age_s: float | None
    frames: int
    lost_frames: int
    losses: int
    clock_jumps: int
    exposure: float | None


class CameraLoop:
    """Runs a source until told to stop.

    Args:
        source: the camera.
        publish: takes every picture, in the thread of the loop.
        now_ns: ROS time.
        failed: takes the exception after which the loop has ended: an unusable task, or a bug.
    """

    def __init__(
        self,
        source: Source,
        publish: Callable[[Picture], None],
        now_ns: Callable[[], int],
        failed: Callable[[Exception], None],
    ) -> None:
        self._source = source
        self._publish = publish
        self._now_ns = now_ns
        self._failed = failed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._lock = threading.Lock()
        self._state: Literal["opening", "streaming", "lost"] = "opening"
        self._reason = "not open yet"
        self._arrivals_s: deque[float] = deque(maxlen=31)
        self._frames = self._lost_frames = self._losses = self._clock_jumps = 0
        self._age_s: float | None = None
        self._exposure: float | None = None
        self._number: int | None = None
        self._calibration: Calibration | None = None
        self._clocks = ClockMap()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and closes the camera; waits a few seconds for a driver that hangs."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def health(self) -> Health:
        """How the camera is now."""
        with self._lock:
            return Health(
                self._state,
                self._reason,
                self._rate_hz(),
                self._age_s,
                self._frames,
                self._lost_frames,
                self._losses,
                self._clock_jumps + self._clocks.jumps,
                self._exposure,
            )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._stream()
            except CameraLost as error:
                self._lost(str(error))
            except Exception as error:  # a thread has no caller: the node hears of it and ends
                self._lost(str(error))
                self._failed(error)
                return
            finally:
                self._source.close()
            self._stopping.wait(RETRY_S)

    def _stream(self) -> None:
        """Reads until the camera is lost or the loop shall stop."""
        opened = self._source.open()
        self._calibration = self._source.calibration()
        with self._lock:
            self._reason, self._number = opened, None
            self._clock_jumps += self._clocks.jumps
            self._clocks = ClockMap()  # the clock of a device that comes back begins anew
        while not self._stopping.is_set():
            self._take(self._source.read(FRAME_TIMEOUT_S))

    def _take(self, frame: Frame) -> None:
        now_ns = self._now_ns()
        with self._lock:
            stamp_ns = self._clocks.ros_ns(frame.device_ms, frame.clock, now_ns)
            self._state = "streaming"
            self._frames += 1
            self._arrivals_s.append(time.monotonic())
            self._age_s = (now_ns - stamp_ns) * 1e-9
            self._exposure = frame.exposure
            if frame.number is not None:
                if self._number is not None and frame.number > self._number:
                    self._lost_frames += frame.number - self._number - 1
                self._number = frame.number
        self._publish(Picture(frame, stamp_ns, self._calibration))

    def _lost(self, reason: str) -> None:
        with self._lock:
            self._losses += self._state == "streaming"
            self._state, self._reason = "lost", reason
            self._arrivals_s.clear()

    def _rate_hz(self) -> float:
        if len(self._arrivals_s) < 2:
            return 0.0
        duration = self._arrivals_s[-1] - self._arrivals_s[0]
        return (len(self._arrivals_s) - 1) / duration if duration > 0 else 0.0
