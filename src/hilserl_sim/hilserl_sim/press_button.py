# SPDX-License-Identifier: Apache-2.0
"""Press a button: a fist over a small box that stands somewhere on the table; its button has a spring.

Frame: `button` is at the middle of the unpressed cap's top, z up; the arm's base is the world's origin. Box,
cap and fist are rigid and touch with friction. docs/add_a_task.md builds this scene step by step.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hilserl_sim import mjcf, panda
from hilserl_sim.dimensions import read_dimensions
from hilserl_sim.poses import TOOL_DOWN, pose, site_pose, turn_z
from hilserl_sim.scene import Start, Truth
from hilserl_task import Task, TaskError

BOX_HALF_M = 0.03  # along x and y
FIST_HALF_M = (0.0105, 0.0095, 0.012)  # around the tips of the closed fingers
FIST_BELOW_TCP_M = 0.008
CAP_HALF_M = 0.004  # half the cap's thickness


@dataclass(frozen=True)
class Dimensions:
    """Numbers of the scene, SI units; `scene.parameters` of the task file changes them by name."""

    box_x_m: float = 0.5
    box_y_m: float = 0.0
    box_height_m: float = 0.05
    cap_radius_m: float = 0.008
    travel_m: float = 0.006
    pressed_share: float = 0.75  # of the travel, from which it counts
    preload_n: float = 1.5  # 5 N at the bottom: the law pushes with up to stiffness x clip = 11 N
    stiffness_n_per_m: float = 600.0
    friction: float = 0.5


BOUNDS = {
    "box_x_m": (0.35, 0.65), "box_y_m": (-0.2, 0.2), "box_height_m": (0.03, 0.2),
    "cap_radius_m": (0.004, 0.02), "travel_m": (0.003, 0.015), "pressed_share": (0.3, 0.95),
    "preload_n": (0.5, 5.0), "stiffness_n_per_m": (50.0, 1500.0), "friction": (0.05, 1.5),
}  # fmt: skip


class PressButton:
    """Scene of the task press_button."""

    cameras: tuple[str, ...] = ("wrist_1", "side_1")

    def __init__(self, task: Task) -> None:
        if len(task.arms) != 1 or task.scene is None:
            raise TaskError(f"scene press_button: has one arm, the task has {len(task.arms)}")
        self._task, self._arm = task, task.arms[0].name
        self._dims = read_dimensions(Dimensions, BOUNDS, task.scene.parameters)

    def mjcf(self) -> str:
        """The model as MJCF text."""
        p, d = f"{self._arm}/", self._dims
        arm = mjcf.ArmPart(self._arm, _fist(p) + mjcf.wrist_camera(f"{p}wrist_1", 1.0), finger_opening_m=0.0)
        look_at = np.array([d.box_x_m, d.box_y_m, d.box_height_m + 0.012])
        side = mjcf.camera(f"{p}side_1", look_at + [0.0, -0.35, 0.05], look_at, (1.0, 0.0, 0.0), 18.0)
        view = 'pos="1.2 -0.95 0.7" xyaxes="0.72 0.69 0 -0.25 0.26 0.93" fovy="38"'
        return mjcf.model("press_button", [arm], _box(d) + side, view, d.friction)

    def bind(self, model: mujoco.MjModel) -> None:
        """Looks up bodies, joints and sites by name."""
        self._box = model.body("box").id
        self._travel = int(model.joint("cap").qposadr[0])
        self._button = model.site("button").id
        self._tcp = model.site(f"{self._arm}/tcp").id

    def randomize(
        self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator, board_moved: bool
    ) -> dict[str, Start]:
        """Draws the place of the box and, around the middle of its places, the start of the hand."""
        reset, d = self._task.reset, self._dims
        box_x, box_y, x, y, z, yaw = rng.uniform(-1.0, 1.0, 6)  # always as many: a seed is an episode
        spread = np.array(reset.translation_range_m)
        middle = np.array([d.box_x_m, d.box_y_m, 0.0])
        model.body_pos[self._box] = middle + np.array([box_x, box_y, 0.0]) * spread
        above = np.array([0.0, 0.0, d.box_height_m]) + reset.offset_m
        start = middle + above + np.array([x, y, z]) * spread
        return {self._arm: Start(pose(start, turn_z(yaw * reset.yaw_range_rad) @ TOOL_DOWN))}

    def truth(self, data: mujoco.MjData) -> Truth:
        """Pressed by most of its travel."""
        d, pressed = self._dims, float(data.qpos[self._travel])
        button = site_pose(data, self._button)
        goal = pose(button[:3, 3] + [0.0, 0.0, FIST_BELOW_TCP_M - d.travel_m], TOOL_DOWN)
        success = pressed >= d.pressed_share * d.travel_m
        return Truth(success, pressed, site_pose(data, self._tcp), goal, button, {"button": button})


def _fist(p: str) -> str:
    """What touches: the tips of the closed fingers, as one block on a force sensor, in the hand frame."""
    bottom = panda.FLANGE_TO_TCP + FIST_BELOW_TCP_M
    block = mjcf.box((0, 0, bottom - FIST_HALF_M[2]), FIST_HALF_M, "solid", "chip", 'mass="0.02"')
    sensor = mjcf.site(f"{p}wrench", (0, 0, panda.FLANGE_TO_TCP))
    return f'<body name="{p}fist" gravcomp="1">{block}{sensor}</body>'


def _box(d: Dimensions) -> str:
    """A box, and on it a cap that slides down against a spring."""
    half = (d.box_height_m - d.travel_m - 2 * CAP_HALF_M) / 2
    stretched = d.preload_n / d.stiffness_n_per_m
    cap = (
        f'<joint name="cap" type="slide" axis="0 0 -1" limited="true" range="0 {d.travel_m}" damping="5" '
        f'stiffness="{d.stiffness_n_per_m}" springref="{-stretched:.8g}" solreflimit="0.004 1"/>'
        f'<geom class="solid" type="cylinder" size="{d.cap_radius_m} {CAP_HALF_M}" mass="0.02" '
        'material="spreader"/>'
    )
    stem = (0, 0, 2 * half + d.travel_m / 2), (d.cap_radius_m / 2, d.cap_radius_m / 2, d.travel_m / 2)
    return (
        '<body name="box">'
        + mjcf.box((0, 0, half), (BOX_HALF_M, BOX_HALF_M, half), "solid", "blue")
        + mjcf.box(*stem, "look", "ivory")  # seen until the cap covers it
        + mjcf.site("button", (0, 0, d.box_height_m))
        + f'<body name="cap" pos="0 0 {d.box_height_m - CAP_HALF_M:.8g}">{cap}</body></body>'
    )
