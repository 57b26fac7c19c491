# SPDX-License-Identifier: Apache-2.0
"""The V4L2 node: one UVC camera of the task, or a video file in its place.

ros2 run hilserl_cameras v4l2 --ros-args -p task:=my_task -p camera:=side
"""

from __future__ import annotations

from hilserl_cameras.camera_node import CameraNode
from hilserl_cameras.v4l2_source import V4l2Source
from hilserl_ros.node import run
from hilserl_task import TaskError


class V4l2Node(CameraNode):
    """Streams one camera with `driver: v4l2`.

    Parameter `camera`: its name; may be left out if the task has one such camera.

    Args:
        camera: its name, instead of the parameter.
    """

    def __init__(self, camera: str = "") -> None:
        super().__init__(f"v4l2_{camera}" if camera else "v4l2")
        specs = {spec.name: spec for spec in self.task.cameras if spec.driver == "v4l2"}
        name = camera or self.declare_parameter("camera", "").value
        if not name and len(specs) == 1:
            name = next(iter(specs))
        if name not in specs:
            raise TaskError(
                f"camera: '{name}' must be one of the cameras with driver: v4l2 of task '{self.task.name}': "
                f"{', '.join(specs) or 'there is none'}; example: -p camera:={next(iter(specs), 'side')}"
            )
        self.stream({name: V4l2Source(specs[name])}, {name: specs[name]})


def main() -> None:
    """Entry point of the executable `v4l2`."""
    run(V4l2Node)


if __name__ == "__main__":
    main()
