# SPDX-License-Identifier: Apache-2.0
"""Everything the simulated robot reports at one moment, taken together so that it fits together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hilserl_sim.arm import Measurement
from hilserl_sim.scene import Truth
from hilserl_sim.world import SimWorld


@dataclass(frozen=True)
class Snapshot:
    """State of all arms and the truth.

    Attributes:
        stamp_ns: time of the messages, nanoseconds.
        measured, law: by arm name; `law` is hilserl_control's state of the last cycle.
        truth: privileged.
    """

    stamp_ns: int
    measured: dict[str, Measurement]
    law: dict[str, Any]
    truth: Truth


def take_snapshot(world: SimWorld, stamp_ns: int) -> Snapshot:
    """The present state; in realtime call it under the world's lock."""
    return Snapshot(
        stamp_ns=stamp_ns,
        measured={name: arm.measure() for name, arm in world.arms.items()},
        law={name: arm.law.state for name, arm in world.arms.items()},
        truth=world.truth(),
    )
