# SPDX-License-Identifier: Apache-2.0
"""MJCF text of the RAM insertion scene: table, motherboard with slot, stick and cameras in the hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hilserl_sim import panda

if TYPE_CHECKING:
    from hilserl_sim.ram_insertion import Dimensions

WALL_M = 0.0035  # thickness of the socket's long walls
END_M = 0.007  # length of the socket beyond either end of the slot
RIM_M = 0.0015  # height of the socket's rim above the board
CARRIER_M = 0.014  # the board stands on a carrier block this thick
CAMERA_X_M = 0.088  # wrist cameras, along the stick's direction, in the hand frame
CAMERA_Z_M = 0.030
LOOK_AT_BELOW_TCP_M = 0.040
LOOK_AT_X_M = 0.008  # towards the camera, so that the fingers cover less
FOVY_DEG = 40.0


def scene_xml(arm: str, d: Dimensions) -> str:
    """The whole model. Bodies `board`, `<arm>/stick`; sites `<arm>/{tcp,wrench,stick_edge}`;
    cameras `<arm>/wrist_1`, `<arm>/wrist_2`; sensors `<arm>/force`, `<arm>/torque`."""
    p = f"{arm}/"
    return f"""<mujoco model="ram_insertion">
  <compiler angle="radian"/>
  <option timestep="0.001" integrator="implicitfast" cone="elliptic" impratio="3" gravity="0 0 -9.81"/>
  <size memory="4M"/>
  <statistic extent="1" center="0.5 0 0.2"/>
  <visual>
    <global offwidth="640" offheight="480"/>
    <quality offsamples="4" shadowsize="0"/>
    <headlight ambient="0.35 0.35 0.35" diffuse="0.25 0.25 0.25" specular="0 0 0"/>
    <map znear="0.01" zfar="20"/>
  </visual>
  <default>
    {panda.defaults(p)}
    <default class="solid"><geom contype="1" conaffinity="0" condim="4" friction="{d.friction} 0.002 0.0001"
      solref="0.004 1" solimp="0.95 0.99 0.0005" mass="0"/></default>
    <default class="look"><geom contype="0" conaffinity="0" mass="0"/></default>
  </default>
  <asset>
    {panda.materials(p)}
    <texture name="pcb" type="2d" builtin="checker" rgb1="0.04 0.32 0.16" rgb2="0.05 0.38 0.19"
      mark="random" markrgb="0.35 0.55 0.3" random="0.02" width="256" height="256"/>
    <texture name="table" type="2d" builtin="checker" rgb1="0.55 0.51 0.46" rgb2="0.53 0.49 0.44"
      width="128" height="128"/>
    <texture type="skybox" builtin="gradient" rgb1="0.75 0.8 0.85" rgb2="0.5 0.55 0.6"
      width="64" height="64"/>
    <material name="pcb" texture="pcb" texrepeat="20 20" texuniform="true" specular="0.1"/>
    <material name="table" texture="table" texrepeat="8 8" specular="0"/>
    <material name="socket" rgba="0.13 0.13 0.15 1" specular="0.2"/>
    <material name="gold" rgba="0.95 0.75 0.25 1" specular="0.5"/>
    <material name="ivory" rgba="0.93 0.9 0.8 1" specular="0.1"/>
    <material name="chip" rgba="0.08 0.08 0.09 1" specular="0.3"/>
    <material name="tin" rgba="0.75 0.76 0.78 1" specular="0.6"/>
    <material name="spreader" rgba="0.75 0.12 0.12 1" specular="0.3"/>
  </asset>
  <worldbody>
    <light directional="true" pos="0.3 0.5 2" dir="0.1 -0.35 -1" diffuse="0.55 0.55 0.55"
      specular="0.1 0.1 0.1" castshadow="false"/>
    <geom name="table" class="solid" type="plane" size="1.5 1.5 0.1" material="table"/>
    {panda.body(p, finger_opening=d.stick_thickness_m / 2, in_hand=_in_hand(p, d))}
    <body name="board" pos="{d.board_x_m} {d.board_y_m} {d.rim_height_m}">
      <site name="slot" size="0.001" group="4"/>
      {_socket(d)}{_board(d)}{_components()}
    </body>
    <camera name="scene" pos="1.35 -0.95 0.8" xyaxes="0.678 0.7351 0 -0.247 0.2279 0.9418" fovy="38"/>
  </worldbody>
  <actuator>{panda.actuators(p)}</actuator>
  <sensor>
    <force name="{p}force" site="{p}wrench"/>
    <torque name="{p}torque" site="{p}wrench"/>
  </sensor>
