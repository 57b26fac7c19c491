# SPDX-License-Identifier: Apache-2.0
"""MJCF text of the object flipping scene: a pan in the hand, a two-coloured disc in it, two cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hilserl_sim import mjcf, panda
from hilserl_sim.mjcf import ArmPart

if TYPE_CHECKING:
    from hilserl_sim.object_flipping import Dimensions

RIM_PIECES = 16
FLOOR_HALF_M = 0.003  # thickness of the pan's floor
RIM_HALF_M = 0.002  # thickness of its rim
HANDLE_RADIUS_M = 0.006


def scene_xml(arm: str, d: Dimensions) -> str:
    """The whole model. Bodies `<arm>/pan` and `object`; cameras `<arm>/wrist_1` and `<arm>/side`."""
    p = f"{arm}/"
    part = ArmPart(arm, _pan(p, d) + _wrist_camera(f"{p}wrist_1", d), finger_opening_m=HANDLE_RADIUS_M)
    view = 'pos="1.55 -1.0 0.75" xyaxes="0.72 0.69 0 -0.25 0.26 0.93" fovy="38"'
    world = _object(d) + _side_camera(f"{p}side", d)
    return mjcf.model("object_flipping", [part], world, view, d.friction)


def tcp_P_pan(d: Dimensions) -> tuple[float, float, float]:
    """Origin of the pan's frame, middle of the floor's upper side, in the tcp frame; it opens along -z."""
    return (d.pan_reach_m, 0.0, d.pan_drop_m)


def _pan(p: str, d: Dimensions) -> str:
    """Floor, rim and handle, as heavy as `pan_mass_kg`, in the hand frame."""
    x, y, z = tcp_P_pan(d)
    sensor = mjcf.site(f"{p}wrench", (-d.pan_reach_m, 0.0, d.pan_drop_m))  # at the tcp
    return (
        f'<body name="{p}pan" pos="{mjcf.numbers((x, y, panda.FLANGE_TO_TCP + z))}" quat="0 1 0 0" '
        f'gravcomp="1">{_floor(d)}{_rim(d)}{_handle(d)}{sensor}</body>'
    )


def _floor(d: Dimensions) -> str:
    """A square that touches, hidden where it passes the rim, and a disc that is seen."""
    r = d.pan_radius_m
    square = mjcf.box(
        (0, 0, -FLOOR_HALF_M),
        (r, r, FLOOR_HALF_M),
        "solid",
        "socket",
        f'group="3" mass="{d.pan_mass_kg}"',
    )
    return (
        square + f'<geom class="look" type="cylinder" pos="0 0 {-FLOOR_HALF_M}" '
        f'size="{mjcf.numbers((r + RIM_HALF_M, FLOOR_HALF_M))}" material="socket"/>'
    )


def _rim(d: Dimensions) -> str:
    """Boxes in a circle that lean outwards and overlap, so that nothing slips between them."""
    lean, length = d.rim_lean_rad, d.rim_length_m
    top_radius = d.pan_radius_m + length * np.sin(lean)
    half_width = 1.08 * top_radius * np.tan(np.pi / RIM_PIECES)
    # Inner face begins on the circle: half a length up along it, then into the wall.
    out = d.pan_radius_m + length / 2 * np.sin(lean) + RIM_HALF_M * np.cos(lean)
    up = length / 2 * np.cos(lean) - RIM_HALF_M * np.sin(lean)
    half = mjcf.numbers((RIM_HALF_M, half_width, length / 2))
    parts = []
    for angle in 2 * np.pi * np.arange(RIM_PIECES) / RIM_PIECES:
        place = mjcf.numbers((out * np.cos(angle), out * np.sin(angle), up))
        turn = mjcf.numbers(_turned_and_leaning(angle, lean))
        parts.append(
            f'<geom class="solid" type="box" pos="{place}" quat="{turn}" size="{half}" material="chip"/>'
        )
    return "".join(parts)


def _turned_and_leaning(turn: float, lean: float) -> tuple[float, ...]:
    """Quaternion w x y z: about z, then about the new y."""
    cz, sz, cy, sy = np.cos(turn / 2), np.sin(turn / 2), np.cos(lean / 2), np.sin(lean / 2)
    return (cz * cy, -sz * sy, cz * sy, sz * cy)


def _handle(d: Dimensions) -> str:
    """From the rim to the fingers; only seen."""
    rim = d.rim_length_m * np.array([np.sin(d.rim_lean_rad), np.cos(d.rim_lean_rad)])
    ends = mjcf.numbers((-d.pan_radius_m - rim[0], 0, rim[1], -d.pan_reach_m - 0.02, 0, d.pan_drop_m))
    return f'<geom class="look" type="capsule" fromto="{ends}" size="{HANDLE_RADIUS_M}" material="chip"/>'


def _object(d: Dimensions) -> str:
    """A disc with a white side and an orange one; z points out of the white one."""
    radius, half = d.object_diameter_m / 2, d.object_height_m / 2
    skins = "".join(
        f'<geom class="look" type="cylinder" pos="0 0 {z:.8g}" size="{radius:.8g} {half / 2:.8g}" '
        f'material="{colour}"/>'
        for z, colour in ((half / 2, "ivory"), (-half / 2, "orange"))
    )
    return (
        '<body name="object" pos="0.6 0 0.5"><freejoint name="object"/>'
        f'<geom class="solid" type="cylinder" size="{radius:.8g} {half:.8g}" group="3" '
        f'mass="{d.object_mass_kg:.8g}"/>{skins}</body>'
    )


def _wrist_camera(name: str, d: Dimensions) -> str:
    """Over the handle, looking into the pan: the pan stays where it is in the picture."""
    x, y, z = tcp_P_pan(d)
    look_at = (x, y, panda.FLANGE_TO_TCP + z - 0.01)
    return mjcf.camera(name, (0.05, 0.0, -0.02), look_at, (0.0, 1.0, 0.0), 52.0)


def _side_camera(name: str, d: Dimensions) -> str:
    """Stands beside the arm, as high as a tossed object flies: sees the pan through its whole swing."""
    pan = np.array([d.hand_x_m + d.pan_reach_m, 0.0, d.hand_z_m])
    return mjcf.camera(name, pan + (0.05, -0.55, 0.26), pan + (0.02, 0.0, 0.12), (1.0, 0.0, 0.0), 48.0)
