# SPDX-License-Identifier: Apache-2.0
"""Statistics of evaluation episodes: intervals, and comparisons on the same initial states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from hilserl_learning.errors import LearningError

LEVEL = 0.95
DRAWS = 9999  # scipy's default for bootstrap


def wilson_interval(successes: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson interval of a success rate; sensible at 0 and 100 % too."""
    if not 0 <= successes <= trials or trials == 0:
        raise LearningError(f"wilson_interval: {successes} of {trials}, must be 0 <= successes <= trials > 0")
    found = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def bootstrap_interval(
    values: Sequence[float], level: float = LEVEL, seed: int = 0, draws: int = DRAWS
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean, e.g. of cycle times [s].

    One value has no spread: both bounds are NaN.

    Raises:
        LearningError: no value, or one that is not finite.
    """
    sample = np.asarray(values, np.float64)
    if sample.size == 0 or not np.isfinite(sample).all():
        raise LearningError(
            f"bootstrap_interval: {sample.size} values; it needs finite ones, at least one, e.g. cycle times"
        )
    if sample.size == 1:
        return math.nan, math.nan
    found = stats.bootstrap(
        (sample,), np.mean, confidence_level=level, n_resamples=draws, method="percentile", rng=seed
    ).confidence_interval
    return float(found.low), float(found.high)


@dataclass(frozen=True)
class PairedComparison:
    """Two policies on the same initial states.

    Attributes:
        both, only_first, only_second, neither: in how many trials each succeeded.
        difference: success rate of the second minus that of the first.
        interval: of the difference.
        p_value: of McNemar's exact test that both are equally good.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    difference: float
    interval: tuple[float, float]
    p_value: float


def compare_paired(first: Sequence[bool], second: Sequence[bool], level: float = LEVEL) -> PairedComparison:
    """Compares successes trial by trial.

    Raises:
        LearningError: not the same number of trials, or none.
    """
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    if a.shape != b.shape or a.size == 0:
        raise LearningError(
            f"compare_paired: {a.size} and {b.size} trials; both need the same ones, at least one"
        )
    both, only_a, only_b = int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum())
    neither = a.size - both - only_a - only_b
    low, high = _newcombe_paired(both, only_b, only_a, neither, level)
    difference = (only_b - only_a) / a.size
    p_value = mcnemar_exact(only_a, only_b)
    return PairedComparison(both, only_a, only_b, neither, difference, (low, high), p_value)


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided p-value from the trials in which exactly one succeeded; 1 when there is none."""
    discordant = only_first + only_second
    return float(stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for so many comparisons at once (Holm 1979), in the order given."""
    order = np.argsort(np.asarray(p_values, np.float64), kind="stable")
    adjusted = [0.0] * len(order)
    worst = 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (len(order) - rank) * float(p_values[index])))
        adjusted[index] = worst
    return adjusted


def _newcombe_paired(both: int, plus: int, minus: int, neither: int, level: float) -> tuple[float, float]:
    """Interval of (plus - minus) / n: square-and-add of two Wilson intervals with their correlation.

    Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10: keeps its level also where nearly all
    trials succeed, which the textbook interval does not.
    """
    n = both + plus + minus + neither
    first, second = both + plus, both + minus
    (low_1, high_1), (low_2, high_2) = wilson_interval(first, n, level), wilson_interval(second, n, level)
    p_1, p_2 = first / n, second / n
    phi = _correlation(both, plus, minus, neither)
    below, above = (p_1 - low_1, high_2 - p_2), (high_1 - p_1, p_2 - low_2)
    delta, epsilon = (math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y)) for x, y in (below, above))
    return max(-1.0, p_1 - p_2 - delta), min(1.0, p_1 - p_2 + epsilon)


def _correlation(both: int, plus: int, minus: int, neither: int) -> float:
    """phi of the 2 x 2 table, with Newcombe's correction where it is positive."""
    product = (both + plus) * (minus + neither) * (both + minus) * (plus + neither)
    if product == 0:
        return 0.0
    numerator: float = both * neither - plus * minus
    if numerator > 0:
        numerator = max(numerator - (both + plus + minus + neither) / 2, 0)
    return float(numerator / math.sqrt(product))
