# SPDX-License-Identifier: Apache-2.0
"""What every section of a task file is made of: strict sections and bounded numbers."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Angle = Annotated[float, Field(ge=-math.pi, le=math.pi)]  # rad
Finite = Annotated[float, Field(allow_inf_nan=False)]
Vector3 = tuple[Finite, Finite, Finite]
Positive3 = tuple[Positive, Positive, Positive]
NonNegative3 = tuple[NonNegative, NonNegative, NonNegative]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Section(BaseModel):
    """Base of every section: unknown keys are errors, instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
