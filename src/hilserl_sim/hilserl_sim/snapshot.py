# SPDX-License-Identifier: Apache-2.0
"""Everything the simulated robot reports at one moment, taken together so that it fits together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hilserl_sim.arm import Measurement
from hilserl_sim.scene import Truth
from hilserl_sim.world import SimWorld
from hilserl_task.frames import Array


@dataclass(frozen=True)
class Snapshot:
    """State of all arms and the truth.

    Attributes:
        stamp_ns: time of the messages, nanoseconds.
        measured, law: by arm name; `law` is hilserl_control's state of the last cycle.
        truth: privileged.
        frames: privileged: world_T_thing by name, `<arm>/base` among them.
        gripper_goals: commanded opening, 0 closed .. 1 open, by arm name.
        events: disturbances that have begun in this episode, in order.
    """

    stamp_ns: int
    measured: dict[str, Measurement]
    law: dict[str, Any]
    truth: Truth
    frames: dict[str, Array]
    gripper_goals: dict[str, float]
    events: tuple[str, ...] = ()


def take_snapshot(world: SimWorld, stamp_ns: int) -> Snapshot:
    """The present state; in realtime call it under the world's lock."""
    truth = world.truth()
    bases = {f"{name}/base": arm.world_T_base for name, arm in world.arms.items()}
    return Snapshot(
        stamp_ns=stamp_ns,
        measured={name: arm.measure() for name, arm in world.arms.items()},
        law={name: arm.law.state for name, arm in world.arms.items()},
        truth=truth,
        frames={**bases, **truth.frames},
        gripper_goals={name: arm.gripper.goal for name, arm in world.arms.items()},
        events=world.events,
    )
