# SPDX-License-Identifier: Apache-2.0
"""The table from `scene.name` of a task file to what a scripted person knows of it. One file a scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hilserl_task import Task, TaskError
from hilserl_teleop.craft import Craft, LabelRoutine
from hilserl_teleop.dashboard_assembly_craft import DashboardAssemblyCraft
from hilserl_teleop.dashboard_assembly_labels import DashboardAssemblyLabels
from hilserl_teleop.insertion_craft import InsertionCraft
from hilserl_teleop.insertion_labels import InsertionLabels
from hilserl_teleop.object_flipping_craft import ObjectFlippingCraft
from hilserl_teleop.object_flipping_labels import ObjectFlippingLabels
from hilserl_teleop.object_handover_craft import ObjectHandoverCraft
from hilserl_teleop.object_handover_labels import ObjectHandoverLabels
from hilserl_teleop.press_button_craft import PressButtonCraft
from hilserl_teleop.press_button_labels import PressButtonLabels
from hilserl_teleop.usb_grasp_insertion_craft import UsbGraspInsertionCraft
from hilserl_teleop.usb_grasp_insertion_labels import UsbGraspInsertionLabels


@dataclass(frozen=True)
class Known:
    """Craft and label routine of one scene."""

    craft: Callable[[Task, np.random.Generator], Craft]
    labels: Callable[..., LabelRoutine]  # (task, its own craft, generator)


CRAFTS: dict[str, Known] = {
    "dashboard_assembly": Known(DashboardAssemblyCraft, DashboardAssemblyLabels),
    "object_flipping": Known(ObjectFlippingCraft, ObjectFlippingLabels),
    "object_handover": Known(ObjectHandoverCraft, ObjectHandoverLabels),
    "press_button": Known(PressButtonCraft, PressButtonLabels),
    "ram_insertion": Known(InsertionCraft, InsertionLabels),
    "ram_pair": Known(InsertionCraft, InsertionLabels),
    "usb_grasp_insertion": Known(UsbGraspInsertionCraft, UsbGraspInsertionLabels),
}


def known(task: Task) -> Known:
    """What a scripted person knows of the task's scene.

    Raises:
        TaskError: nobody can play the person in this scene.
    """
    name = "" if task.scene is None else task.scene.name
    if name not in CRAFTS:
        raise TaskError(
            f"operator.kind: scripted, but nobody knows how to do scene '{name}'; "
            f"scenes with a scripted person: {', '.join(sorted(CRAFTS))}. Use operator.kind: person"
        )
    return CRAFTS[name]
