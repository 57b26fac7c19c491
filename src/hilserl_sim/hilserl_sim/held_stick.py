# SPDX-License-Identifier: Apache-2.0
"""The RAM stick in the hand: where it sits there, and how deep it stands in a slot."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hilserl_sim.poses import TOOL_DOWN, pose
from hilserl_task.frames import Array, inverse


@dataclass(frozen=True)
class StickDimensions:
    """Numbers of stick and slot, metres; `scene.parameters` of the task file changes them by name.

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


STICK_BOUNDS = {
    "stick_length_m": (0.03, 0.1), "stick_thickness_m": (0.001, 0.01), "stick_height_m": (0.02, 0.06),
    "stick_below_tcp_m": (0.02, 0.05), "clearance_m": (0.0002, 0.001), "slot_depth_m": (0.003, 0.012),
    "lead_in_m": (0.0, 0.001), "success_tolerance_m": (0.0001, 0.003), "board_x_m": (0.35, 0.65),
    "board_y_m": (-0.2, 0.2), "rim_height_m": (0.015, 0.3), "friction": (0.05, 1.5),
}  # fmt: skip


class HeldStick:
    """A stick welded to the hand. A slot's frame is at the middle of its rim, x along it, z up.

    Args:
        model: compiled, with the bodies and sites of `ram_insertion_mjcf.arm_with_stick`.
        arm: that holds it.
    """

    def __init__(self, model: mujoco.MjModel, arm: str, dimensions: StickDimensions) -> None:
        self._dims = dimensions
        self._stick = model.body(f"{arm}/stick").id
        self._mount = model.site(f"{arm}/wrench").id
        self._edge = model.site(f"{arm}/stick_edge").id
        self._stick_centre = model.body_pos[self._stick].copy()
        self._mount_centre = model.site_pos[self._mount].copy()
        self.grasp_m = 0.0

    def shift(self, model: mujoco.MjModel, grasp_m: float) -> None:
        """Shifts the stick along its length in the hand; the wrench stays measured at the tcp."""
        self.grasp_m = grasp_m
        model.body_pos[self._stick] = self._stick_centre + [grasp_m, 0, 0]
        model.site_pos[self._mount] = self._mount_centre - [grasp_m, 0, 0]

    def slot_T_inserted(self) -> Array:
        """Pose of the tcp in the slot's frame when the stick stands on its floor."""
        return slot_T_inserted(self._dims, self.grasp_m)

    def depth_in(self, data: mujoco.MjData, world_T_slot: Array) -> tuple[float, bool]:
        """Metres of the stick's edge below the rim (negative above it), and whether it stands in the slot:
        within the tolerance of the full depth, and inside sideways."""
        edge = inverse(world_T_slot) @ np.append(data.site_xpos[self._edge], 1.0)
        inside = bool((np.abs(edge[:2]) <= self._dims.clearance_m).all())
        depth = -float(edge[2])
        return depth, inside and depth >= self._dims.slot_depth_m - self._dims.success_tolerance_m


def slot_T_inserted(dimensions: StickDimensions, grasp_m: float) -> Array:
    """Pose of the tcp in the slot's frame when a stick that is shifted so far in the hand is inserted."""
    height = dimensions.stick_below_tcp_m - dimensions.slot_depth_m
    return pose((-grasp_m, 0.0, height), TOOL_DOWN)
