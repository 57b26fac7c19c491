# SPDX-License-Identifier: Apache-2.0
"""What a practised person knows of one task. One file a scene says how it is done; everything else about a
person (patience, noise of the hand, buttons, when to step in) is the same in all tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hilserl_task.frames import Array


@dataclass(frozen=True)
class View:
    """What a person sees in one moment. Poses are 4x4, in the world frame.

    Attributes:
        step: of the episode, 0 is the first observation.
        world_T_tcp: measured, by arm name.
        opening: measured, 0 closed .. 1 open, by arm name.
        hand_open: commanded state of the gripper, by arm name.
        world_T: things by the names that the scene gives them, and `<arm>/base`.
        world_T_goal: tcp of the first arm when the task is done with the present grasp.
        depth: metres inserted; progress where nothing is inserted.
        success: as the simulator says.
        kind: class of what is seen, in tasks with more than two; else empty.
    """

    step: int
    world_T_tcp: Mapping[str, Array]
    opening: Mapping[str, float]
    hand_open: Mapping[str, bool]
    world_T: Mapping[str, Array]
    world_T_goal: Array
    depth: float
    success: bool
    kind: str = ""


@dataclass(frozen=True)
class Push:
    """What a person wants of one arm in one moment.

    Attributes:
        wanted: (6,) displacement [m, rad] with respect to the measured pose; of an arm with wrench actions
            the wrench [N, Nm].
        world_R_axes: (3, 3) axes in which `wanted` is given; of a wrench it is not used: those are given in
            the axes of the action.
        open_hand: True open, False close, None as it is.
        gain: share of the wanted displacement asked for in one step: below 1 because the arm lags.
    """

    wanted: Array
    world_R_axes: Array
    open_hand: bool | None = None
    gain: float = 0.8

    @staticmethod
    def still(open_hand: bool | None = None) -> Push:
        """Nothing but the hand."""
        return Push(np.zeros(6), np.eye(3), open_hand)


class Craft(Protocol):
    """How a task is done, and how it looks when it goes wrong.

    `__init__(task, rng)`: all randomness comes from the generator. Arms that a move does not name stay.
    """

    def reset(self) -> None:
        """Forgets the episode, and what was under way: the next view may be anything."""

    def moves(self, view: View) -> dict[str, Push]:
        """The next step towards the end of the task, by arm."""

    def distance_m(self, view: View) -> float:
        """What is left to do, as a length that falls while the task goes well; for telling a stall."""

    def astray(self, view: View) -> bool:
        """Nobody would watch this any longer: step in at once."""

    def back_on_track(self, view: View) -> bool:
        """After a correction: the policy may go on."""

    def finished(self, view: View) -> bool:
        """Done, as a person calls it; may be stricter than the simulator."""


class LabelRoutine(Protocol):
    """What a person shows the reward classifier: success, everything near it, and everything else.

    `__init__(task, craft, rng)`. The success button is down while the craft calls the view finished; in a
    task with classes, while there is a class (`View.kind`).
    """

    def reset(self) -> None:
        """A new sequence for the next episode."""

    def moves(self, view: View) -> dict[str, Push]:
        """The next step of the show, by arm."""

    def wants_to_stop(self, view: View) -> bool:
        """Time to end this episode; asked only while the task is not done."""
