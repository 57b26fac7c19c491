# SPDX-License-Identifier: Apache-2.0
"""The one error this package raises for unusable input, and the checks at its boundary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class LearningError(ValueError):
    """Input that cannot be used. The text names the thing, the value, the rule and a good example."""


def finite_vector(name: str, value: Any, size: int) -> NDArray[np.float32]:
    """`value` as float32 (size,); raises LearningError on another shape, NaN or infinity."""
    vector = np.asarray(value, dtype=np.float32)
    if vector.shape != (size,):
        raise LearningError(f"{name}: shape {vector.shape}, must be ({size},), e.g. np.zeros({size})")
    if not np.isfinite(vector).all():
        raise LearningError(f"{name}: entry {int(np.argmin(np.isfinite(vector)))} is not finite: {vector}")
    return vector


def pictures(name: str, value: Any) -> NDArray[np.uint8]:
    """`value` as uint8 [B, n_cam, H, W, 3]; a missing batch axis is added; raises LearningError."""
    images = np.asarray(value)
    if images.dtype != np.uint8:
        raise LearningError(f"{name}: dtype {images.dtype}, must be uint8 RGB in 0..255")
    if images.ndim == 4:
        images = images[None]
    if images.ndim != 5 or images.shape[-1] != 3:
        raise LearningError(
            f"{name}: shape {images.shape}, must be [n_cam, H, W, 3] or [B, n_cam, H, W, 3], "
            "e.g. (2, 128, 128, 3)"
        )
    return images


def one_of(what: str, value: str, good: Iterable[str]) -> str:
    """`value` if it is in `good`; else LearningError that lists the good ones."""
    options = list(good)
    if value not in options:
        raise LearningError(f"{what} '{value}' is unknown; use one of {', '.join(options)}")
    return value
