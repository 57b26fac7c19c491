# SPDX-License-Identifier: Apache-2.0
"""Rows of features in few bytes: float32, float16, or uint8 with one scale per camera and channel.

Stated errors, per value: float16 2^-11 relative; uint8 at most 1/509 of the largest value in that channel
of that picture (or 1e-5, for channels that small). Every row brings its own scales, so nothing has to be
calibrated and nothing is clipped.
"""

from __future__ import annotations

import mmap
import sys

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hilserl_learning.errors import LearningError

NUMPY_TYPES: dict[torch.dtype, type[np.generic]] = {
    torch.float32: np.float32,
    torch.float16: np.float16,
    torch.uint8: np.uint8,
}
UINT8_STEPS = 255
LARGEST = {torch.float16: 65504.0, torch.uint8: 65504.0 * UINT8_STEPS}
# Linux's MAP_NORESERVE; the mmap module names it from Python 3.13 on.
_NO_RESERVE = 0x4000 if sys.platform == "linux" else 0


def reserved(*shape: int, dtype: type[np.generic]) -> NDArray:
    """Zeros whose pages are committed when they are first written.

    Reserving more than the machine has is allowed: what counts is what gets used, see `replay_budget`.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size == 0:
        return np.zeros(shape, dtype)
    area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE)
    return np.frombuffer(area, dtype).reshape(shape)


class FeatureRows:
    """Vectors [rows, size] in a storage type; float32 goes in and comes out."""

    def __init__(self, rows: int, size: int, dtype: torch.dtype = torch.float32, block: int = 16):
        """Reserves memory.

        Args:
            block: values that share a scale ('uint8'): the pixels of one channel of one camera, map_size^2.
        """
        check_type(size, dtype, block)
        self.size, self.dtype, self.block = size, dtype, block
        self.values = reserved(rows, size, dtype=NUMPY_TYPES[dtype])
        self.scales: NDArray[np.float16] | None = None
        if dtype == torch.uint8:
            self.scales = reserved(rows, size // block, dtype=np.float16)
        # The same memory for torch, whose gather is several times as fast as numpy's.
        self._values = torch.from_numpy(self.values)
        self._scales = None if self.scales is None else torch.from_numpy(self.scales)

    def check(self, features: NDArray[np.float32]) -> None:
        """LearningError when these (finite) values do not fit the storage type."""
        largest = LARGEST.get(self.dtype)
        if largest is None or features.size == 0:
            return
        low, high = float(features.min()), float(features.max())
        if max(-low, high) > largest:
            raise LearningError(
                f"features: {max(-low, high):g} is too large to be stored as {self.dtype}, at most "
                f"{largest:g}; store them as float32"
            )
        if self.dtype == torch.uint8 and low < 0.0:
            raise LearningError(
                f"features: {low:g} is negative; uint8 is for maps of the trunk, which end in a ReLU; "
                "store read-outs as float32 or float16"
            )

    def put(self, first: int, features: NDArray[np.float32]) -> None:
        """Writes features [n, size], checked by `check`, to rows first..first + n - 1."""
        rows = slice(first, first + len(features))
        if self.scales is None:
            self.values[rows] = features
            return
        blocks = features.reshape(len(features), -1, self.block)
        scales = (blocks.max(2) / UINT8_STEPS).astype(np.float16)
        steps = scales.astype(np.float32)
        np.divide(1.0, steps, out=steps, where=steps > 0)
        levels = np.minimum(np.rint(blocks * steps[:, :, None]), UINT8_STEPS)
        self.values[rows] = levels.reshape(len(features), -1)
        self.scales[rows] = scales

    def get(self, rows: Tensor) -> Tensor:
        """Features of rows [n] (int64) as float32 [n, size]."""
        values = self._values[rows].float()
        if self._scales is None:
            return values
        scales = self._scales[rows].float()
        return (values.view(len(rows), -1, self.block) * scales[:, :, None]).view(len(rows), -1)


def check_type(size: int, dtype: torch.dtype, block: int) -> None:
    """LearningError when there is no such storage type or the blocks do not divide the vector."""
    if dtype not in NUMPY_TYPES:
        raise LearningError(
            f"feature_dtype: {dtype}, must be one of {', '.join(str(kind) for kind in NUMPY_TYPES)}"
        )
    if dtype == torch.uint8 and (block < 1 or size % block):
        raise LearningError(
            f"feature_block: {block}, must divide the feature size {size} (values that share a scale, "
            "map_size^2, e.g. 16 for maps of 4 x 4)"
        )


def bytes_per_row(size: int, dtype: torch.dtype, block: int = 16) -> int:
    """Memory of one stored vector."""
    check_type(size, dtype, block)
    scales = 2 * (size // block) if dtype == torch.uint8 else 0
    return size * np.dtype(NUMPY_TYPES[dtype]).itemsize + scales
