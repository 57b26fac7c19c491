# SPDX-License-Identifier: Apache-2.0
"""MJCF text of the handover scene: two arms that face each other, two open baskets, a bar, three cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hilserl_sim import mjcf

if TYPE_CHECKING:
    from hilserl_sim.object_handover import Dimensions

WALL_M = 0.004  # thickness of a basket's walls and floor
BASE_DISTANCE_M = 0.60  # of each arm's base from the middle between the baskets
SIDE_CAMERA_X_M = 0.085  # from the middle between the baskets towards the right one
MARK_HALF_M = 0.012  # of the stripes where the hands are meant to take the bar


def scene_xml(giver: str, taker: str, d: Dimensions) -> str:
    """The whole model. Bodies `object`, `left_basket`, `right_basket` (origin on the inner floor);
    cameras `<giver>/wrist_1`, `<taker>/wrist_2`, `<giver>/side`.

    The world's origin is on the table in the middle between the baskets, moved by `middle_x_m`; x points
    from the giver to the taker.
    """
    arms = [
        mjcf.ArmPart(
            giver,
            _wrist_camera(f"{giver}/wrist_1"),
            position=(d.middle_x_m - BASE_DISTANCE_M, 0.0, 0.0),
            moving_fingers=True,
        ),
        mjcf.ArmPart(
            taker,
            _wrist_camera(f"{taker}/wrist_2"),
            position=(d.middle_x_m + BASE_DISTANCE_M, 0.0, 0.0),
            yaw_rad=float(np.pi),
            moving_fingers=True,
        ),
    ]
    world = (
        _basket("left_basket", d.middle_x_m - d.basket_distance_m / 2, d, "green")
        + _basket("right_basket", d.middle_x_m + d.basket_distance_m / 2, d, "blue")
        + _bar(d)
        + _side_camera(f"{giver}/side", d)
    )
    view = 'pos="0.5 -1.45 0.85" xyaxes="1 0 0 0 0.46 0.89" fovy="40"'
    return mjcf.model("object_handover", arms, world, view, d.friction)


def _basket(name: str, x: float, d: Dimensions, material: str) -> str:
    """A box without a lid, fixed to the table."""
    half_x, half_y, high = d.basket_length_m / 2, d.basket_width_m / 2, d.basket_height_m
    floor = mjcf.box((0, 0, -WALL_M / 2), (half_x, half_y, WALL_M / 2), "solid", "ivory")
    middle = (high - WALL_M) / 2  # of a wall that stands on the table
    tall = (high + WALL_M) / 2
    walls = "".join(
        mjcf.box(
            (0, s * (half_y + WALL_M / 2), middle), (half_x + WALL_M, WALL_M / 2, tall), "solid", material
        )
        + mjcf.box((s * (half_x + WALL_M / 2), 0, middle), (WALL_M / 2, half_y, tall), "solid", material)
        for s in (1, -1)
    )
    return f'<body name="{name}" pos="{mjcf.numbers((x, 0.0, WALL_M))}">{floor}{walls}</body>'


def _bar(d: Dimensions) -> str:
    """The object: a square bar along x, loose, with a stripe at each end where a hand finds room."""
    half = (d.bar_length_m / 2, d.bar_width_m / 2, d.bar_height_m / 2)
    start = (d.middle_x_m - d.basket_distance_m / 2, 0.0, WALL_M + half[2])
    stripes = "".join(
        mjcf.box((s * d.grip_offset_m, 0, 0), (MARK_HALF_M, half[1] + 3e-4, half[2] + 3e-4), "look", "chip")
        for s in (1, -1)
    )
    return (
        f'<body name="object" pos="{mjcf.numbers(start)}"><freejoint name="object"/>'
        + mjcf.box((0, 0, 0), half, "solid", "orange", f'mass="{d.bar_mass_kg:.8g}"')
        + f"{stripes}</body>"
    )


def _wrist_camera(name: str) -> str:
    """Behind the hand, looking between its fingers at what lies ahead of it, the other hand included."""
    return mjcf.camera(name, (-0.13, 0.0, 0.02), (0.02, 0.0, 0.135), (0.0, 1.0, 0.0), 58.0)


def _side_camera(name: str, d: Dimensions) -> str:
    """Looks from the front into the right basket, where success is decided; the middle is in the picture."""
    x = d.middle_x_m + SIDE_CAMERA_X_M
    return mjcf.camera(name, (x, -0.40, 0.44), (x, 0.0, 0.04), (1.0, 0.0, 0.0), 38.0)
