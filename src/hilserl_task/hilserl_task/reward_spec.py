# SPDX-License-Identifier: Apache-2.0
"""The part of a task file that says what success is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hilserl_task.section import Finite, Fraction, Name, NonNegative, Section


class GateSpec(Section):
    """Bounds of one entry of the state, without which nothing counts as success.

    The original writes such gates into its tasks' reward functions: `classifier > 0.85 and z > 0.04` (RAM),
    `classifier > 0.7 and gripper > 0.4` (USB), `> 0.75 and left gripper > 0.5` (handover).
    """

    entry: str = Field(
        pattern=r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_]*$",
        description="<arm>/<entry> of hilserl_task.spaces.state_names, e.g. arm/start_position_z_m",
    )
    minimum: Finite | None = None
    maximum: Finite | None = None

    @model_validator(mode="after")
    def _bounded(self) -> GateSpec:
        if self.minimum is None and self.maximum is None:
            raise ValueError("needs minimum, maximum or both; example: minimum: 0.04")
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError(f"minimum {self.minimum:g} must be below maximum {self.maximum:g}")
        return self


class RewardSpec(Section):
    """The reward classifier (paper, 'Training the reward classifier': 200 positive, 1000 negative)."""

    source: Literal["classifier", "human", "both"] = Field(
        "both", description="who pays: the classifier, the person's success button, or whoever is first"
    )
    cameras: tuple[Name, ...] = ()
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.85
    debounce_frames: int = Field(1, ge=1, le=10, description="consecutive frames above the threshold")
    minimum_travel_m: NonNegative = Field(
        0.0, description="travel of the first tool along its axis since the start, below which nothing counts"
    )
    gates: tuple[GateSpec, ...] = Field((), description="all must hold, or nothing counts")
    classes: tuple[Name, ...] = Field(
        (), description="of a classifier with more than success and failure; the order is the model's"
    )
    success_class: Name | None = Field(None, description="the one of the classes that is success")
    flip_between: tuple[Name, Name] | None = Field(
        None, description="success is the other one of these two than at step 0 (original: egg flip)"
    )
    labels_per_class: int = Field(200, ge=10, description="with classes: labels wanted of each")
    positive_labels: int = Field(200, ge=10)
    negative_labels: int = Field(1000, ge=10)
    minimum_accuracy: Fraction = Field(0.95, description="held-out; below it training does not start")

    @model_validator(mode="after")
    def _classes_have_a_meaning(self) -> RewardSpec:
        if len(set(self.classes)) != len(self.classes) or len(self.classes) == 1:
            raise ValueError(
                f"classes: {list(self.classes)} must be two or more different names, or none; "
                "example: classes: [side_a, side_b, lost]"
            )
        named = [("success_class", name) for name in (self.success_class,) if name is not None]
        named += [("flip_between", name) for name in self.flip_between or ()]
        for key, name in named:
            if name not in self.classes:
                raise ValueError(f"{key}: '{name}' is not one of the classes {list(self.classes)}")
        if self.flip_between is not None and len(set(self.flip_between)) != 2:
            raise ValueError(f"flip_between: {list(self.flip_between)} must be two different classes")
        if self.classes and (self.success_class is None) == (self.flip_between is None):
            raise ValueError(
                "classes: say what success is, by success_class or by flip_between (one of them); "
                f"example: success_class: {self.classes[-1]}"
            )
        return self
