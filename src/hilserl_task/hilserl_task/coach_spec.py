# SPDX-License-Identifier: Apache-2.0
"""The part of a task file about the coach: when it speaks. Nothing here changes training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hilserl_task.section import Fraction, NonNegative, Positive, Section


class CoachSpec(Section):
    """Thresholds of hilserl_intervention's coach; its README's table says what each rule tells the person.

    Sources: P = Science Robotics 2025, 'Training process'; D = the original's docs/franka_walkthrough.md,
    'Tips on giving human interventions'. Where neither gives a number, the number is ours.
    """

    window_episodes: int = Field(20, ge=1, le=1000, description="P, Fig. 3: running average over 20 episodes")
    minimum_episodes: int = Field(5, ge=1, le=1000, description="below that no word about the window")
    stuck_s: Positive = Field(2.5, le=60, description="D: let it explore 20 to 30 steps, then step in")
    stuck_distance_m: Positive = Field(0.005, le=1, description="a tcp that stays within it goes nowhere")
    short_s: Positive = Field(2.0, le=60, description="how long a specific correction should last")
    long_s: Positive = Field(4.0, le=600, description="from here on an intervention is long")
    long_share: Fraction = Field(0.5, description="of its episode; long for episodes that are short")
    sparse_per_episode: NonNegative = Field(1.25, description="up to so many a rescued episode is sparse")
    rescued_rate: Fraction = Field(0.5, description="share of successes with help from which it is a habit")
    early_success_rate: Fraction = Field(0.33, description="D: let 1/3 or more of the episodes get reward")
    early_interventions: NonNegative = Field(
        0.5, description="D: at first every episode or every other episode"
    )
    crowding_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        0.6, description="P: let the robot explore on its own otherwise"
    )
    able_alone_rate: Fraction = Field(
        0.3, description="D: taper off once it finishes by itself every once in a while"
    )
    late_position: Fraction = Field(0.6, description="mean start of help in an episode, 0 begin .. 1 end")
