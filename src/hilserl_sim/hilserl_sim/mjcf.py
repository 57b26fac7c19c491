# SPDX-License-Identifier: Apache-2.0
"""What every scene's MJCF has in common: options, light, materials, table, arms and their sensors.

Geometry classes: `solid` touches and weighs nothing by itself, `look` is only seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hilserl_sim import panda

Triple = tuple[float, float, float]
MATERIALS = {
    "socket": 'rgba="0.13 0.13 0.15 1" specular="0.2"', "gold": 'rgba="0.95 0.75 0.25 1" specular="0.5"',
    "ivory": 'rgba="0.93 0.9 0.8 1" specular="0.1"', "chip": 'rgba="0.08 0.08 0.09 1" specular="0.3"',
    "tin": 'rgba="0.75 0.76 0.78 1" specular="0.6"', "spreader": 'rgba="0.75 0.12 0.12 1" specular="0.3"',
    "blue": 'rgba="0.13 0.3 0.7 1" specular="0.2"', "green": 'rgba="0.15 0.55 0.3 1" specular="0.2"',
    "orange": 'rgba="0.9 0.45 0.1 1" specular="0.2"',
}  # fmt: skip


@dataclass(frozen=True)
class ArmPart:
    """One arm of a scene.

    Attributes:
        name: of the task file; everything of the arm is named `<name>/...`.
        in_hand: MJCF in the hand frame. Has the site `<name>/wrench` where the force sensor sits, unless
            the fingers move: then it sits at the tcp and weighs the whole hand.
        position, yaw_rad: of the base in the world.
        moving_fingers, finger_opening_m: see `panda.body`.
    """

    name: str
    in_hand: str = ""
    position: Triple = (0.0, 0.0, 0.0)
    yaw_rad: float = 0.0
    moving_fingers: bool = False
    finger_opening_m: float = 0.002

    @property
    def prefix(self) -> str:
        """Before every name of the arm."""
        return f"{self.name}/"

    def body(self) -> str:
        """The arm as a `<body>`."""
        turn = (float(np.cos(self.yaw_rad / 2)), 0.0, 0.0, float(np.sin(self.yaw_rad / 2)))
        sensor = site(f"{self.prefix}wrench", (0, 0, panda.FLANGE_TO_TCP)) if self.moving_fingers else ""
        return panda.body(
            self.prefix,
            self.position,
            turn,
            self.finger_opening_m,
            self.in_hand + sensor,
            self.moving_fingers,
        )


def model(
    name: str,
    arms: Iterable[ArmPart],
    world: str,
    scene_camera: str,
    friction: float = 0.5,
    memory_mb: int = 4,
    table_height_m: float = 0.0,
) -> str:
    """A whole model.

    Args:
        arms: at least one.
        world: MJCF elements beside arms, light and table.
        scene_camera: attributes of the camera `scene`, which people look through.
        friction: sliding, of the class `solid`.
        table_height_m: of the table's top.
    """
    arms = tuple(arms)
    sensors = "".join(
        f'<force name="{a.prefix}force" site="{a.prefix}wrench"/>'
        f'<torque name="{a.prefix}torque" site="{a.prefix}wrench"/>'
        for a in arms
    )
    return f"""<mujoco model="{name}">
  <compiler angle="radian"/>
  <option timestep="0.001" integrator="implicitfast" cone="elliptic" impratio="3" gravity="0 0 -9.81"/>
  <size memory="{memory_mb}M"/>
  <statistic extent="1" center="0.5 0 0.2"/>
  <visual>
    <global offwidth="640" offheight="480"/>
    <quality offsamples="4" shadowsize="0"/>
    <headlight ambient="0.35 0.35 0.35" diffuse="0.25 0.25 0.25" specular="0 0 0"/>
    <map znear="0.01" zfar="20"/>
  </visual>
  <default>
    {"".join(panda.defaults(a.prefix) for a in arms)}
    <default class="solid"><geom contype="1" conaffinity="1" condim="4" friction="{friction} 0.002 0.0001"
      solref="0.004 1" solimp="0.95 0.99 0.0005" mass="0"/></default>
    <default class="look"><geom contype="0" conaffinity="0" mass="0"/></default>
  </default>
  <asset>
    {"".join(panda.materials(a.prefix) for a in arms)}
    <texture name="pcb" type="2d" builtin="checker" rgb1="0.04 0.32 0.16" rgb2="0.05 0.38 0.19"
      mark="random" markrgb="0.35 0.55 0.3" random="0.02" width="256" height="256"/>
    <texture name="table" type="2d" builtin="checker" rgb1="0.55 0.51 0.46" rgb2="0.53 0.49 0.44"
      width="128" height="128"/>
    <texture type="skybox" builtin="gradient" rgb1="0.75 0.8 0.85" rgb2="0.5 0.55 0.6"
      width="64" height="64"/>
    <material name="pcb" texture="pcb" texrepeat="20 20" texuniform="true" specular="0.1"/>
    <material name="table" texture="table" texrepeat="8 8" specular="0"/>
    {"".join(f'<material name="{key}" {look}/>' for key, look in MATERIALS.items())}
  </asset>
  <worldbody>
    <light directional="true" pos="0.3 0.5 2" dir="0.1 -0.35 -1" diffuse="0.55 0.55 0.55"
      specular="0.1 0.1 0.1" castshadow="false"/>
    <geom name="table" class="solid" type="plane" size="1.5 1.5 0.1" pos="0 0 {table_height_m:.8g}"
      material="table"/>
    {"".join(a.body() for a in arms)}
    {world}
    <camera name="scene" {scene_camera}/>
  </worldbody>
  {"".join(panda.couplings(a.prefix) for a in arms if a.moving_fingers)}
  <actuator>{"".join(panda.actuators(a.prefix, a.moving_fingers) for a in arms)}</actuator>
  <sensor>{sensors}</sensor>
