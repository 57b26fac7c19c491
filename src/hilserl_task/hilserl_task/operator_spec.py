# SPDX-License-Identifier: Apache-2.0
"""The part of a task file about the person and the input devices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from hilserl_task.coach_spec import CoachSpec
from hilserl_task.device_spec import DeviceSpec
from hilserl_task.section import Fraction, Name, NonNegative, Positive, Section


class ScriptedOperatorSpec(Section):
    """The simulated person: when it steps in and how imperfect its hand is."""

    reaction_delay_s: NonNegative = Field(0.2, le=2.0)
    patience_s: Positive = Field(3.0, description="no progress for this long: step in")
    stray_distance_m: Positive = Field(0.05, description="sideways distance from the target that worries it")
    noise: Fraction = Field(0.15, description="standard deviation of the stick, relative to its deflection")
    takeover_s: Positive = Field(1.5, description="how long a correction lasts at most")
    seated_depth_m: NonNegative = Field(0.0, description="insertion from which the person calls it done")
    demonstration_speed: Annotated[float, Field(gt=0, le=1)] = 0.8


class OperatorSpec(Section):
    """The person and the input device."""

    kind: Annotated[
        Literal["scripted", "person"], BeforeValidator(lambda kind: "person" if kind == "spacenav" else kind)
    ] = Field("scripted", description="spacenav: an older word for person")
    devices: tuple[DeviceSpec, ...] = Field(
        (), description="of a person; none: drivers are started elsewhere"
    )
    frame: Literal["base", "tcp", "camera"] = Field("base", description="axes of the stick")
    camera: Name | None = Field(None, description="whose axes, for frame: camera; it needs a mount")
    takeover: Literal["both", "arm"] = Field(
        "both", description="several arms: both: a moved device takes all arms (original); arm: only its own"
    )
    deadband: Fraction = Field(0.02, description="of full deflection")
    hold_s: NonNegative = Field(
        0.0, le=2.0, description="takeover lasts this long after the stick is neutral"
    )
    timeout_s: Positive = Field(0.2, description="older stick messages are ignored")
    interventions: bool = True
    scripted: ScriptedOperatorSpec = ScriptedOperatorSpec()
    coach: CoachSpec = CoachSpec()
