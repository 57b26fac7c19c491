# SPDX-License-Identifier: Apache-2.0
"""Two RAM slots on one board, the second higher and turned: two sub-tasks that a chain runs in sequence.

Frames: `first` and `second` are at the middle of the slots' rims, x along the slot, z up. The stick is the
one of the RAM task, fixed in the hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hilserl_sim import mjcf
from hilserl_sim.dimensions import read_dimensions
from hilserl_sim.held_stick import STICK_BOUNDS, HeldStick, StickDimensions, slot_T_inserted
from hilserl_sim.poses import body_pose, pose, site_pose, turn_z
from hilserl_sim.ram_insertion_mjcf import CARRIER_M, RIM_M, VIEW, arm_with_stick, low_parts, plates, socket
from hilserl_sim.scene import Start, Truth
from hilserl_task import Task, TaskError
from hilserl_task.frames import Array

SLOTS = ("first", "second")
TILE_M = (0.065, 0.045)  # half sizes of the board around one slot
BASE_M = (0.13, 0.19)  # half sizes of the plate both stand on, only seen


@dataclass(frozen=True)
class PairDimensions(StickDimensions):
    """The RAM scene's numbers; its rim and place are those of the first slot.

    `target` is the slot that counts: 1 or 2; 0: the one that is nearer, for whole chains. The second slot is
    displaced from the first by `second_*`.
    """

    target: float = 1.0
    board_y_m: float = -0.08
    second_x_m: float = 0.02
    second_y_m: float = 0.16
    second_z_m: float = 0.02
    second_yaw_rad: float = 0.7


BOUNDS = STICK_BOUNDS | {
    "target": (0.0, 2.0), "second_x_m": (-0.1, 0.1), "second_y_m": (0.14, 0.25), "second_z_m": (0.0, 0.1),
    "second_yaw_rad": (-1.2, 1.2),
}  # fmt: skip


class RamPair:
    """Scene of the sub-tasks `ram_first` and `ram_second`."""

    cameras: tuple[str, ...] = ("wrist_1", "wrist_2")
    fixture = "board"  # people may shift it

    def __init__(self, task: Task) -> None:
        if len(task.arms) != 1 or task.scene is None:
            raise TaskError(f"scene ram_pair: has one arm, the task has {len(task.arms)}")
        self._task, self._arm = task, task.arms[0].name
        self._dims = d = read_dimensions(PairDimensions, BOUNDS, task.scene.parameters)
        if d.target not in (0.0, 1.0, 2.0):
            raise TaskError(
                f"scene.parameters.target: {d.target} must be 1 or 2, or 0 for the nearer slot; "
                "example: target: 1"
            )
        second = pose((d.second_x_m, d.second_y_m, d.second_z_m), turn_z(d.second_yaw_rad))
        self._board_T_slot = dict(zip(SLOTS, (np.eye(4), second), strict=True))

    def mjcf(self) -> str:
        """The model as MJCF text."""
        d = self._dims
        turn = f'euler="0 0 {d.second_yaw_rad:.8g}"'
        second = (
            f'<body pos="{d.second_x_m} {d.second_y_m} {d.second_z_m}" {turn}>{_tile(d, "second")}</body>'
        )
        place = mjcf.numbers((d.board_x_m, d.board_y_m, d.rim_height_m))
        board = f'<body name="board" pos="{place}">{_tile(d, "first")}{second}{_base(d)}</body>'
        return mjcf.model("ram_pair", [arm_with_stick(self._arm, d)], board, VIEW, d.friction)

    def bind(self, model: mujoco.MjModel) -> None:
        """Looks up bodies and sites by name."""
        self._board = model.body("board").id
        self._tcp = model.site(f"{self._arm}/tcp").id
        self._stick = HeldStick(model, self._arm, self._dims)

    def randomize(
        self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator, board_moved: bool
    ) -> dict[str, Start]:
        """Draws grasp, board and the start above the slot that counts (the nearer: the first). The same
        draws whatever is asked."""
        reset, evaluation = self._task.reset, self._task.evaluation
        grasp, x, y, z, yaw, board_x, board_y, board_yaw = rng.uniform(-1.0, 1.0, 8)
        moved = float(board_moved) * np.array([board_x, board_y, board_yaw])
        base_T_board = self._place_board(
            model, moved[:2] * evaluation.board_translation_range_m, moved[2] * evaluation.board_yaw_range_rad
        )
        self._stick.shift(model, grasp * reset.grasp_range_m)
        slot_T_start = slot_T_inserted(self._dims, 0.0)  # where the stick sits in the hand is not known
        slot_T_start[:3, 3] += np.array(reset.offset_m) + np.array([x, y, z]) * reset.translation_range_m
        slot_T_start[:3, :3] = turn_z(yaw * reset.yaw_range_rad) @ slot_T_start[:3, :3]
        name = SLOTS[max(int(self._dims.target), 1) - 1]
        return {self._arm: Start(self._slots(base_T_board)[name] @ slot_T_start)}

    def truth(self, data: mujoco.MjData) -> Truth:
        """Of the slot that counts: inserted to within the tolerance of the full depth, inside sideways."""
        slots, base_T_tcp = self._slots(body_pose(data, self._board)), site_pose(data, self._tcp)
        base_T_slot = slots[self._name_of_target(slots, base_T_tcp)]
        depth, inserted = self._stick.depth_in(data, base_T_slot)
        base_T_goal = base_T_slot @ self._stick.slot_T_inserted()
        return Truth(inserted, depth, base_T_tcp, base_T_goal, base_T_slot, slots)

    def _name_of_target(self, slots: dict[str, Array], base_T_tcp: Array) -> str:
        if self._dims.target:
            return SLOTS[int(self._dims.target) - 1]
        return min(slots, key=lambda name: float(np.linalg.norm((slots[name] - base_T_tcp)[:3, 3])))

    def _slots(self, base_T_board: Array) -> dict[str, Array]:
        """base_T_slot by name."""
        return {name: base_T_board @ board_T_slot for name, board_T_slot in self._board_T_slot.items()}

    def _place_board(self, model: mujoco.MjModel, offset_m: Array, yaw_rad: float) -> Array:
        d = self._dims
        position = np.array([d.board_x_m + offset_m[0], d.board_y_m + offset_m[1], d.rim_height_m])
        model.body_pos[self._board] = position
        model.body_quat[self._board] = [np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)]
        return pose(position, turn_z(yaw_rad))


def _tile(d: PairDimensions, name: str) -> str:
    """A slot and the board around it, in the slot's frame, on a block of its own."""
    height = d.rim_height_m - RIM_M - CARRIER_M + (d.second_z_m if name == "second" else 0.0)
    leg, middle = height / 2, -RIM_M - CARRIER_M - height / 2
    block = (
        mjcf.box((0, 0, middle), (TILE_M[0] - 0.02, TILE_M[1] - 0.02, leg), "look", "chip") if leg > 0 else ""
    )
    return f"{mjcf.site(name, (0, 0, 0))}{socket(d)}{plates(d, TILE_M)}{low_parts()}{block}"


def _base(d: PairDimensions) -> str:
    """The plate both tiles stand on, on the table."""
    half_z = 0.002
    centre = (d.second_x_m / 2, d.second_y_m / 2, -d.rim_height_m + half_z)
    return mjcf.box(centre, (*BASE_M, half_z), "look", "pcb")
