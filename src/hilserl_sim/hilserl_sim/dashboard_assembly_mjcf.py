# SPDX-License-Identifier: Apache-2.0
"""MJCF of the dashboard task: two arms face each other, a trim panel between them, its place behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilserl_sim import mjcf, panda

PIN_HALF_M = 0.005  # half width of a square pin
PLATE_HALF_M = (0.065, 0.022, 0.004)
HANDLE_HALF_M = (0.0275, 0.010, 0.012)
HANDLE_RISE_M = 0.008  # of the handles' middle above the plate's middle, so that fingers clear the dashboard
WALL_M = 0.005  # of a hole's collar
DASHBOARD_HALF_M = (0.068, 0.034)  # ends where open fingers at the grips begin
FLOOR_M = 0.002


@dataclass(frozen=True)
class Dimensions:
    """Numbers of the scene, metres; `scene.parameters` of the task file changes them by name.

    Clearance is the whole play of a pin in its hole, both sides together. The lead-in is a 45 degree chamfer
    of the hole's mouth: a pin that misses by more than half the clearance and the lead-in stands on the
    dashboard. Places are those of the middle between the two grips, and of the dashboard's middle.
    """

    base_distance_m: float = 1.06
    grip_spacing_m: float = 0.20
    pin_spacing_x_m: float = 0.10
    pin_spacing_y_m: float = 0.024
    pin_length_m: float = 0.014
    clearance_m: float = 0.002
    lead_in_m: float = 0.003
    success_tolerance_m: float = 0.002
    workpiece_y_m: float = -0.07
    workpiece_mass_kg: float = 0.12
    dashboard_y_m: float = 0.04
    dashboard_height_m: float = 0.06
    dashboard_tilt_rad: float = 0.35
    friction: float = 0.25

    @property
    def middle_x_m(self) -> float:
        """Half way between the arms."""
        return self.base_distance_m / 2

    @property
    def plate_bottom_m(self) -> float:
        """Of the plate below the grips' line."""
        return HANDLE_RISE_M + PLATE_HALF_M[2]

    @property
    def standing_height_m(self) -> float:
        """Of the grips' line when the workpiece stands on its pins on the table."""
        return self.plate_bottom_m + self.pin_length_m

    @property
    def pins_m(self) -> tuple[tuple[float, float], ...]:
        """Places (x, y) of the four pins."""
        x, y = self.pin_spacing_x_m / 2, self.pin_spacing_y_m / 2
        return (x, y), (x, -y), (-x, y), (-x, -y)


BOUNDS = {
    "base_distance_m": (0.9, 1.2), "grip_spacing_m": (0.17, 0.22), "pin_spacing_x_m": (0.05, 0.11),
    "pin_spacing_y_m": (0.022, 0.03), "pin_length_m": (0.008, 0.02), "clearance_m": (0.0005, 0.004),
    "lead_in_m": (0.0, 0.004), "success_tolerance_m": (0.0002, 0.004), "workpiece_y_m": (-0.15, -0.045),
    "workpiece_mass_kg": (0.02, 0.5), "dashboard_y_m": (0.035, 0.12), "dashboard_height_m": (0.05, 0.15),
    "dashboard_tilt_rad": (0.0, 0.6), "friction": (0.05, 1.5),
}  # fmt: skip


def scene_xml(left: str, right: str, d: Dimensions) -> str:
    """The whole model. `left` stands at the origin and looks along x, `right` faces it."""
    arms = [
        mjcf.ArmPart(left, _wrist_camera(f"{left}/wrist_1", 1.0), moving_fingers=True),
        mjcf.ArmPart(
            right,
            _wrist_camera(f"{right}/wrist_2", -1.0),
            position=(d.base_distance_m, 0.0, 0.0),
            yaw_rad=np.pi,
            moving_fingers=True,
        ),
    ]
    x = d.middle_x_m
    view = f'pos="{x} -1.35 0.85" xyaxes="1 0 0 0 0.5 0.87" fovy="42"'
    world = workpiece(d) + dashboard(d) + _side_camera(f"{left}/side", d)
    return mjcf.model("dashboard_assembly", arms, world, view, d.friction, memory_mb=8)


