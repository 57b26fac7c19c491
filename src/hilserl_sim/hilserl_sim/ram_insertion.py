# SPDX-License-Identifier: Apache-2.0
"""RAM insertion: a stick in the gripper, a slot on a motherboard, two cameras at the wrist.

Frames: `board` is at the middle of the slot's rim, x along the slot, z up. The tcp looks down, its x axis
along the stick. Nothing helps the insertion: slot and stick are plain boxes with friction.
"""

from __future__ import annotations

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_sim.dimensions import read_dimensions
from hilserl_sim.held_stick import STICK_BOUNDS, HeldStick, StickDimensions, slot_T_inserted
from hilserl_sim.poses import body_pose, site_pose
from hilserl_sim.ram_insertion_mjcf import scene_xml
from hilserl_sim.scene import Start, Truth
from hilserl_task import Task, TaskError


class RamInsertion:
    """Scene of the RAM insertion task (paper, Table 1 row 1)."""

    cameras: tuple[str, ...] = ("wrist_1", "wrist_2")
    fixture = "board"  # people may shift it

    def __init__(self, task: Task) -> None:
        if len(task.arms) != 1 or task.scene is None:
            raise TaskError(f"scene ram_insertion: has one arm, the task has {len(task.arms)}")
        self._task = task
        self._arm = task.arms[0].name
        self._dims = read_dimensions(StickDimensions, STICK_BOUNDS, task.scene.parameters)
        self._base_T_board = np.eye(4)

    def mjcf(self) -> str:
        """The model as MJCF text."""
        return scene_xml(self._arm, self._dims)

    def bind(self, model: mujoco.MjModel) -> None:
        """Looks up bodies and sites by name."""
        self._board = model.body("board").id
        self._tcp = model.site(f"{self._arm}/tcp").id
        self._stick = HeldStick(model, self._arm, self._dims)

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
        self._stick.shift(model, grasp * reset.grasp_range_m)
        offset = np.array(reset.offset_m) + np.array([x, y, z]) * np.array(reset.translation_range_m)
        board_T_start = slot_T_inserted(self._dims, 0.0)  # where the stick sits in the hand is not known
        board_T_start[:3, 3] += offset
        turn = Rotation.from_euler("z", yaw * reset.yaw_range_rad).as_matrix()
        board_T_start[:3, :3] = turn @ board_T_start[:3, :3]
        return {self._arm: Start(self._base_T_board @ board_T_start)}

    def truth(self, data: mujoco.MjData) -> Truth:
        """Inserted to within the tolerance of the full depth, and inside the slot sideways."""
        base_T_tcp, board = site_pose(data, self._tcp), body_pose(data, self._board)
        depth, inserted = self._stick.depth_in(data, board)
        base_T_goal = board @ self._stick.slot_T_inserted()
        return Truth(inserted, depth, base_T_tcp, base_T_goal, board, {"board": board})

    def _place_board(self, model: mujoco.MjModel, x: float, y: float, yaw: float) -> None:
        d = self._dims
        position = np.array([d.board_x_m + x, d.board_y_m + y, d.rim_height_m])
        model.body_pos[self._board] = position
        model.body_quat[self._board] = [np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
        self._base_T_board = np.eye(4)
        self._base_T_board[:3, :3] = Rotation.from_euler("z", yaw).as_matrix()
        self._base_T_board[:3, 3] = position
