# SPDX-License-Identifier: Apache-2.0
"""Statistics of evaluation episodes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hilserl_learning.errors import LearningError


def wilson_interval(successes: int, trials: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson interval of a success rate (z = 1.96: 95 %); sensible at 0 and 100 % too."""
    if not 0 <= successes <= trials or trials == 0:
        raise LearningError(f"wilson_interval: {successes} of {trials}, must be 0 <= successes <= trials > 0")
    rate, square = successes / trials, z * z / trials
    center = (rate + square / 2) / (1 + square)
    half = z * math.sqrt(rate * (1 - rate) / trials + square / (4 * trials)) / (1 + square)
    return max(0.0, center - half), min(1.0, center + half)


def running_mean(values: Sequence[float], window: int = 20) -> NDArray[np.float64]:
    """Mean over the last `window` values (fewer at the start), as in the paper's curves; same length."""
    if window < 1:
        raise LearningError(f"running_mean: window {window}, must be at least 1, e.g. 20 episodes")
    total = np.concatenate([[0.0], np.cumsum(np.asarray(values, np.float64))])
    end = np.arange(1, len(total))
    start = np.maximum(0, end - window)
    return (total[end] - total[start]) / (end - start)


def bootstrap_interval(
    values: Sequence[float], level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean, e.g. of cycle times [s]; LearningError when empty."""
    sample = np.asarray(values, np.float64)
    if sample.size == 0:
        raise LearningError("bootstrap_interval: no values; it needs at least one, e.g. one cycle time")
    picks = np.random.default_rng(seed).integers(0, sample.size, (draws, sample.size))
    low, high = np.quantile(sample[picks].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
