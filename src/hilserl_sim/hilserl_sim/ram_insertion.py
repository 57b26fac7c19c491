# SPDX-License-Identifier: Apache-2.0
"""RAM insertion: a stick in the gripper, a slot on a motherboard, two cameras at the wrist.

Frames: `board` is at the middle of the slot's rim, x along the slot, z up. The tcp looks down, its x axis
along the stick. Nothing helps the insertion: slot and stick are plain boxes with friction.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_sim.dimensions import read_dimensions
from hilserl_sim.poses import site_pose
from hilserl_sim.ram_insertion_mjcf import scene_xml
from hilserl_sim.scene import Start, Truth
from hilserl_task import Task, TaskError
from hilserl_task.frames import Array, inverse


@dataclass(frozen=True)
class Dimensions:
    """Numbers of the scene, metres; `scene.parameters` of the task file changes them by name.

    The stick is a short RAM stick with heat spreader. Clearance is the whole play, both sides together.
    The lead-in is a 45 degree chamfer of the slot's rim.
    """

    stick_length_m: float = 0.060
    stick_thickness_m: float = 0.004
    stick_height_m: float = 0.030
    stick_below_tcp_m: float = 0.026
    clearance_m: float = 0.001
    slot_depth_m: float = 0.009
    lead_in_m: float = 0.0005
    success_tolerance_m: float = 0.0015
    board_x_m: float = 0.5
    board_y_m: float = 0.0
    rim_height_m: float = 0.08
    friction: float = 0.25


BOUNDS = {
    "stick_length_m": (0.03, 0.1), "stick_thickness_m": (0.001, 0.01), "stick_height_m": (0.02, 0.06),
    "stick_below_tcp_m": (0.02, 0.05), "clearance_m": (0.0002, 0.001), "slot_depth_m": (0.003, 0.012),
    "lead_in_m": (0.0, 0.001), "success_tolerance_m": (0.0001, 0.003), "board_x_m": (0.35, 0.65),
    "board_y_m": (-0.2, 0.2), "rim_height_m": (0.015, 0.3), "friction": (0.05, 1.5),
}  # fmt: skip


class RamInsertion:
    """Scene of the RAM insertion task (paper, Table 1 row 1)."""

    cameras: tuple[str, ...] = ("wrist_1", "wrist_2")

    def __init__(self, task: Task) -> None:
        if len(task.arms) != 1 or task.scene is None:
            raise TaskError(f"scene ram_insertion: has one arm, the task has {len(task.arms)}")
        self._task = task
        self._arm = task.arms[0].name
        self._dims = read_dimensions(Dimensions, BOUNDS, task.scene.parameters)
        self._grasp = 0.0
        self._board_T_goal = np.eye(4)
        self._base_T_board = np.eye(4)

    def mjcf(self) -> str:
        """The model as MJCF text."""
        return scene_xml(self._arm, self._dims)

    def bind(self, model: mujoco.MjModel) -> None:
        """Looks up bodies and sites by name."""
        self._board = model.body("board").id
        self._stick = model.body(f"{self._arm}/stick").id
        self._mount = model.site(f"{self._arm}/wrench").id
        self._edge = model.site(f"{self._arm}/stick_edge").id
        self._tcp = model.site(f"{self._arm}/tcp").id
        self._stick_centre = model.body_pos[self._stick].copy()
        self._mount_centre = model.site_pos[self._mount].copy()

    def randomize(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        rng: np.random.Generator,
        board_moved: bool,
    ) -> dict[str, Start]:
        """Draws grasp, board and start pose. Always the same number of draws: seeds stay comparable."""
        reset, evaluation = self._task.reset, self._task.evaluation
        grasp, x, y, z, yaw, board_x, board_y, board_yaw = rng.uniform(-1.0, 1.0, 8)
        moved = float(board_moved)
        self._place_board(
            model,
            moved * board_x * evaluation.board_translation_range_m[0],
            moved * board_y * evaluation.board_translation_range_m[1],
            moved * board_yaw * evaluation.board_yaw_range_rad,
        )
        self._place_stick(model, grasp * reset.grasp_range_m)
        offset = np.array(reset.offset_m) + np.array([x, y, z]) * np.array(reset.translation_range_m)
        board_T_start = self._board_T_inserted(0.0)  # where the stick sits in the hand is not known
        board_T_start[:3, 3] += offset
        turn = Rotation.from_euler("z", yaw * reset.yaw_range_rad).as_matrix()
        board_T_start[:3, :3] = turn @ board_T_start[:3, :3]
        return {self._arm: Start(self._base_T_board @ board_T_start)}

    def truth(self, data: mujoco.MjData) -> Truth:
        """Inserted to within the tolerance of the full depth, and inside the slot sideways."""
        base_T_tcp = site_pose(data, self._tcp)
        edge = inverse(self._base_T_board) @ np.append(data.site_xpos[self._edge], 1.0)
        inside = bool((np.abs(edge[:2]) <= self._dims.clearance_m).all())
        depth = -float(edge[2])
        deep = depth >= self._dims.slot_depth_m - self._dims.success_tolerance_m
        base_T_goal = self._base_T_board @ self._board_T_goal
        board = self._base_T_board.copy()
        return Truth(inside and deep, depth, base_T_tcp, base_T_goal, board, {"board": board})

    def _place_board(self, model: mujoco.MjModel, x: float, y: float, yaw: float) -> None:
        d = self._dims
        position = np.array([d.board_x_m + x, d.board_y_m + y, d.rim_height_m])
        model.body_pos[self._board] = position
        model.body_quat[self._board] = [np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
        self._base_T_board = np.eye(4)
        self._base_T_board[:3, :3] = Rotation.from_euler("z", yaw).as_matrix()
        self._base_T_board[:3, 3] = position

    def _place_stick(self, model: mujoco.MjModel, grasp: float) -> None:
        """Shifts the stick along its length in the hand; the wrench stays measured at the tcp."""
        self._grasp = grasp
        model.body_pos[self._stick] = self._stick_centre + [grasp, 0, 0]
        model.site_pos[self._mount] = self._mount_centre - [grasp, 0, 0]
        self._board_T_goal = self._board_T_inserted(grasp)

    def _board_T_inserted(self, grasp: float) -> Array:
        """Pose of the tcp in the board frame when the stick stands on the floor of the slot."""
        board_T_tcp = np.eye(4)
        board_T_tcp[:3, :3] = np.diag([1.0, -1.0, -1.0])
        board_T_tcp[:3, 3] = [-grasp, 0.0, self._dims.stick_below_tcp_m - self._dims.slot_depth_m]
        return board_T_tcp
