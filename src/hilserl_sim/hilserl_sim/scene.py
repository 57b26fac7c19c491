# SPDX-License-Identifier: Apache-2.0
"""What a scene must offer to the world, and what it knows about the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import mujoco
import numpy as np

from hilserl_task.frames import Array


@dataclass(frozen=True)
class Truth:
    """Privileged state of a scene, for scripted operators and evaluation figures.

    Attributes:
        success: the task is done.
        insertion_depth: metres below the rim, negative above it; progress where nothing is inserted.
        base_T_tcp, base_T_goal, base_T_board: 4x4 of the first arm; goal is the tcp pose when done with this
            grasp.
        frames: world_T_thing (4x4) by name, whatever a person would look at. The world adds `<arm>/base`.
        kind: class of what is seen, in tasks whose reward tells more than two; else empty.
    """

    success: bool
    insertion_depth: float
    base_T_tcp: Array
    base_T_goal: Array
    base_T_board: Array
    frames: Mapping[str, Array] = field(default_factory=dict)
    kind: str = ""


@dataclass(frozen=True)
class Start:
    """Where an arm begins an episode.

    Attributes:
        base_T_tcp: 4x4.
        gripper: opening, 0 closed .. 1 open.
    """

    base_T_tcp: Array
    gripper: float = 0.0


class Scene(Protocol):
    """One task's scene. `__init__(task)` raises TaskError when the task's numbers do not fit it.

    It may have an attribute `fixture`: name of the body that stands in the world and that people may shift
    (`events.py`). `truth` then reads the body's pose from the data.
    """

    cameras: tuple[str, ...]

    def mjcf(self) -> str:
        """The whole model as MJCF text. Arms, cameras, sensors are named `<arm>/...`."""

    def bind(self, model: mujoco.MjModel) -> None:
        """Looks up what `randomize` and `truth` need in the compiled model."""

    def randomize(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        rng: np.random.Generator,
        board_moved: bool,
    ) -> dict[str, Start]:
        """Draws one episode: fixed things into the model, loose ones into the freshly reset data. Returns
        the start of every arm."""

    def truth(self, data: mujoco.MjData) -> Truth:
        """Truth of the present state. Call after positions were computed."""
