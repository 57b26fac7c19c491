# SPDX-License-Identifier: Apache-2.0
"""Object flipping: a pan in the hand, a loose disc with two sides in it; toss it so that it lands turned.

Frames: `pan` is at the middle of its floor, z up into the pan, x away from the hand. `object` is at the
middle of the disc, z out of its white side, which is side_a. The hand looks down, the pan reaches forward.
Nothing but contact and friction holds the disc in the pan.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from hilserl_sim.dimensions import read_dimensions
from hilserl_sim.object_flipping_mjcf import scene_xml, tcp_P_pan
from hilserl_sim.poses import TOOL_DOWN, body_pose, place_free_body, pose, site_pose
from hilserl_sim.scene import Start, Truth
from hilserl_task import Task, TaskError
from hilserl_task.frames import Array, inverse

SIDE_A, SIDE_B, LOST = "side_a", "side_b", "lost"
# Between lying and lost there is a band that belongs to no class: nobody could say from a picture.
FLAT_RAD, TILTED_RAD = 0.25, 0.35  # of the disc against the pan's floor
LOW_M, HIGH_M = 0.008, 0.015  # of the disc's middle above where it is when it lies
# Of the disc off the pan's floor, and about axes in it; slower counts as caught.
OFF_MPS, OVER_RADPS = 0.15, 2.0
CLEAR_M = 0.001  # above the floor at the reset: it falls the rest while the arm settles


@dataclass(frozen=True)
class Dimensions:
    """Numbers of the scene, SI units; `scene.parameters` of the task file changes them by name.

    A small frying pan and something like a fried egg or a thick biscuit.
    """

    pan_radius_m: float = 0.085
    rim_length_m: float = 0.055
    rim_lean_rad: float = 0.6
    pan_reach_m: float = 0.19  # from the tcp, which holds the handle, to the middle
    pan_drop_m: float = 0.01
    pan_mass_kg: float = 0.25
    object_diameter_m: float = 0.06
    object_height_m: float = 0.014
    object_mass_kg: float = 0.04
    hand_x_m: float = 0.42
    hand_z_m: float = 0.36
    friction: float = 0.3


BOUNDS = {
    "pan_radius_m": (0.05, 0.15), "rim_length_m": (0.02, 0.1), "rim_lean_rad": (0.1, 1.2),
    "pan_reach_m": (0.14, 0.3), "pan_drop_m": (0.0, 0.05), "pan_mass_kg": (0.05, 1.0),
    "object_diameter_m": (0.03, 0.09), "object_height_m": (0.006, 0.03), "object_mass_kg": (0.01, 0.2),
    "hand_x_m": (0.35, 0.5), "hand_z_m": (0.25, 0.5), "friction": (0.05, 1.5),
}  # fmt: skip


class ObjectFlipping:
    """Scene of the object flipping task (paper, Table 1 row 13: object random, robot not).

    A flat disc low in the pan is one of the two sides. In the air, on its edge or off the pan it is lost:
    what flies has not been caught, and pays nothing. An object that is off the pan stays lost until the next
    reset puts it back; the episode goes on to its end.
    """

    cameras: tuple[str, ...] = ("wrist_1", "side")

    def __init__(self, task: Task) -> None:
        if len(task.arms) != 1 or task.scene is None:
            raise TaskError(f"scene object_flipping: has one arm, the task has {len(task.arms)}")
        if task.arms[0].gripper.learned:
            raise TaskError("scene object_flipping: the hand keeps the pan; use gripper: {mode: fixed}")
        self._task, self._arm = task, task.arms[0].name
        self._dims = read_dimensions(Dimensions, BOUNDS, task.scene.parameters)
        room = self._dims.pan_radius_m - self._dims.object_diameter_m / 2
        furthest = float(np.hypot(*task.reset.translation_range_m[:2]))
        if furthest > room:
            raise TaskError(
                f"reset.translation_range_m: {list(task.reset.translation_range_m)} puts the object up to "
                f"{furthest:.3f} m from the middle, but only {room:.3f} m are free in the pan; "
                "example: [0.02, 0.02, 0.0]"
            )
        self._began_with = SIDE_A

    def mjcf(self) -> str:
        """The model as MJCF text."""
        return scene_xml(self._arm, self._dims)

    def bind(self, model: mujoco.MjModel) -> None:
        """Looks up bodies and sites by name."""
        self._model = model
        self._object = model.body("object").id
        self._pan = model.body(f"{self._arm}/pan").id
        self._tcp = model.site(f"{self._arm}/tcp").id

    def randomize(
        self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator, board_moved: bool
    ) -> dict[str, Start]:
        """Draws where in the pan the object lies, its turn and which side is up. The arm starts the same."""
        reset, d = self._task.reset, self._dims
        x, y, yaw, side = rng.uniform(-1.0, 1.0, 4)
        self._began_with = SIDE_A if side >= 0 else SIDE_B
        base_T_tcp = pose([d.hand_x_m, 0.0, d.hand_z_m], TOOL_DOWN)
        spread = reset.translation_range_m
        height = d.object_height_m / 2 + CLEAR_M
        pan_P_object = np.array([x * spread[0], y * spread[1], height])
        over = Rotation.from_euler("x", 0.0 if self._began_with == SIDE_A else np.pi)
        turn = Rotation.from_euler("z", yaw * reset.yaw_range_rad) * over
        middle = base_T_tcp @ np.append(tcp_P_pan(d), 1.0)  # the pan's axes are the base's at the start
        place_free_body(model, data, "object", pose(middle[:3] + pan_P_object, turn.as_matrix()))
        return {self._arm: Start(base_T_tcp)}

    def truth(self, data: mujoco.MjData) -> Truth:
        """Turned over, and at rest in the pan. Depth is how far it is turned: -1 not at all, 1 quite."""
        base_T_pan, base_T_object = body_pose(data, self._pan), body_pose(data, self._object)
        pan_T_object = inverse(base_T_pan) @ base_T_object
        kind = self._kind(pan_T_object)
        turned = {SIDE_A: SIDE_B, SIDE_B: SIDE_A}[self._began_with]
        white_up = float(pan_T_object[2, 2])
        base_T_tcp = site_pose(data, self._tcp)
        return Truth(
            kind == turned and self._caught(data, base_T_pan),
            -white_up if self._began_with == SIDE_A else white_up,
            base_T_tcp,
            pose([self._dims.hand_x_m, 0.0, self._dims.hand_z_m], TOOL_DOWN),
            base_T_pan,
            {"object": base_T_object, "pan": base_T_pan},
            kind,
        )

    def _kind(self, pan_T_object: Array) -> str:
        """Class of what is seen; empty where nobody could say."""
        d = self._dims
        tilt = float(np.arccos(np.clip(abs(pan_T_object[2, 2]), 0.0, 1.0)))
        above = float(pan_T_object[2, 3]) - d.object_height_m / 2
        aside = float(np.hypot(*pan_T_object[:2, 3]))
        if tilt < FLAT_RAD and abs(above) < LOW_M and aside < d.pan_radius_m:
            return SIDE_A if pan_T_object[2, 2] > 0 else SIDE_B
        outside = aside > d.pan_radius_m + d.rim_length_m or above < -LOW_M
        return LOST if outside or above > HIGH_M or tilt > TILTED_RAD else ""

    def _caught(self, data: mujoco.MjData, base_T_pan: Array) -> bool:
        """The object neither leaves the pan nor turns over. It may slide: the rim holds it."""
        velocities = []
        for body in (self._object, self._pan):
            velocity = np.zeros(6)  # turning, then moving; world axes, at the body's frame
            mujoco.mj_objectVelocity(self._model, data, mujoco.mjtObj.mjOBJ_XBODY, body, velocity, 0)
            velocities.append(velocity)
        ofobject, ofpan = velocities
        carried = ofpan[3:] + np.cross(ofpan[:3], data.xpos[self._object] - base_T_pan[:3, 3])
        pan_R_base = base_T_pan[:3, :3].T
        off = (pan_R_base @ (ofobject[3:] - carried))[2]
        over = (pan_R_base @ (ofobject[:3] - ofpan[:3]))[:2]
        return bool(abs(off) < OFF_MPS and np.linalg.norm(over) < OVER_RADPS)
