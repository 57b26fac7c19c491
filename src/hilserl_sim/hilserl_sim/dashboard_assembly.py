# SPDX-License-Identifier: Apache-2.0
"""Dashboard assembly: two arms lift one workpiece by its ends, turn it and press its four pins into a panel.

Frames: `workpiece` is half way between its two grips, x from the left to the right arm, z up while it stands
on its pins. `panel` is in the middle of the dashboard's face with z out of it; the face is turned about x, so
the workpiece has to be. Hands look down, their fingers close along y. Only finger pads touch: both grasps
hold by friction, and pins that miss their holes stand on the face.
"""

from __future__ import annotations

import mujoco
import numpy as np

from hilserl_sim.dashboard_assembly_mjcf import BOUNDS, Dimensions, scene_xml
from hilserl_sim.dimensions import read_dimensions
from hilserl_sim.poses import TOOL_DOWN, body_pose, place_free_body, pose, site_pose, turn_z
from hilserl_sim.scene import Start, Truth
from hilserl_task import Task, TaskError
from hilserl_task.frames import inverse


class DashboardAssembly:
    """Scene of the dashboard task (paper, Table 1 row 9: 3 x 3 cm and 10 degrees).

    Success is every pin in, held or not: the paper's criterion is that all pins are fully inserted.
    """

    cameras: tuple[str, ...] = ("wrist_1", "wrist_2", "side")
    fixture = "dashboard"

    def __init__(self, task: Task) -> None:
        if len(task.arms) != 2 or task.scene is None:
            raise TaskError(
                f"scene dashboard_assembly: has two arms, the task has {len(task.arms)}; "
                "example: arms named left and right"
            )
        for arm in task.arms:
            if not arm.gripper.learned:
                raise TaskError(
                    f"scene dashboard_assembly: arm '{arm.name}' has to grasp; "
                    "use gripper: {mode: learned, position: 1.0}"
                )
        mounted = {"wrist_1": task.arms[0].name, "wrist_2": task.arms[1].name, "side": task.arms[0].name}
        for camera in task.cameras:
            wanted = mounted.get(camera.name, camera.arm)
            if camera.arm != wanted:
                raise TaskError(
                    f"scene dashboard_assembly: camera '{camera.name}' belongs to arm '{wanted}', "
                    f"not '{camera.arm}'"
                )
        self._task = task
        self._left, self._right = (arm.name for arm in task.arms)
        self._dims = read_dimensions(Dimensions, BOUNDS, task.scene.parameters)
        self._seated = pose((0.0, 0.0, self._dims.plate_bottom_m))  # panel_T_workpiece
        low = -self._dims.standing_height_m
        self._tips = np.array([(*pin, low, 1.0) for pin in self._dims.pins_m]).T  # workpiece frame

    def mjcf(self) -> str:
        """The model as MJCF text."""
        return scene_xml(self._left, self._right, self._dims)

    def bind(self, model: mujoco.MjModel) -> None:
        """Looks up bodies and sites by name."""
        self._workpiece = model.body("workpiece").id
        self._tcp = model.site(f"{self._left}/tcp").id
        self._panel = model.body("dashboard").id
        self._panel_home = model.body_pos[self._panel].copy()

    def randomize(
        self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator, board_moved: bool
    ) -> dict[str, Start]:
        """Draws the workpiece's place, and with `board_moved` the dashboard's along x. The same draws
        whatever is asked."""
        reset, evaluation, d = self._task.reset, self._task.evaluation, self._dims
        x, y, yaw, panel_x = rng.uniform(-1.0, 1.0, 4)
        moved = float(board_moved) * panel_x * evaluation.board_translation_range_m[0]
        model.body_pos[self._panel] = self._panel_home + [moved, 0.0, 0.0]
        middle = np.array([d.middle_x_m, d.workpiece_y_m, d.standing_height_m])
        where = middle + np.array([x, y, 0.0]) * np.array([*reset.translation_range_m[:2], 0.0])
        place_free_body(model, data, "workpiece", pose(where, turn_z(yaw * reset.yaw_range_rad)))
        start = np.array(reset.offset_m) + [d.middle_x_m, d.workpiece_y_m, d.standing_height_m]
        aside = np.array([d.grip_spacing_m / 2, 0.0, 0.0])
        left = pose(start - aside, TOOL_DOWN)
        # The right base is turned by half a turn about z, so both hands have the same pose before their arm.
        right = pose([d.base_distance_m - start[0] - aside[0], -start[1], start[2]], TOOL_DOWN)
        openings = [arm.gripper.position for arm in self._task.arms]
        return {self._left: Start(left, openings[0]), self._right: Start(right, openings[1])}

    def truth(self, data: mujoco.MjData) -> Truth:
        """All pins deep enough, and inside their holes sideways."""
        d = self._dims
        world_T_workpiece, world_T_tcp = body_pose(data, self._workpiece), site_pose(data, self._tcp)
        world_T_panel = body_pose(data, self._panel)
        tips = inverse(world_T_panel) @ world_T_workpiece @ self._tips
        depth = -float(tips[2].max())  # of the pin that is least deep
        beside = np.abs(tips[:2] - self._tips[:2]).max()
        success = depth >= d.pin_length_m - d.success_tolerance_m and beside <= d.clearance_m
        world_T_goal = world_T_panel @ self._seated @ inverse(world_T_workpiece) @ world_T_tcp
        frames = {"workpiece": world_T_workpiece, "panel": world_T_panel}
        return Truth(bool(success), depth, world_T_tcp, world_T_goal, world_T_panel, frames)
