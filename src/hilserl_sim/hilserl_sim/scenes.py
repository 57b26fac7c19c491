# SPDX-License-Identifier: Apache-2.0
"""The table from `scene.name` of a task file to the class that builds it. One file a task."""

from __future__ import annotations

from collections.abc import Callable

from hilserl_sim.dashboard_assembly import DashboardAssembly
from hilserl_sim.object_flipping import ObjectFlipping
from hilserl_sim.object_handover import ObjectHandover
from hilserl_sim.press_button import PressButton
from hilserl_sim.ram_insertion import RamInsertion
from hilserl_sim.ram_pair import RamPair
from hilserl_sim.scene import Scene
from hilserl_sim.usb_grasp_insertion import UsbGraspInsertion
from hilserl_task import Task, TaskError

SCENES: dict[str, Callable[[Task], Scene]] = {
    "dashboard_assembly": DashboardAssembly,
    "object_flipping": ObjectFlipping,
    "object_handover": ObjectHandover,
    "press_button": PressButton,
    "ram_insertion": RamInsertion,
    "ram_pair": RamPair,
    "usb_grasp_insertion": UsbGraspInsertion,
}


def make_scene(task: Task) -> Scene:
    """The scene a task names.

    Raises:
        TaskError: no scene, unknown scene, or a camera that the scene does not have.
    """
    if task.scene is None:
        raise TaskError("scene: missing, the simulation needs one; example: scene: {name: ram_insertion}")
    if task.scene.name not in SCENES:
        known = ", ".join(sorted(SCENES))
        raise TaskError(f"scene.name: '{task.scene.name}' is unknown; known scenes: {known}")
    for arm in task.arms:
        if arm.robot != "panda":
            raise TaskError(
                f"arm '{arm.name}': robot: '{arm.robot}' cannot be simulated; scenes have robot: panda"
            )
    scene = SCENES[task.scene.name](task)
    for camera in task.cameras:
        if camera.name not in scene.cameras:
            raise TaskError(
                f"cameras: '{camera.name}' does not exist in scene '{task.scene.name}'; "
                f"it has: {', '.join(scene.cameras)}"
            )
    return scene
