# SPDX-License-Identifier: Apache-2.0
"""USB grasp-insertion: a connector lies loose on the table; grasp it, plug it into an upright panel, let go.

Frames: `connector` is at the middle of its grip, x towards the plug, z up. `port` is at the middle of the
opening with the connector's axes: x into the panel. The hand looks down, its x axis along the connector's.
Only the finger pads touch: the grasp holds by friction, and a crooked one makes the plug jam.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hilserl_sim import mjcf, panda
from hilserl_sim.dimensions import read_dimensions
from hilserl_sim.poses import TOOL_DOWN, body_pose, place_free_body, pose, site_pose, turn_z
from hilserl_sim.scene import Start, Truth
from hilserl_task import Task, TaskError
from hilserl_task.frames import inverse

RELEASED = 0.4  # opening from which the connector is let go (original: USB task, gripper > 0.4)
PANEL_M = (0.012, 0.06)  # half sizes: depth, width
PANEL_T_PORT = pose((-PANEL_M[0], 0.0, 0.0))
ABOVE_PORT_M = 0.020  # the panel ends here, so that the hand passes over it
WALL_M = 0.004  # of the port's frame


@dataclass(frozen=True)
class Dimensions:
    """Numbers of the scene, metres; `scene.parameters` of the task file changes them by name.

    The plug is a USB-A's (12 x 4.5 mm). Clearance is the whole play, both sides together.
    """

    plug_length_m: float = 0.011
    plug_width_m: float = 0.012
    plug_height_m: float = 0.0045
    grip_length_m: float = 0.034
    grip_width_m: float = 0.014
    grip_height_m: float = 0.016
    connector_mass_kg: float = 0.02
    clearance_m: float = 0.001
    lead_in_m: float = 0.0008
    success_tolerance_m: float = 0.0025
    connector_x_m: float = 0.48
    connector_y_m: float = -0.04
    port_x_m: float = 0.59
    port_y_m: float = 0.02
    port_height_m: float = 0.06
    friction: float = 0.25


BOUNDS = {
    "plug_length_m": (0.005, 0.02), "plug_width_m": (0.006, 0.02), "plug_height_m": (0.003, 0.01),
    "grip_length_m": (0.022, 0.06), "grip_width_m": (0.008, 0.03), "grip_height_m": (0.012, 0.03),
    "connector_mass_kg": (0.005, 0.2), "clearance_m": (0.0002, 0.002), "lead_in_m": (0.0, 0.0015),
    "success_tolerance_m": (0.0001, 0.004), "connector_x_m": (0.35, 0.55), "connector_y_m": (-0.2, 0.2),
    "port_x_m": (0.5, 0.65), "port_y_m": (-0.2, 0.2), "port_height_m": (0.05, 0.2), "friction": (0.05, 1.5),
}  # fmt: skip


class UsbGraspInsertion:
    """Scene of the USB task (paper, Table 1 row 3: 2 x 2 cm and 10 degrees)."""

    cameras: tuple[str, ...] = ("wrist_1", "wrist_2", "side_1")
    fixture = "panel"  # people may shift it

    def __init__(self, task: Task) -> None:
        if len(task.arms) != 1 or task.scene is None:
            raise TaskError(f"scene usb_grasp_insertion: has one arm, the task has {len(task.arms)}")
        if not task.arms[0].gripper.learned:
            raise TaskError(
                "scene usb_grasp_insertion: the hand grasps; use gripper: {mode: learned, position: 1.0}"
            )
        self._task, self._arm = task, task.arms[0].name
        self._dims = read_dimensions(Dimensions, BOUNDS, task.scene.parameters)
        self._port_T_inserted = pose((-self._dims.grip_length_m / 2, 0, 0))

    def mjcf(self) -> str:
        """The model as MJCF text."""
        p = f"{self._arm}/"
        cameras = mjcf.wrist_camera(f"{p}wrist_1", 1.0, below_tcp_m=0.0) + _camera_behind(f"{p}wrist_2")
        arm = mjcf.ArmPart(self._arm, cameras, moving_fingers=True)
        view = 'pos="1.2 -0.95 0.7" xyaxes="0.72 0.69 0 -0.25 0.26 0.93" fovy="38"'
        world = _connector(self._dims) + _panel(self._dims) + _side_camera(f"{p}side_1", self._dims)
        return mjcf.model("usb_grasp_insertion", [arm], world, view, self._dims.friction)

    def bind(self, model: mujoco.MjModel) -> None:
        """Looks up bodies and sites by name."""
        self._connector = model.body("connector").id
        self._tcp = model.site(f"{self._arm}/tcp").id
        self._fingers = [int(model.joint(f"{self._arm}/finger_joint{i}").qposadr[0]) for i in (1, 2)]
        self._opening_m = float(sum(model.joint(f"{self._arm}/finger_joint{i}").range[1] for i in (1, 2)))
        self._panel = model.body("panel").id
        self._panel_home = model.body_pos[self._panel].copy()

    def randomize(
        self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator, board_moved: bool
    ) -> dict[str, Start]:
        """Draws the connector's place and the hand's start above it. The same draws whatever is asked."""
        reset, evaluation, d = self._task.reset, self._task.evaluation, self._dims
        x, y, yaw, hand_x, hand_y, panel_y = rng.uniform(-1.0, 1.0, 6)
        moved = float(board_moved) * panel_y * evaluation.board_translation_range_m[1]
        model.body_pos[self._panel] = self._panel_home + [0.0, moved, 0.0]
        place = np.array([d.connector_x_m, d.connector_y_m, d.grip_height_m / 2])
        spread = np.array(reset.translation_range_m)
        where = place + np.array([x, y, 0.0]) * spread
        place_free_body(model, data, "connector", pose(where, turn_z(yaw * reset.yaw_range_rad)))
        start = place + np.array(reset.offset_m) + np.array([hand_x, hand_y, 0.0]) * spread
        return {self._arm: Start(pose(start, TOOL_DOWN), self._task.arms[0].gripper.position)}

    def truth(self, data: mujoco.MjData) -> Truth:
        """Plugged in to within the tolerance of the full depth, and let go."""
        d, base_T_tcp = self._dims, site_pose(data, self._tcp)
        base_T_connector = body_pose(data, self._connector)
        base_T_port = body_pose(data, self._panel) @ PANEL_T_PORT
        port_T_connector = inverse(base_T_port) @ base_T_connector
        tip = port_T_connector @ np.array([d.grip_length_m / 2 + d.plug_length_m, 0.0, 0.0, 1.0])
        inside = bool((np.abs(tip[1:3]) <= d.clearance_m).all())
        deep = tip[0] >= d.plug_length_m - d.success_tolerance_m
        opening = sum(data.qpos[finger] for finger in self._fingers) / self._opening_m
        base_T_goal = base_T_port @ self._port_T_inserted @ inverse(base_T_connector) @ base_T_tcp
        return Truth(
            bool(inside and deep and opening > RELEASED),
            float(tip[0]),
            base_T_tcp,
            base_T_goal,
            base_T_port,
            {"connector": base_T_connector, "port": base_T_port},
        )


def _connector(d: Dimensions) -> str:
    """Grip and plug; loose."""
    grip = (d.grip_length_m / 2, d.grip_width_m / 2, d.grip_height_m / 2)
    plug = (d.plug_length_m / 2, d.plug_width_m / 2, d.plug_height_m / 2)
    at = grip[0] + plug[0]
    mass = f'mass="{0.8 * d.connector_mass_kg:.8g}"', f'mass="{0.2 * d.connector_mass_kg:.8g}"'
    return (
        f'<body name="connector" pos="{d.connector_x_m} {d.connector_y_m} {grip[2]}">'
        '<freejoint name="connector"/>'
        + mjcf.box((0, 0, 0), grip, "solid", "blue", mass[0])
        + mjcf.box((at, 0, 0), plug, "solid", "tin", mass[1])
        + mjcf.box((-grip[0] + 0.004, 0, 0), (0.003, grip[1] + 2e-4, grip[2] + 2e-4), "look", "ivory")
        + "</body>"
    )


def _panel(d: Dimensions) -> str:
    """An upright panel whose port opens towards the arm."""
    inner = (d.plug_height_m + d.clearance_m) / 2, (d.plug_width_m + d.clearance_m) / 2
    outer_z, outer_y = inner[0] + WALL_M, inner[1] + WALL_M
    depth, half_y = PANEL_M
    top, bottom = ABOVE_PORT_M, d.port_height_m
    port = mjcf.pocket(inner, (WALL_M, WALL_M), d.plug_length_m, d.lead_in_m, ("tin", "tin"), "chip")
    side = (half_y - outer_y) / 2
    parts = [  # around the port; its own frame ends flush with the panel's face
        mjcf.box(
            (0, s * (outer_y + side), (top - bottom) / 2), (depth, side, (top + bottom) / 2), "solid", "green"
        )
        for s in (1, -1)
    ]
    for s, reach in ((1, top), (-1, bottom)):
        half = (reach - outer_z) / 2
        parts.append(mjcf.box((0, 0, s * (outer_z + half)), (depth, outer_y, half), "solid", "green"))
    parts.append(f'<body pos="{-depth:.8g} 0 0" euler="0 {-np.pi / 2:.10g} 0">{port}</body>')
    parts.append(mjcf.box((depth - 0.001, 0, 0), (0.001, outer_y, outer_z), "look", "green"))  # back
    place = mjcf.numbers((d.port_x_m, d.port_y_m, d.port_height_m))
    return f'<body name="panel" pos="{place}">{"".join(parts)}</body>'


def _camera_behind(name: str) -> str:
    """At the wrist, looking over the connector at what lies ahead of it."""
    return mjcf.camera(name, (-0.095, 0.0, 0.045), (0.035, 0.0, panda.FLANGE_TO_TCP), (0.0, -1.0, 0.0), 45.0)


def _side_camera(name: str, d: Dimensions) -> str:
    """Stands beside the panel and sees little more than port and plugged connector (original: a crop of 128
    of 1280 pixels): what decides must fill the picture, else an open hand at the port looks like success."""
    look_at = (d.port_x_m - 0.03, d.port_y_m, d.port_height_m)
    position = (d.port_x_m - 0.15, d.port_y_m - 0.26, d.port_height_m + 0.035)
    return mjcf.camera(name, position, look_at, (1.0, 0.0, 0.0), 13.0)
