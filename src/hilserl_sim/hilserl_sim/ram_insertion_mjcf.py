# SPDX-License-Identifier: Apache-2.0
"""MJCF text of the RAM scenes: motherboard with slot, stick and cameras in the hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hilserl_sim import mjcf, panda
from hilserl_sim.mjcf import ArmPart, box, site

if TYPE_CHECKING:
    from hilserl_sim.held_stick import StickDimensions

WALL_M = 0.0035  # thickness of the socket's long walls
END_M = 0.007  # length of the socket beyond either end of the slot
RIM_M = 0.0015  # height of the socket's rim above the board
CARRIER_M = 0.014  # the board stands on a carrier block this thick
BOARD_M = (0.11, 0.10)  # half sizes of the motherboard
VIEW = 'pos="1.35 -0.95 0.8" xyaxes="0.678 0.7351 0 -0.247 0.2279 0.9418" fovy="38"'  # for people


def scene_xml(arm: str, d: StickDimensions) -> str:
    """The whole model. Bodies `board`, `<arm>/stick`; sites `<arm>/{tcp,wrench,stick_edge}`;
    cameras `<arm>/wrist_1`, `<arm>/wrist_2`; sensors `<arm>/force`, `<arm>/torque`."""
    board = (
        f'<body name="board" pos="{d.board_x_m} {d.board_y_m} {d.rim_height_m}">{site("slot", (0, 0, 0))}'
        + f"{socket(d)}{plates(d, BOARD_M)}{_leg(d)}{low_parts()}{_tall_parts()}</body>"
    )
    return mjcf.model("ram_insertion", [arm_with_stick(arm, d)], board, VIEW, d.friction)


def arm_with_stick(arm: str, d: StickDimensions) -> ArmPart:
    """The arm with stick and cameras in its hand."""
    return ArmPart(arm, _in_hand(f"{arm}/", d), finger_opening_m=d.stick_thickness_m / 2)


def _in_hand(p: str, d: StickDimensions) -> str:
    """Stick with its sensor site, and the two cameras, in the hand frame."""
    half = (d.stick_length_m / 2, d.stick_thickness_m / 2, d.stick_height_m / 2)
    edge_z = half[2]  # of the lower edge, in the stick body's frame
    centre_z = panda.FLANGE_TO_TCP + d.stick_below_tcp_m - half[2]
    gold_half = 0.0025
    return (
        f'<body name="{p}stick" pos="0 0 {centre_z:.8g}" gravcomp="1">'
        + box((0, 0, 0), half, "solid", "spreader", f'name="{p}stick" contype="0" mass="0.03"')
        + box((0, 0, edge_z - gold_half), (half[0] - 0.001, half[1] + 1e-4, gold_half), "look", "gold")
        + box((0.006, 0, edge_z - gold_half), (0.0012, half[1] + 2e-4, gold_half), "look", "chip")
        + box((half[0] - 0.001, 0, 0), (0.0013, half[1] + 1.5e-4, half[2] + 2e-4), "look", "ivory")
        + box((-half[0] + 0.001, 0, 0), (0.0013, half[1] + 1.5e-4, half[2] + 2e-4), "look", "tin")
        + site(f"{p}stick_edge", (0, 0, edge_z))
        + site(f"{p}wrench", (0, 0, panda.FLANGE_TO_TCP - centre_z))
        + "</body>"
        + mjcf.wrist_camera(f"{p}wrist_1", 1.0)
        + mjcf.wrist_camera(f"{p}wrist_2", -1.0)
    )


def socket(d: StickDimensions) -> str:
    """The slot, in the frame at the middle of its rim."""
    inner = (d.stick_length_m + d.clearance_m) / 2, (d.stick_thickness_m + d.clearance_m) / 2
    return mjcf.pocket(inner, (END_M, WALL_M), d.slot_depth_m, d.lead_in_m)


def plates(d: StickDimensions, half: tuple[float, float]) -> str:
    """The motherboard around a socket: four solid plates, so that the slot stays open. Half sizes, metres."""
    outer_x = (d.stick_length_m + d.clearance_m) / 2 + END_M
    outer_y = (d.stick_thickness_m + d.clearance_m) / 2 + WALL_M
    (half_x, half_y), z = half, -RIM_M - CARRIER_M / 2
    side_y, end_x = (half_y - outer_y) / 2, (half_x - outer_x) / 2
    parts = []
    for s in (1, -1):
        parts.append(box((0, s * (outer_y + side_y), z), (half_x, side_y, CARRIER_M / 2), "solid", "pcb"))
        parts.append(box((s * (outer_x + end_x), 0, z), (end_x, outer_y, CARRIER_M / 2), "solid", "pcb"))
    return "".join(parts)


def _leg(d: StickDimensions) -> str:
    """What the board stands on, where there is room for it."""
    half_x, half_y = BOARD_M
    leg = (d.rim_height_m - RIM_M - CARRIER_M) / 2
    if leg <= 0:
        return ""
    return box((0, 0, -d.rim_height_m + leg), (half_x - 0.02, half_y - 0.02, leg), "look", "chip")


def low_parts() -> str:
    """Chips, connectors and traces around a slot, lower than its rim."""
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
    return "".join(box((x, y, top + 0.0005), (hx, hy, 0.0005), "look", m) for x, y, hx, hy, m in low)


def _tall_parts() -> str:
    """Taller parts, away from the slot."""
    top = -RIM_M
    parts = [box((0.03, 0.065, top + 0.006), (0.022, 0.022, 0.006), "solid", "tin")]
    parts.append(box((-0.06, 0.07, top + 0.004), (0.025, 0.006, 0.004), "solid", "ivory"))
    parts.append(box((-0.02, -0.075, top + 0.005), (0.05, 0.008, 0.005), "solid", "socket"))
    for i, x in enumerate((-0.075, -0.06, 0.06, 0.075)):
        parts.append(
            f'<geom class="solid" type="cylinder" pos="{x} {-0.045 + 0.006 * i:.4f} {top + 0.004}" '
            f'size="0.005 0.004" material="tin"/>'
        )
    return "".join(parts)
