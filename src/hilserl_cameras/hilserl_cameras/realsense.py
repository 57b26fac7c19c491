# SPDX-License-Identifier: Apache-2.0
"""The RealSense node: all cameras of the task with `driver: realsense`, in one process.

ros2 run hilserl_cameras realsense --ros-args -p task:=my_task
"""

from __future__ import annotations

from hilserl_cameras.camera_node import CameraNode
from hilserl_cameras.realsense_devices import RealSenseDevices, require_realsense
from hilserl_cameras.realsense_source import RealSenseSource
from hilserl_ros.node import run
from hilserl_task import TaskError


class RealSenseNode(CameraNode):
    """Streams the colour pictures of RealSense cameras, found by serial number.

    Args:
        devices: where to look for them; the host's if None.
    """

    def __init__(self, devices: RealSenseDevices | None = None) -> None:
        super().__init__("realsense")
        specs = {camera.name: camera for camera in self.task.cameras if camera.driver == "realsense"}
        if not specs:
            raise TaskError(
                f"task '{self.task.name}': no camera has driver: realsense; example: "
                "{name: wrist_1, driver: realsense, serial: '128422270679'}"
            )
        require_realsense()
        devices = devices or RealSenseDevices()
        self.stream({name: RealSenseSource(spec, devices) for name, spec in specs.items()}, specs)


def main() -> None:
    """Entry point of the executable `realsense`."""
    run(RealSenseNode)


if __name__ == "__main__":
    main()
