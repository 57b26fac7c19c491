# SPDX-License-Identifier: Apache-2.0
"""Schema of a chain file: trained skills in sequence, with scripted motions between them (paper: the whole
IKEA assembly, sub-policies with scripted transfers and at most two attempts each)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from hilserl_task.reset_spec import TaughtPose
from hilserl_task.section import Fraction, Name, NonNegative, NonNegative3, Positive, Section, Vector3

_MOTION_EXAMPLE = "example: move: {by_m: [0, 0, 0.05]}"


class MoveSpec(Section):
    """One arm goes in a straight line to a pose, minimum jerk from rest to rest; the other arms stay.

    Either `to`, a pose in the base frame, or `by_m` and `by_rad`, relative to where the arm is.
    """

    arm: Name = "arm"
    to: TaughtPose | None = Field(None, description="base_T_tcp; `teach` prints it")
    by_m: Vector3 = (0.0, 0.0, 0.0)
    by_rad: Vector3 = Field((0.0, 0.0, 0.0), description="rotation vector")
    axes: Literal["base", "tcp"] = Field("base", description="of by_m and by_rad")
    translation_range_m: NonNegative3 = Field(
        (0.0, 0.0, 0.0), description="with `to`: drawn anew for every attempt (uniform, half ranges)"
    )
    yaw_range_rad: NonNegative = Field(0.0, le=3.15, description="with `to`: the same, about the base's z")
    max_linear_speed: Positive = Field(0.1, le=0.5, description="m/s")
    max_angular_speed: Positive = Field(0.5, le=2.0, description="rad/s")
    tolerance_m: Positive = Field(0.005, le=0.05, description="arrived")
    tolerance_rad: Positive = Field(0.05, le=0.3, description="arrived")

    @model_validator(mode="after")
    def _one_goal(self) -> MoveSpec:
        relative = any((*self.by_m, *self.by_rad))
        if (self.to is not None) == relative:
            got = "both" if relative else "neither"
            raise ValueError(f"give either `to` or `by_m`/`by_rad`, not {got}; {_MOTION_EXAMPLE}")
        if self.to is None and (any(self.translation_range_m) or self.yaw_range_rad):
            raise ValueError("translation_range_m and yaw_range_rad go with `to`; leave them out")
        return self


class GripperMotionSpec(Section):
    """Opens or closes a gripper, and waits until it is done."""

    arm: Name = "arm"
    position: Fraction = Field(description="0 closed .. 1 open")
    settle_s: Positive = Field(0.6, le=5.0, description="time for it (original: gripper_sleep)")


class WaitSpec(Section):
    """Arms and grippers stay as they are."""

    seconds: Positive = Field(le=60.0)


class MotionSpec(Section):
    """One scripted motion: `move`, `gripper` or `wait`."""

    move: MoveSpec | None = None
    gripper: GripperMotionSpec | None = None
    wait: WaitSpec | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> MotionSpec:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            raise ValueError(f"a motion is one of move, gripper, wait, not {got}; {_MOTION_EXAMPLE}")
        return self

    @property
    def arm(self) -> str | None:
        """The arm it is about; None: of none."""
        about = self.move or self.gripper
        return None if about is None else about.arm


class SkillSpec(Section):
    """A trained policy and what goes before and after it.

    Its episode begins where the approach ends; the reward classifier of its run says when it is done, and
    `episode.max_steps` of its task is the time limit.
    """

    name: Name
    task: Name = Field(description="task that the run was trained with; example: task: ram_first")
    run: str | None = Field(
        None, min_length=1, description="run folder; left out: the newest of this task with a policy"
    )
    checkpoint: str | None = Field(
        None, min_length=1, description="best, latest or a checkpoint folder; left out: the newest policy"
    )
    deterministic: bool | None = Field(None, description="the policy's mode; left out: as the task evaluates")
    attempts: int = Field(2, ge=1, le=20, description="at most (paper: 2)")
    approach: tuple[MotionSpec, ...] = Field((), description="before every attempt")
    retreat: tuple[MotionSpec, ...] = Field((), description="after success")
    recover: tuple[MotionSpec, ...] = Field((), description="after a failed attempt, before the next")

    @property
    def motions(self) -> dict[str, tuple[MotionSpec, ...]]:
        """All motions, by key."""
        return {"approach": self.approach, "retreat": self.retreat, "recover": self.recover}


class ChainSpec(Section):
    """A chain file."""

    name: Name
    description: str = ""
    skills: tuple[SkillSpec, ...] = Field(min_length=1)
    scene_parameters: dict[str, float] = Field(
        {}, description="simulation: of the whole chain, on top of the first task's scene.parameters"
    )

    @model_validator(mode="after")
    def _unique(self) -> ChainSpec:
        names = [skill.name for skill in self.skills]
        if len(set(names)) != len(names):
            raise ValueError(f"skills: names must differ, got {names}; example: first and second")
        return self
