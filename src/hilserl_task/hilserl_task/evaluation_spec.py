# SPDX-License-Identifier: Apache-2.0
"""The part of a task file about evaluation, and about what disturbs its trials (paper, Fig. 4).

Events are made by the simulator. `events` says which ones happen in every trial, `event_settings` when and
how large; a seed draws the same event whatever others happen beside it.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from hilserl_task.section import NonNegative, Positive, Section

EventKind = Literal["board_moved", "board_shifts", "arm_pushed", "object_moved", "gripper_opened"]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"must be lowest, highest; example: [{bounds[1]:g}, {bounds[0]:g}]")
    return bounds


Periods = Annotated[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]], AfterValidator(_ordered)]
Range = Annotated[tuple[NonNegative, NonNegative], AfterValidator(_ordered)]
_STEPS = "control periods in which it could happen that pass before it does; drawn between these"


class BoardShiftsSpec(Section):
    """What the task aims at (board, panel) is shifted and turned while nothing is within 3 mm of it."""

    steps: Periods = Field((2, 6), description=_STEPS)
    translation_m: Range = Field((0.005, 0.02), description="horizontally, in any direction")
    yaw_rad: NonNegative = Field(0.1, le=0.8, description="at most, either way")
    duration_s: Positive = Field(0.4, le=5.0, description="of the movement")


class ArmPushedSpec(Section):
    """Somebody pushes against a hand, horizontally."""

    steps: Periods = Field((2, 8), description=_STEPS)
    force_n: Range = Field((15.0, 25.0), description="the law gives way beyond stiffness x clip")
    duration_s: Positive = Field(0.3, le=5.0)


class ObjectMovedSpec(Section):
    """A loose object that no hand touches is pushed over what it lies on."""

    steps: Periods = Field((0, 5), description=_STEPS)
    translation_m: Range = Field((0.005, 0.015), description="horizontally, in any direction")
    yaw_rad: NonNegative = Field(0.1, le=3.2, description="at most, either way")
    duration_s: Positive = Field(0.4, le=5.0)
    force_n: Positive = Field(5.0, le=50.0, description="at most: what is in the way stops it")


class GripperOpenedSpec(Section):
    """The fingers of a hand that carries something are pulled apart, against the motor; then let go."""

    steps: Periods = Field((2, 8), description=_STEPS)
    hands: Literal["one", "all"] = Field("one", description="of those that carry something")
    duration_s: Positive = Field(0.5, le=5.0)


class EventSettings(Section):
    """When and how large, by kind. `board_moved` happens at the reset, see board_translation_range_m."""

    board_shifts: BoardShiftsSpec = BoardShiftsSpec()
    arm_pushed: ArmPushedSpec = ArmPushedSpec()
    object_moved: ObjectMovedSpec = ObjectMovedSpec()
    gripper_opened: GripperOpenedSpec = GripperOpenedSpec()


class EvaluationSpec(Section):
    """Evaluation without interventions."""

    episodes: int = Field(50, ge=1, le=10000)
    deterministic: bool = True
    board_moved: bool = Field(False, description="the same as the event of this name")
    checkpoint: str | None = Field(
        None, min_length=1, description="best, latest or a checkpoint folder; left out: the newest policy"
    )
    board_translation_range_m: tuple[NonNegative, NonNegative] = (0.05, 0.05)
    board_yaw_range_rad: NonNegative = 0.785
    events: tuple[EventKind, ...] = Field((), description="simulation: what disturbs every trial")
    event_settings: EventSettings = EventSettings()

    @model_validator(mode="after")
    def _each_once(self) -> EvaluationSpec:
        if len(set(self.events)) != len(self.events):
            raise ValueError(f"events: {list(self.events)} names one twice; each happens once in a trial")
        return self

    @property
    def disturbances(self) -> tuple[EventKind, ...]:
        """Kinds of all events of a trial, in the order of `EVENT_KINDS`."""
        asked = {*self.events, *(("board_moved",) if self.board_moved else ())}
        return tuple(kind for kind in EVENT_KINDS if kind in asked)
