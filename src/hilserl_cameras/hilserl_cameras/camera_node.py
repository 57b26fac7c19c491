# SPDX-License-Identifier: Apache-2.0
"""What the camera nodes share: a loop and a publisher a camera, diagnostics, an end that closes all."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping

from hilserl_cameras.camera_loop import CameraLoop, Health
from hilserl_cameras.frame import Source
from hilserl_cameras.publisher import CameraPublisher
from hilserl_ros.node import ERROR, EXIT_FAULT, EXIT_UNUSABLE, OK, WARN, HilserlNode
from hilserl_task import TaskError
from hilserl_task.camera_spec import CameraSpec

WATCH_PERIOD_S = 0.1
REPORT_PERIOD_S = 1.0


class CameraNode(HilserlNode):
    """Streams cameras until it is told to end. A camera that is lost is looked for again and again."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._loops: dict[str, CameraLoop] = {}
        self._states: dict[str, str] = {}
        self._reported: dict[str, int] = {}

    def stream(self, sources: Mapping[str, Source], specs: Mapping[str, CameraSpec]) -> None:
        """Starts the cameras, by name; called once at the end of the constructor."""
        for name, source in sources.items():
            publisher = CameraPublisher(self, specs[name])
            self._loops[name] = CameraLoop(source, publisher.publish, self._now_ns, self._failed)
            self._states[name] = "opening"
        self.create_timer(WATCH_PERIOD_S, self._watch)
        self.create_timer(REPORT_PERIOD_S, self._report)
        for loop in self._loops.values():
            loop.start()

    def health(self) -> dict[str, Health]:
        """How every camera is, by name."""
        return {name: loop.health() for name, loop in self._loops.items()}

    def close(self) -> None:
        """Closes the devices."""
        for loop in self._loops.values():
            loop.stop()

    def _watch(self) -> None:
        """Says at once when a camera comes or goes, and again while it is away."""
        for name, health in self.health().items():
            before, self._states[name] = self._states[name], health.state
            if health.state == "lost":
                self.diagnose(ERROR, f"camera '{name}' is lost: {health.reason}", losses=health.losses)
            elif health.state == "streaming" and before != "streaming":
                self.diagnose(OK, f"camera '{name}' streams: {health.reason}")

    def _report(self) -> None:
        """Rate, age and losses of every camera."""
        for name, health in self.health().items():
            faults = health.lost_frames + health.losses + health.clock_jumps
            new, self._reported[name] = faults - self._reported.get(name, 0), faults
            level, message = OK, f"{health.rate_hz:.1f} Hz"
            if health.state != "streaming":
                level, message = ERROR, f"{health.state}: {health.reason}"
            elif new:
                level, message = WARN, f"{message}, {new} frames lost, losses or clock jumps"
            self.report(f"camera {name}", level, message, **_numbers(health))

    def _failed(self, error: Exception) -> None:
        """A camera's thread has ended, so the node does; called in that thread."""
        if isinstance(error, TaskError):
            print(f"{self.get_name()}: {error}", file=sys.stderr, flush=True)
            self.finish(EXIT_UNUSABLE)
        else:
            text = "".join(traceback.format_exception(error))
            self.get_logger().fatal(f"a camera's thread failed: {text}")
            self.finish(EXIT_FAULT)

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)


def _numbers(health: Health) -> dict[str, str]:
    return {
        "rate_hz": f"{health.rate_hz:.1f}",
        "age_ms": "none" if health.age_s is None else f"{health.age_s * 1e3:.1f}",
        "exposure": "unknown" if health.exposure is None else f"{health.exposure:g}",
        "frames": str(health.frames),
        "lost_frames": str(health.lost_frames),
        "losses": str(health.losses),
        "clock_jumps": str(health.clock_jumps),
    }
