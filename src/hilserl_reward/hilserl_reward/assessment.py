# SPDX-License-Identifier: Apache-2.0
"""How good a classifier is on held-out frames: calibration, precision and recall, which threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of the held-out frames of success that the recommended threshold still sees. A missed frame costs a step, a
# wrong one teaches the policy to stop there: so the threshold is as high as this share allows.
KEPT_RECALL = 0.97
THRESHOLDS = np.round(np.arange(0.05, 0.995, 0.01), 2)
BINS = 10
RULE = (
    f"the highest threshold at which {KEPT_RECALL:.0%} of the held-out frames that should count still do: "
    "a missed one costs a step, a wrong one teaches the policy to stop there"
)


def calibration(probabilities: NDArray[np.floating], truth: NDArray[np.bool_]) -> dict[str, Any]:
    """Whether 90 % sure is right 90 % of the time.

    Args:
        probabilities: [N] of being right.
        truth: [N] whether it was.

    Returns:
        `bins` (of equal width: frames, mean probability, share that is true), `expected_error` (mean
        distance of the two, weighted by frames) and `brier` (mean squared error).
    """
    number = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    bins = []
    for index in np.unique(number):
        inside = number == index
        bins.append(
            {
                "frames": int(inside.sum()),
                "probability": float(probabilities[inside].mean()),
                "share": float(truth[inside].mean()),
            }
        )
    error = sum(part["frames"] * abs(part["probability"] - part["share"]) for part in bins)
    return {
        "bins": bins,
        "expected_error": error / len(truth),
        "brier": float(((probabilities - truth) ** 2).mean()),
    }


def threshold_table(probabilities: NDArray[np.floating], truth: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Precision and recall at every threshold of `THRESHOLDS`; precision is 1 where nothing counts.

    Args:
        probabilities: [N] of what would be judged true.
        truth: [N] whether it is.
    """
    rows = []
    for threshold in THRESHOLDS:
        judged = probabilities >= threshold
        right, wrong = int((judged & truth).sum()), int((judged & ~truth).sum())
        rows.append(
            {
                "threshold": float(threshold),
                "precision": right / (right + wrong) if right + wrong else 1.0,
                "recall": right / int(truth.sum()) if truth.any() else 0.0,
                "false_positives": wrong,
            }
        )
    return rows


def recommend_threshold(table: list[dict[str, float]]) -> dict[str, Any]:
    """By `RULE`; not below 0.5, where the other answer is likelier."""
    usable = [row for row in table if row["threshold"] >= 0.5]
    best = max(row["recall"] for row in usable)
    kept = [row for row in usable if row["recall"] >= KEPT_RECALL * best]
    return {**kept[-1], "rule": RULE}


def confident_and_right(
    probabilities: NDArray[np.floating], kinds: NDArray[np.integer]
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Of classes: [N] probability of the likeliest one, and whether it is the right one."""
    return probabilities.max(1), probabilities.argmax(1) == kinds
