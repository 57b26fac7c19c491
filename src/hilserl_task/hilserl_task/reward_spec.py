# SPDX-License-Identifier: Apache-2.0
"""The part of a task file that says what success is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hilserl_task.section import Fraction, Name, NonNegative, Section


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
    positive_labels: int = Field(200, ge=10)
    negative_labels: int = Field(1000, ge=10)
    minimum_accuracy: Fraction = Field(0.95, description="held-out; below it training does not start")