</mujoco>"""


Triple = tuple[float, float, float]


def _box(centre: Triple, half: Triple, kind: str, material: str) -> str:
    numbers = [" ".join(f"{value:.8g}" for value in triple) for triple in (centre, half)]
    return f'<geom class="{kind}" type="box" pos="{numbers[0]}" size="{numbers[1]}" material="{material}"/>'


def _in_hand(p: str, d: Dimensions) -> str:
    """Stick with its sensor site, and the two cameras, in the hand frame."""
    half = (d.stick_length_m / 2, d.stick_thickness_m / 2, d.stick_height_m / 2)
    edge_z = half[2]  # of the lower edge, in the stick body's frame
    centre_z = panda.FLANGE_TO_TCP + d.stick_below_tcp_m - half[2]
    gold_half = 0.0025
    return (
        f'<body name="{p}stick" pos="0 0 {centre_z:.8g}" gravcomp="1">'
        + f'<geom name="{p}stick" class="solid" type="box" contype="0" conaffinity="1" mass="0.03" '
        f'size="{half[0]:.8g} {half[1]:.8g} {half[2]:.8g}" material="spreader"/>'
        + _box((0, 0, edge_z - gold_half), (half[0] - 0.001, half[1] + 1e-4, gold_half), "look", "gold")
        + _box((0.006, 0, edge_z - gold_half), (0.0012, half[1] + 2e-4, gold_half), "look", "chip")
        + _box((half[0] - 0.001, 0, 0), (0.0013, half[1] + 1.5e-4, half[2] + 2e-4), "look", "ivory")
        + _box((-half[0] + 0.001, 0, 0), (0.0013, half[1] + 1.5e-4, half[2] + 2e-4), "look", "tin")
        + f'<site name="{p}stick_edge" pos="0 0 {edge_z:.8g}" size="0.001" group="4"/>'
        + f'<site name="{p}wrench" pos="0 0 {panda.FLANGE_TO_TCP - centre_z:.8g}" size="0.001" group="4"/>'
        + "</body>"
        + _camera(f"{p}wrist_1", 1.0)
        + _camera(f"{p}wrist_2", -1.0)
    )


def _camera(name: str, side: float) -> str:
    """A wrist camera on one side of the hand, looking at the stick's lower edge and below it."""
    position = np.array([side * CAMERA_X_M, 0.0, CAMERA_Z_M])
    look_at = np.array([side * LOOK_AT_X_M, 0.0, panda.FLANGE_TO_TCP + LOOK_AT_BELOW_TCP_M])
    back = (position - look_at) / np.linalg.norm(position - look_at)
    right = np.array([0.0, side, 0.0])
    up = np.cross(back, right)
    axes = " ".join(f"{value:.8g}" for value in (*right, *up))
    place = " ".join(f"{value:.8g}" for value in position)
    return f'<camera name="{name}" pos="{place}" xyaxes="{axes}" fovy="{FOVY_DEG}"/>'


def _socket(d: Dimensions) -> str:
    """Four walls with a chamfered rim, and the floor of the slot."""
    half_x = (d.stick_length_m + d.clearance_m) / 2
    half_y = (d.stick_thickness_m + d.clearance_m) / 2
    outer_x, outer_y, depth, lead = half_x + END_M, half_y + WALL_M, d.slot_depth_m, d.lead_in_m
    parts = [_box((0, 0, -depth - 0.001), (half_x, half_y, 0.001), "solid", "gold")]
    for s in (1, -1):
        # Lower part of each wall up to the chamfer, then the rim outside of it.
        middle = (half_y + outer_y) / 2, (half_x + outer_x) / 2
        low = -(depth + lead) / 2, (depth - lead) / 2
        parts.append(_box((0, s * middle[0], low[0]), (outer_x, WALL_M / 2, low[1]), "solid", "socket"))
        parts.append(_box((s * middle[1], 0, low[0]), (END_M / 2, half_y, low[1]), "solid", "ivory"))
        if lead > 0:
            rim_y, rim_x, high = (WALL_M - lead) / 2, (END_M - lead) / 2, lead / 2
            side, end = (0, s * (outer_y - rim_y), -high), (s * (outer_x - rim_x), 0, -high)
            parts.append(_box(side, (outer_x, rim_y, high), "solid", "socket"))
            parts.append(_box(end, (rim_x, half_y + lead, high), "solid", "ivory"))
            parts.append(_chamfer("y", s, half_x + lead, half_y, lead))
            parts.append(_chamfer("x", s, half_y + lead, half_x, lead))
    return "".join(parts)