</mujoco>"""


def numbers(values: ArrayLike) -> str:
    """As MJCF attribute."""
    return " ".join(f"{float(value):.8g}" for value in np.asarray(values, float).ravel())


def box(centre: Triple, half: Triple, kind: str, material: str, more: str = "") -> str:
    """A box by its centre and half sizes, of class `solid` or `look`."""
    return (
        f'<geom class="{kind}" type="box" pos="{numbers(centre)}" size="{numbers(half)}" '
        f'material="{material}" {more}/>'
    )


def site(name: str, position: Triple) -> str:
    """An invisible point with axes."""
    return f'<site name="{name}" pos="{numbers(position)}" size="0.001" group="4"/>'


def camera(name: str, position: ArrayLike, look_at: ArrayLike, right: ArrayLike, fovy_deg: float) -> str:
    """A camera at `position` that looks at a point; `right` is the picture's x axis, roughly."""
    away = np.asarray(position, float) - np.asarray(look_at, float)
    back = away / np.linalg.norm(away)
    sideways = np.asarray(right, float) - np.dot(right, back) * back
    sideways /= np.linalg.norm(sideways)
    axes = numbers((*sideways, *np.cross(back, sideways)))
    return f'<camera name="{name}" pos="{numbers(position)}" xyaxes="{axes}" fovy="{fovy_deg}"/>'


def wrist_camera(name: str, side: float, reach_m: float = 0.088, below_tcp_m: float = 0.04) -> str:
    """A camera on one side of the hand (+1 or -1 along its x axis), looking below the fingers."""
    position = (side * reach_m, 0.0, 0.030)
    look_at = (side * 0.008, 0.0, panda.FLANGE_TO_TCP + below_tcp_m)  # fingers cover less from the side
    return camera(name, position, look_at, (0.0, side, 0.0), 40.0)


def pocket(
    inner: tuple[float, float], wall: tuple[float, float], depth: float, lead: float,
    materials: tuple[str, str] = ("socket", "ivory"), floor: str = "gold", floor_half: float = 0.001,
) -> str:  # fmt: skip
    """A hole with a 45 degree chamfer at its rim, opening along +z at z = 0, and its floor.

    Args:
        inner: half sizes of the hole along x and y.
        wall: thickness of the walls across x and y.
        depth, lead: of the hole and of its chamfer; metres.
        materials: of the walls along x, and along y.
    """
    half_x, half_y = inner
    outer_x, outer_y = half_x + wall[0], half_y + wall[1]
    along, across = materials
    parts = [box((0, 0, -depth - floor_half), (half_x, half_y, floor_half), "solid", floor)]
    for s in (1, -1):
        # Lower part of each wall up to the chamfer, then the rim outside of it.
        middle = (half_y + outer_y) / 2, (half_x + outer_x) / 2
        low = -(depth + lead) / 2, (depth - lead) / 2
        parts.append(box((0, s * middle[0], low[0]), (outer_x, wall[1] / 2, low[1]), "solid", along))
        parts.append(box((s * middle[1], 0, low[0]), (wall[0] / 2, half_y, low[1]), "solid", across))
        if lead > 0:
            rim_y, rim_x, high = (wall[1] - lead) / 2, (wall[0] - lead) / 2, lead / 2
            side, end = (0, s * (outer_y - rim_y), -high), (s * (outer_x - rim_x), 0, -high)
            parts.append(box(side, (outer_x, rim_y, high), "solid", along))
            parts.append(box(end, (rim_x, half_y + lead, high), "solid", across))
            parts.append(_chamfer("y", s, half_x + lead, half_y, lead, along))
            parts.append(_chamfer("x", s, half_y + lead, half_x, lead, across))
    return "".join(parts)


def _chamfer(axis: str, side: int, half_length: float, inner: float, lead: float, material: str) -> str:
    """A box turned by 45 degrees whose face joins the wall (at depth `lead`) and the rim."""
    half = lead / np.sqrt(2.0)
    thickness = half / 2
    # Middle of the face, then into the wall along its normal (outwards and down).
    out = inner + lead / 2 + thickness / np.sqrt(2.0)
    down = -lead / 2 - thickness / np.sqrt(2.0)
    if axis == "y":
        centre, size, turn = (0.0, side * out, down), (half_length, half, thickness), (side * np.pi / 4, 0.0)
    else:
        centre, size, turn = (side * out, 0.0, down), (half, half_length, thickness), (0.0, -side * np.pi / 4)
    return (
        f'<geom class="solid" type="box" pos="{numbers(centre)}" size="{numbers(size)}" '
        f'euler="{turn[0]:.8g} {turn[1]:.8g} 0" material="{material}"/>'
    )
