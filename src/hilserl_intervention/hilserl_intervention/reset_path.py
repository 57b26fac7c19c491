# SPDX-License-Identifier: Apache-2.0
"""The arm's way to the start pose of an episode: back, across, down. No ROS."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_task.frames import Array
from hilserl_task.reset_spec import ResetSpec
from hilserl_task.schema import ArmSpec, WorkspaceSpec


def draw_start(base_T_taught: Array, spec: ResetSpec, rng: np.random.Generator) -> Array:
    """base_T_start (4x4): the taught pose, moved by offset and a random draw, turned about the base's z."""
    x, y, z, yaw = rng.uniform(-1.0, 1.0, 4)
    base_T_start = base_T_taught.copy()
    base_T_start[:3, 3] += np.array(spec.offset_m) + np.array([x, y, z]) * np.array(spec.translation_range_m)
    turn = Rotation.from_euler("z", yaw * spec.yaw_range_rad).as_matrix()
    base_T_start[:3, :3] = turn @ base_T_taught[:3, :3]
    return base_T_start


def way(base_T_now: Array, base_T_start: Array, spec: ResetSpec, box: WorkspaceSpec) -> list[Array]:
    """Poses from here to the start: retreat without turning, above the start, down to it.

    An episode may end anywhere, also at the top of the workspace or a little beside it: the retreat goes as
    far as the workspace reaches.
    """
    retreat = base_T_now.copy()
    retreat[:3, 3] = np.clip(retreat[:3, 3] + spec.retreat_m, box.minimum_m, box.maximum_m)
    above = base_T_start.copy()
    above[2, 3] = max(retreat[2, 3], base_T_start[2, 3])
    return [base_T_now, retreat, above, base_T_start]


def check_starts(base_T_taught: Array, spec: ResetSpec, arm: ArmSpec) -> None:
    """Raises ValueError when a start may be drawn where the controller would not go."""
    box = arm.controller.workspace
    middle, half = base_T_taught[:3, 3] + spec.offset_m, np.array(spec.translation_range_m)
    for corner in (middle - half, middle + half):
        if (corner < box.minimum_m).any() or (corner > box.maximum_m).any():
            raise ValueError(
                f"arm '{arm.name}': starts are drawn up to {np.round(corner, 3).tolist()} m, outside of "
                f"controller.workspace ({list(box.minimum_m)} to {list(box.maximum_m)}); check "
                "reset.taught_poses, reset.offset_m and reset.translation_range_m"
            )
