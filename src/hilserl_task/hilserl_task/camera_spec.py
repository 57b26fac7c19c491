# SPDX-License-Identifier: Apache-2.0
"""The part of a task file about cameras."""

from __future__ import annotations

from pydantic import Field, model_validator

from hilserl_task.section import Name, Section


class CropSpec(Section):
    """Pixel region kept of the raw picture: left, top (inclusive) to right, bottom (exclusive)."""

    left: int = Field(ge=0)
    top: int = Field(ge=0)
    right: int = Field(gt=0)
    bottom: int = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> CropSpec:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("left must be below right and top below bottom")
        return self


class CameraSpec(Section):
    """One camera. Raw pictures come on `<arm>/<name>/color/image_raw`."""

    name: Name
    arm: Name = "arm"
    crop: CropSpec | None = None

    @property
    def topic(self) -> str:
        """Relative topic of the raw picture (realsense2_camera's naming)."""
        return f"{self.arm}/{self.name}/color/image_raw"
