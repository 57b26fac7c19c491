# SPDX-License-Identifier: Apache-2.0
"""Object handover: the left arm takes a bar out of its basket, the right arm takes it over in the air, lays
it into its own basket and lets go.

Frames: the world's x axis points from the left arm's base to the right one's, which faces it. `object` is at
the middle of the bar, x along it, z up; the baskets' frames are on their inner floors. Both hands look down,
their x axes along the bar. Only finger pads touch: a grasp holds by friction, an open hand holds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hilserl_sim.arm import base_pose
from hilserl_sim.dimensions import read_dimensions
from hilserl_sim.object_handover_mjcf import WALL_M, scene_xml
from hilserl_sim.poses import TOOL_DOWN, body_pose, place_free_body, pose, site_pose, turn_z
from hilserl_sim.scene import Start, Truth
from hilserl_task import Task, TaskError
from hilserl_task.frames import Array, inverse

WAITING_M = 0.02  # of the taking hand behind its grip at the handover: the bar comes between its open fingers
RELEASED = 0.5  # opening from which a hand has let go (original: handover task, left gripper > 0.5)
SLACK_M = 0.005  # contact is soft, and a bar that lies a little askew reaches farther
TILT_LIMIT_RAD = 0.1  # a bar that leans on a wall is not laid down
RAISED_M = 0.03  # right tcp above the bar's middle: its fingers, which reach 7 mm below it, are clear


@dataclass(frozen=True)
class Dimensions:
    """Numbers of the scene, metres; `scene.parameters` of the task file changes them by name.

    The bar leaves 9 cm between the hands, which are 6.3 cm thick along it (the flanges above them 8.4 cm).
    The hands open to 8 cm: 2.5 cm to either side of the bar. Baskets are 2.5 cm longer than it at either end.
    """

    bar_length_m: float = 0.16
    bar_width_m: float = 0.03
    bar_height_m: float = 0.03
    bar_mass_kg: float = 0.12
    grip_offset_m: float = 0.045
    basket_length_m: float = 0.21
    basket_width_m: float = 0.15
    basket_height_m: float = 0.03
    basket_distance_m: float = 0.23
    handover_height_m: float = 0.085
    middle_x_m: float = 0.5
    friction: float = 0.4


BOUNDS = {
    "bar_length_m": (0.14, 0.24), "bar_width_m": (0.015, 0.036), "bar_height_m": (0.02, 0.05),
    "bar_mass_kg": (0.02, 0.5), "grip_offset_m": (0.04, 0.1), "basket_length_m": (0.2, 0.4),
    "basket_width_m": (0.12, 0.3), "basket_height_m": (0.01, 0.05), "basket_distance_m": (0.2, 0.45),
    "handover_height_m": (0.06, 0.2), "middle_x_m": (0.3, 0.7), "friction": (0.05, 1.5),
}  # fmt: skip


class ObjectHandover:
    """Scene of the handover task (paper, Table 1 row 10). The task's first arm gives, the second takes.

    Raises:
        TaskError: not two arms with learned grippers, or dimensions that do not fit each other.
    """

    cameras: tuple[str, ...] = ("wrist_1", "wrist_2", "side")

    def __init__(self, task: Task) -> None:
        if len(task.arms) != 2 or task.scene is None:
            raise TaskError(f"scene object_handover: has two arms, the task has {len(task.arms)}")
        if not all(arm.gripper.learned for arm in task.arms):
            raise TaskError(
                "scene object_handover: both hands grasp; use gripper: {mode: learned, position: 1.0}"
            )
        self._task, (self._giver, self._taker) = task, (arm.name for arm in task.arms)
        self._dims = d = read_dimensions(Dimensions, BOUNDS, task.scene.parameters)
        if d.bar_length_m + 0.02 > d.basket_length_m:
            raise TaskError(
                f"scene.parameters.basket_length_m: {d.basket_length_m} must be 2 cm or more longer "
                f"than bar_length_m: {d.bar_length_m}; example: basket_length_m: {d.bar_length_m + 0.05:g}"
            )
        if d.basket_length_m + 0.01 > d.basket_distance_m:
            raise TaskError(
                f"scene.parameters.basket_distance_m: {d.basket_distance_m} must be 1 cm or more longer than "
                f"basket_length_m: {d.basket_length_m}, or the baskets overlap; "
                f"example: basket_distance_m: {d.basket_length_m + 0.02:g}"
            )

    def mjcf(self) -> str:
        """The model as MJCF text."""
        return scene_xml(self._giver, self._taker, self._dims)

    def bind(self, model: mujoco.MjModel) -> None:
        """Looks up bodies and sites by name."""
        self._object = model.body("object").id
        self._baskets = {name: model.body(name).id for name in ("left_basket", "right_basket")}
        self._tcp, self._taking = (model.site(f"{arm}/tcp").id for arm in (self._giver, self._taker))
        self._world_T_base = {arm: base_pose(model, arm) for arm in (self._giver, self._taker)}
        self._fingers: dict[str, list[int]] = {}
        for arm in (self._giver, self._taker):
            joints = [model.joint(f"{arm}/finger_joint{i}") for i in (1, 2)]
            self._fingers[arm] = [int(joint.qposadr[0]) for joint in joints]
            self._stroke_m = float(sum(joint.range[1] for joint in joints))

    def randomize(
        self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator, board_moved: bool
    ) -> dict[str, Start]:
        """Draws the bar's place in its basket; the hands start at home, as in the original. There is no board
        that could be moved."""
        reset, d = self._task.reset, self._dims
        x, y, yaw = rng.uniform(-1.0, 1.0, 3)
        place = np.array([d.middle_x_m - d.basket_distance_m / 2, 0.0, self._floor_m + d.bar_height_m / 2])
        spread = np.array([x, y, 0.0]) * np.array(reset.translation_range_m)
        place_free_body(model, data, "object", pose(place + spread, turn_z(yaw * reset.yaw_range_rad)))
        above = place + [-d.grip_offset_m, 0.0, 0.0] + np.array(reset.offset_m)
        waiting = [d.middle_x_m + d.grip_offset_m + WAITING_M, 0.0, d.handover_height_m]
        homes = {self._giver: above, self._taker: np.array(waiting)}
        return {
            arm.name: Start(self._hand_down(arm.name, homes[arm.name]), arm.gripper.position)
            for arm in self._task.arms
        }

    def truth(self, data: mujoco.MjData) -> Truth:
        """The bar lies in the right basket, both hands are open and the right one is above it; progress is
        the bar's way from the left basket."""
        d, world_T_object = self._dims, body_pose(data, self._object)
        world_T_giver = self._world_T_base[self._giver]
        meeting = np.array([d.middle_x_m - d.grip_offset_m, 0.0, d.handover_height_m])
        frames = {name: body_pose(data, body) for name, body in self._baskets.items()}
        released = all(self._opening(data, arm) > RELEASED for arm in self._fingers)
        raised = bool(data.site_xpos[self._taking, 2] > world_T_object[2, 3] + RAISED_M)
        return Truth(
            success=self._lies_in(frames["right_basket"], world_T_object) and released and raised,
            insertion_depth=float(world_T_object[0, 3] - frames["left_basket"][0, 3]),
            base_T_tcp=inverse(world_T_giver) @ site_pose(data, self._tcp),
            base_T_goal=self._hand_down(self._giver, meeting),
            base_T_board=inverse(world_T_giver) @ frames["left_basket"],
            frames={"object": world_T_object, **frames},
        )

    @property
    def _floor_m(self) -> float:
        """Height of the baskets' inner floor."""
        return WALL_M

    def _hand_down(self, arm: str, position: Array) -> Array:
        """base_T_tcp of a hand at a place in the world that looks down, its x axis along the base's."""
        base_T_tcp = inverse(self._world_T_base[arm]) @ pose(position)
        base_T_tcp[:3, :3] = TOOL_DOWN
        return base_T_tcp

    def _opening(self, data: mujoco.MjData, arm: str) -> float:
        """0 closed .. 1 open."""
        return float(sum(data.qpos[finger] for finger in self._fingers[arm]) / self._stroke_m)

    def _lies_in(self, world_T_basket: Array, world_T_object: Array) -> bool:
        """All of it inside the walls, flat on the floor."""
        d, basket_T_object = self._dims, inverse(world_T_basket) @ world_T_object
        x, y, z = np.abs(basket_T_object[:3, 3])
        return bool(
            x < (d.basket_length_m - d.bar_length_m) / 2 + SLACK_M
            and y < (d.basket_width_m - d.bar_width_m) / 2 + SLACK_M
            and z < d.bar_height_m / 2 + SLACK_M
            and abs(basket_T_object[2, 0]) < np.sin(TILT_LIMIT_RAD)
        )
