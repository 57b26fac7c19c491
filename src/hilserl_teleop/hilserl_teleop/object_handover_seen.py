# SPDX-License-Identifier: Apache-2.0
"""What a person makes of one look at the handover: who holds the bar, where it lies, where hands go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilserl_task.frames import Array, inverse
from hilserl_teleop.craft import View

# The bar and the baskets of the scene as a person sees them; frames come with every view.
HALF_LENGTH_M, HALF_HEIGHT_M = 0.08, 0.015
GRIP_OFFSET_M = 0.045  # from the middle of the bar to each hand
GRIPPING = (0.2, 0.45)  # opening of a closed hand with the bar in it, which is 0.375 wide
BETWEEN_FINGERS_M = (0.085, 0.022, 0.022)  # of the tcp from the bar's middle: along, across, up
HANDOVER_HEIGHT_M = 0.085
LOW_M = 0.018  # of the bar's middle above where it lies: lower than the walls
LEVEL = 0.1  # upward part of the direction of a bar that lies flat
SLACK_M = (0.03, 0.065)  # bar's middle from the basket's, along and across: all of it is inside


@dataclass(frozen=True)
class Seen:
    """One view in the terms of the task. Positions (3,) in the world, whose x axis leads from giver to taker.

    Attributes:
        world_T_tcp: 4x4, by arm name.
        holding: whether the hand is closed around the bar, by arm name.
        grip: where the hand should take the bar, by arm name.
        bar, bar_axis: middle of the bar, and its direction towards the taker.
        nest, goal: bar's middle when it lies in the left, in the right basket.
        meeting: bar's middle at the handover.
        laid: the bar is level and inside the right basket, if not on its floor then in a hand just above it.
    """

    world_T_tcp: dict[str, Array]
    holding: dict[str, bool]
    grip: dict[str, Array]
    bar: Array
    bar_axis: Array
    nest: Array
    goal: Array
    meeting: Array
    laid: bool


def see(view: View, giver: str, taker: str) -> Seen:
    """Makes sense of a view."""
    world_T_object = view.world_T["object"]
    bar, axis = world_T_object[:3, 3], world_T_object[:3, 0]
    axis = axis if axis[0] >= 0 else -axis
    up = np.array([0.0, 0.0, HALF_HEIGHT_M])
    nest = view.world_T["left_basket"][:3, 3] + up
    goal = view.world_T["right_basket"][:3, 3] + up
    meeting = (nest + goal) / 2
    meeting[2] = HANDOVER_HEIGHT_M
    off = np.abs(bar - goal)
    return Seen(
        world_T_tcp={arm: view.world_T_tcp[arm] for arm in (giver, taker)},
        holding={arm: _holds(view, arm, world_T_object) for arm in (giver, taker)},
        grip={giver: bar - GRIP_OFFSET_M * axis, taker: bar + GRIP_OFFSET_M * axis},
        bar=bar,
        bar_axis=axis,
        nest=nest,
        goal=goal,
        meeting=meeting,
        laid=bool(off[0] < SLACK_M[0] and off[1] < SLACK_M[1] and off[2] < LOW_M and abs(axis[2]) < LEVEL),
    )


def between_fingers(world_T_tcp: Array, world_T_object: Array) -> bool:
    """The hand would close on the bar."""
    return bool((np.abs((inverse(world_T_object) @ world_T_tcp)[:3, 3]) < BETWEEN_FINGERS_M).all())


def _holds(view: View, arm: str, world_T_object: Array) -> bool:
    closed = not view.hand_open[arm] and GRIPPING[0] < view.opening[arm] < GRIPPING[1]
    return closed and between_fingers(view.world_T_tcp[arm], world_T_object)
