# SPDX-License-Identifier: Apache-2.0
"""Pictures of the cameras as they come, for tools: from running drivers, or from drivers of its own."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image

from hilserl_cameras.camera_loop import Health
from hilserl_cameras.camera_node import CameraNode
from hilserl_cameras.frame import Pixels
from hilserl_cameras.realsense import RealSenseNode
from hilserl_cameras.v4l2 import V4l2Node
from hilserl_ros import codec, qos
from hilserl_ros.image_transport import rgb_from_any
from hilserl_task import Task
from hilserl_task.camera_spec import OWN_DRIVERS, CameraSpec

DISCOVERY_S = 1.0
KEPT_ARRIVALS = 200


@dataclass
class Stream:
    """What came of one camera.

    Attributes:
        newest: the picture, or None before the first.
        problem: why the newest message was no picture.
        ages_s: of the last pictures, between stamp and arrival.
    """

    newest: Pixels | None = None
    count: int = 0
    problem: str = ""
    ages_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_ARRIVALS))
    arrivals_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_ARRIVALS))

    def rate_hz(self) -> float:
        """Pictures a second; 0 before the second one."""
        if len(self.arrivals_s) < 2:
            return 0.0
        duration = self.arrivals_s[-1] - self.arrivals_s[0]
        return (len(self.arrivals_s) - 1) / duration if duration > 0 else 0.0


class LivePictures:
    """Listens to cameras of a task in a thread. A driver of ours that nobody runs is started here.

    Args:
        reference: of the task, as `load_task` takes it, and what it says.
        cameras: those to listen to.
    """

    def __init__(
        self, reference: str, overrides: Sequence[str], task: Task, cameras: Sequence[CameraSpec]
    ) -> None:
        self.streams = {camera.name: Stream() for camera in cameras}
        parameters = [f"task:={json.dumps(reference)}"]
        if overrides:
            parameters.append(f"overrides:={json.dumps(list(overrides))}")
        arguments = ["--ros-args", *(word for text in parameters for word in ("-p", text))]
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        self._executor = SingleThreadedExecutor()
        self._node = Node("camera_tool")
        self._drivers: list[CameraNode] = []
        profile = qos.sensor(task.pacing)
        for camera in cameras:
            kind = CompressedImage if camera.transport == "compressed" else Image
            self._node.create_subscription(kind, camera.input_topic, self._taker(camera.name), profile)
        self._executor.add_node(self._node)
        self._start_missing(cameras)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def health(self) -> dict[str, Health]:
        """What the drivers started here say, by camera."""
        return {name: health for driver in self._drivers for name, health in driver.health().items()}

    def failed(self) -> bool:
        """Whether a driver started here has given up; it has said why."""
        return any(driver.ended.done() for driver in self._drivers)

    def close(self) -> None:
        """Ends the drivers started here, and ROS."""
        for driver in self._drivers:
            driver.close()
        self._executor.shutdown()
        rclpy.try_shutdown()
        self._thread.join(5.0)

    def _start_missing(self, cameras: Sequence[CameraSpec]) -> None:
        ours = [camera for camera in cameras if camera.driver in OWN_DRIVERS]
        deadline = time.monotonic() + DISCOVERY_S
        while ours and time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.05)
        missing = [camera for camera in ours if not self._node.count_publishers(camera.input_topic)]
        if any(camera.driver == "realsense" for camera in missing):
            self._drivers.append(RealSenseNode())
        self._drivers += [V4l2Node(camera.name) for camera in missing if camera.driver == "v4l2"]
        for driver in self._drivers:
            self._executor.add_node(driver)

    def _taker(self, name: str):  # type: ignore[no-untyped-def]
        stream = self.streams[name]

        def take(message: Image | CompressedImage) -> None:
            now_ns = self._node.get_clock().now().nanoseconds
            try:
                stream.newest = rgb_from_any(message)
            except ValueError as error:
                stream.problem = str(error)
                return
            stream.problem = ""
            stream.count += 1
            stream.arrivals_s.append(time.monotonic())
            stream.ages_s.append((now_ns - codec.ns_from_stamp(message.header.stamp)) * 1e-9)

        return take

    def _spin(self) -> None:
        try:
            while rclpy.ok():
                self._executor.spin_once(timeout_sec=0.1)
        except ExternalShutdownException:
            return