def _chamfer(axis: str, side: int, half_length: float, inner: float, lead: float) -> str:
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
    material = "socket" if axis == "y" else "ivory"
    place, extent = (" ".join(f"{v:.8g}" for v in triple) for triple in (centre, size))
    return (
        f'<geom class="solid" type="box" pos="{place}" size="{extent}" '
        f'euler="{turn[0]:.8g} {turn[1]:.8g} 0" material="{material}"/>'
    )


def _board(d: Dimensions) -> str:
    """The motherboard around the socket: four solid plates, so that the slot stays open."""
    outer_x = (d.stick_length_m + d.clearance_m) / 2 + END_M
    outer_y = (d.stick_thickness_m + d.clearance_m) / 2 + WALL_M
    half_x, half_y, z = 0.11, 0.10, -RIM_M - CARRIER_M / 2
    side_y, end_x = (half_y - outer_y) / 2, (half_x - outer_x) / 2
    parts = []
    for s in (1, -1):
        parts.append(_box((0, s * (outer_y + side_y), z), (half_x, side_y, CARRIER_M / 2), "solid", "pcb"))
        parts.append(_box((s * (outer_x + end_x), 0, z), (end_x, outer_y, CARRIER_M / 2), "solid", "pcb"))
    leg = (d.rim_height_m - RIM_M - CARRIER_M) / 2
    if leg > 0:
        parts.append(_box((0, 0, -d.rim_height_m + leg), (half_x - 0.02, half_y - 0.02, leg), "look", "chip"))
    return "".join(parts)


def _components() -> str:
    """Chips, connectors and traces, lower than the rim, and taller parts away from the slot."""
    top = -RIM_M
    low = (  # x, y, half x, half y, material
        (0.020, 0.022, 0.007, 0.006, "chip"), (-0.018, 0.026, 0.010, 0.007, "chip"),
        (-0.030, -0.021, 0.006, 0.005, "chip"), (0.012, -0.027, 0.009, 0.009, "tin"),
        (0.046, -0.012, 0.0015, 0.003, "gold"), (0.050, -0.012, 0.0015, 0.003, "gold"),
        (-0.048, 0.010, 0.003, 0.0015, "tin"), (-0.048, 0.015, 0.003, 0.0015, "tin"),
        (0.055, 0.018, 0.004, 0.004, "ivory"), (-0.058, -0.016, 0.005, 0.003, "gold"),
        (-0.006, 0.014, 0.003, 0.0012, "ivory"), (0.034, 0.013, 0.0012, 0.003, "tin"),
        (-0.010, -0.013, 0.0025, 0.0012, "gold"), (0.030, -0.015, 0.002, 0.0012, "ivory"),
    )  # fmt: skip
    parts = [_box((x, y, top + 0.0005), (hx, hy, 0.0005), "look", m) for x, y, hx, hy, m in low]
    parts.append(_box((0.03, 0.065, top + 0.006), (0.022, 0.022, 0.006), "solid", "tin"))
    parts.append(_box((-0.06, 0.07, top + 0.004), (0.025, 0.006, 0.004), "solid", "ivory"))
    parts.append(_box((-0.02, -0.075, top + 0.005), (0.05, 0.008, 0.005), "solid", "socket"))
    for i, x in enumerate((-0.075, -0.06, 0.06, 0.075)):
        parts.append(
            f'<geom class="solid" type="cylinder" pos="{x} {-0.045 + 0.006 * i:.4f} {top + 0.004}" '
            f'size="0.005 0.004" material="tin"/>'
        )
    return "".join(parts)
