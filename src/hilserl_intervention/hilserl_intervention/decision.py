# SPDX-License-Identifier: Apache-2.0
"""What a decision of the mux is made of, and what it says. No ROS in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from hilserl_intervention.buttons import Event
from hilserl_task.action_codec import ArmTarget
from hilserl_task.frames import Array


class Source(IntEnum):
    """Who decided; values as in hilserl_msgs/Action."""

    POLICY = 0
    HUMAN = 1
    HOLD = 2


def overall(sources: Sequence[Source]) -> Source:
    """Source of an action of several arms: HUMAN when a person has any, HOLD when nobody has any."""
    if Source.HUMAN in sources:
        return Source.HUMAN
    return Source.POLICY if Source.POLICY in sources else Source.HOLD


@dataclass(frozen=True)
class Observed:
    """The part of an observation a decision needs: one 4x4 pose and gripper opening (0 to 1) an arm."""

    episode: int
    step: int
    stamp_ns: int
    base_T_tcp: tuple[Array, ...]
    openings: tuple[float, ...]

    @property
    def key(self) -> tuple[int, int]:
        """(episode, step)."""
        return self.episode, self.step


@dataclass(frozen=True)
class Wish:
    """What the policy asks for; the stamp is that of the observation it answers, 0 when unknown."""

    episode: int
    step: int
    values: tuple[float, ...]
    policy_version: int = 0
    stamp_ns: int = 0

    @property
    def key(self) -> tuple[int, int]:
        """(episode, step)."""
        return self.episode, self.step


@dataclass(frozen=True)
class Decision:
    """What is executed.

    Attributes:
        source, arm_sources: who decided, over all and for every arm.
        values: normalized action, as executed and as stored.
        policy_values: what the policy asked for; zeros when that was unusable.
        targets: by arm name; an arm without one gets no new target, the controller's stale-target rule holds.
    """

    observed: Observed
    source: Source
    arm_sources: tuple[Source, ...]
    values: Array
    policy_values: Array
    policy_version: int
    event: Event
    success_pressed: bool
    targets: Mapping[str, ArmTarget]