def workpiece(d: Dimensions) -> str:
    """A plate with four pins below and a handle at either end; loose. Its frame is on the grips' line."""
    plate = mjcf.box(
        (0, 0, -HANDLE_RISE_M), PLATE_HALF_M, "solid", "blue", f'mass="{0.5 * d.workpiece_mass_kg:.8g}"'
    )
    parts = [plate]
    for side in (1, -1):
        at = side * (PLATE_HALF_M[0] + HANDLE_HALF_M[0])
        mass = f'mass="{0.25 * d.workpiece_mass_kg:.8g}"'
        parts.append(mjcf.box((at, 0, 0), HANDLE_HALF_M, "solid", "orange", mass))
        grip = (0.001, HANDLE_HALF_M[1] + 2e-4, HANDLE_HALF_M[2] + 2e-4)
        parts.append(mjcf.box((side * d.grip_spacing_m / 2, 0, 0), grip, "look", "ivory"))
    half = d.pin_length_m / 2
    for x, y in d.pins_m:
        centre = (x, y, -d.plate_bottom_m - half)
        parts.append(mjcf.box(centre, (PIN_HALF_M, PIN_HALF_M, half), "solid", "tin"))
    place = mjcf.numbers((d.middle_x_m, d.workpiece_y_m, d.standing_height_m))
    return f'<body name="workpiece" pos="{place}"><freejoint name="workpiece"/>{"".join(parts)}</body>'


def dashboard(d: Dimensions) -> str:
    """A tilted panel with four holes on a stand. Its frame is in its face, z out of it."""
    inner = PIN_HALF_M + d.clearance_m / 2
    outer = inner + WALL_M
    half_x, half_y = DASHBOARD_HALF_M
    depth = d.pin_length_m + FLOOR_M / 2  # the plate comes to rest on the face, not the pins on the floor
    low = -(depth + FLOOR_M) / 2, (depth + FLOOR_M) / 2
    parts = []
    for x, y in d.pins_m:
        hole = mjcf.pocket(
            (inner, inner), (WALL_M, WALL_M), depth, d.lead_in_m, ("socket", "socket"), "chip", FLOOR_M / 2
        )
        parts.append(f'<body pos="{x:.8g} {y:.8g} 0">{hole}</body>')
    rows = d.pin_spacing_y_m / 2 + outer  # y that the holes' collars reach
    between = d.pin_spacing_x_m / 2 - outer
    end = (half_x - d.pin_spacing_x_m / 2 - outer) / 2
    edge = (half_y - rows) / 2
    parts.append(mjcf.box((0, 0, low[0]), (between, rows, low[1]), "solid", "ivory"))
    for s in (1, -1):
        parts.append(mjcf.box((s * (half_x - end), 0, low[0]), (end, rows, low[1]), "solid", "ivory"))
        parts.append(mjcf.box((0, s * (half_y - edge), low[0]), (half_x, edge, low[1]), "solid", "green"))
    turn = f'euler="{d.dashboard_tilt_rad:.8g} 0 0"'
    place = mjcf.numbers((d.middle_x_m, d.dashboard_y_m, d.dashboard_height_m))
    panel = f'<body name="dashboard" pos="{place}" {turn}>{"".join(parts)}</body>'
    return panel + _stand(d, depth + FLOOR_M)


def _stand(d: Dimensions, thickness_m: float) -> str:
    """What the dashboard rests on; it does not move with it."""
    half_y = 0.01
    top = d.dashboard_height_m - thickness_m / np.cos(d.dashboard_tilt_rad)
    top -= half_y * np.tan(d.dashboard_tilt_rad)
    y = d.dashboard_y_m
    return mjcf.box((d.middle_x_m, y, top / 2), (0.04, half_y, top / 2), "solid", "chip")


def _wrist_camera(name: str, front: float) -> str:
    """Looks from the front and above past the hand's fingers at the pins; `front` is the sign of the hand's
    y axis towards the front of the table (negative y of the world)."""
    position = (0.05, front * 0.12, 0.045)
    look_at = (0.035, 0.0, panda.FLANGE_TO_TCP + 0.015)
    return mjcf.camera(name, position, look_at, (front, 0.0, 0.0), 52.0)


def _side_camera(name: str, d: Dimensions) -> str:
    """Stands in front of the table, sees both hands, the workpiece and the dashboard's face."""
    look_at = (d.middle_x_m, (d.workpiece_y_m + d.dashboard_y_m) / 2 - 0.02, 0.05)
    position = (d.middle_x_m, d.workpiece_y_m - 0.28, 0.24)
    return mjcf.camera(name, position, look_at, (1.0, 0.0, 0.0), 40.0)
