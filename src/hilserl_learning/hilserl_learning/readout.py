# SPDX-License-Identifier: Apache-2.0
"""Linear read-out of trunk features: ridge regression to poses, principal components for the rest.

One read-out tells several poses, one a head. Every head is fitted on its own frames, the components on all.
There are far more features than samples, so everything is solved in the dual: through the N x N Gram matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilserl_learning.errors import LearningError

Array = NDArray[np.float32]
Array64 = NDArray[np.float64]

AXES = ("x_mm", "y_mm", "z_mm", "rx_deg", "ry_deg", "rz_deg")
_UNITS = np.array([1e3] * 3 + [180.0 / np.pi] * 3)  # m -> mm, rad -> deg
CLOSE_M = 0.02
# Ridge strength relative to the mean diagonal of the Gram matrix of standardized features.
LAMBDAS = tuple(float(x) for x in np.logspace(-5, 1, 13))


@dataclass(frozen=True)
class AffineMap:
    """y = x @ weight + bias, weight [features, outputs]."""

    weight: Array
    bias: Array


@dataclass(frozen=True)
class HeadReport:
    """How well one pose is read, cross-validated over whole episodes.

    Attributes:
        mae, mae_mean: mean absolute error per axis (mm, deg) of the read-out and of predicting the mean.
        mae_close: of the read-out within 2 cm of the goal, where it counts; None: no frame is.
        ridge: chosen strength, relative to the mean diagonal of the Gram matrix.
        samples, groups: frames and episodes it was fitted on.
    """

    mae: dict[str, float]
    mae_mean: dict[str, float]
    mae_close: dict[str, float] | None
    ridge: float
    samples: int
    groups: int


@dataclass(frozen=True)
class ReadoutReport:
    """What a read-out is worth.

    Attributes:
        heads: by name.
        samples, groups, components: frames, episodes, principal components kept.
        explained: share of the feature variance in the components.
    """

    heads: dict[str, HeadReport]
    samples: int
    groups: int
    components: int
    explained: float


def fit(
    features: Array, targets: NDArray, groups: NDArray, components: int, names: Sequence[str]
) -> tuple[AffineMap, ReadoutReport]:
    """Fits poses and principal components as one affine map of raw features.

    Args:
        features: [N, D] trunk features, float32.
        targets: [N, heads, 6] poses (m, rad); NaN where a frame says nothing about a head.
        groups: [N] episode of each frame, kept whole in validation.
        components: principal components to keep, each scaled to unit variance.
        names: of the heads.

    Returns:
        Map to [6 per head, components] outputs, and the report.

    Raises:
        LearningError: sizes that do not fit, too few frames or episodes (of which head), NaN.
    """
    _check(features, targets, groups, components, names)
    mean = features.mean(0)
    # Dead or nearly constant random features must not be blown up to unit variance.
    deviation = features.std(0)
    scale = 1.0 / np.maximum(deviation, 0.05 * float(deviation.mean()) + 1e-12)
    x = (features - mean) * scale
    gram = (x @ x.T).astype(np.float64)
    heads = [_fit_head(gram, targets[:, number], groups) for number in range(len(names))]

    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1][:components], vectors[:, ::-1][:, :components]
    variance = values / len(x)
    keep = variance > 1e-9 * variance[0]
    projection = vectors * np.where(keep, 1.0 / np.sqrt(np.maximum(values * variance, 1e-30)), 0.0)

    duals = np.concatenate([*(head.dual for head in heads), projection], 1)
    weight = x.T @ duals.astype(np.float32) * scale[:, None]
    origins = np.concatenate([*(head.target_mean for head in heads), np.zeros(components)])
    bias = origins - mean.astype(np.float64) @ weight
    for number, head in enumerate(heads):
        if len(head.frames) < len(x):  # it was fitted around the mean of its own frames
            columns = slice(6 * number, 6 * number + 6)
            bias[columns] -= (features[head.frames].mean(0) - mean).astype(np.float64) @ weight[:, columns]
    report = ReadoutReport(
        heads={name: head.report for name, head in zip(names, heads, strict=True)},
        samples=len(x),
        groups=len(np.unique(groups)),
        components=int(keep.sum()),
        explained=float(values.sum() / np.trace(gram)),
    )
    return AffineMap(weight.astype(np.float32), bias.astype(np.float32)), report


@dataclass(frozen=True)
class _Head:
    """One solved head: its frames, dual [N, 6] (zero elsewhere), what it says at the mean of its frames."""

    frames: NDArray[np.int64]
    dual: Array64
    target_mean: Array64
    report: HeadReport


def _fit_head(gram: Array64, targets: NDArray, groups: NDArray) -> _Head:
    frames = np.flatnonzero(np.isfinite(targets).all(1))
    own, some = gram, len(frames) < len(gram)
    if some:
        own = _centred(gram[np.ix_(frames, frames)])
    targets, groups = targets[frames], groups[frames]
    ridge, errors, mean_errors, close_errors = choose_ridge(own, targets, groups, centre_folds=some)
    target_mean = targets.mean(0)
    dual = np.zeros((len(gram), 6))
    dual[frames] = _solve(own, targets - target_mean, ridge)
    report = HeadReport(
        mae=_by_axis(errors),
        mae_mean=_by_axis(mean_errors),
        mae_close=_by_axis(close_errors) if np.isfinite(close_errors).all() else None,
        ridge=ridge,
        samples=len(frames),
        groups=len(np.unique(groups)),
    )
    return _Head(frames, dual, target_mean, report)


def choose_ridge(
    gram: Array64, targets: NDArray, groups: NDArray, folds: int = 5, centre_folds: bool = False
) -> tuple[float, Array64, Array64, Array64]:
    """Ridge strength with the least cross-validated error, folds made of whole episodes.

    Args:
        centre_folds: around the mean of the frames that are learnt from, as the fit itself is. Few frames far
            from the mean of all need it; without it their errors are overestimated. One head that has all
            frames does without and keeps its strengths.

    Returns:
        strength, mean absolute error [6] at it, mean absolute error [6] of predicting the training mean, and
        the error at that strength of the frames close to the goal (NaN: there are none).
    """
    spread = targets.std(0) + 1e-12
    errors = np.zeros((len(LAMBDAS), 6))
    close_errors = np.zeros_like(errors)
    mean_errors = np.zeros(6)
    close = np.linalg.norm(targets[:, :3], axis=1) < CLOSE_M
    for held_out in _folds(groups, folds):
        train = np.flatnonzero(~held_out)
        test = np.flatnonzero(held_out)
        mean = targets[train].mean(0)
        inner, across = gram[np.ix_(train, train)], gram[np.ix_(test, train)]
        if centre_folds:
            across = across - across.mean(1, keepdims=True) - inner.mean(0) + inner.mean()
            inner = _centred(inner)
        values, vectors = np.linalg.eigh(inner)
        rotated = vectors.T @ (targets[train] - mean)
        projected = across @ vectors
        mean_errors += np.abs(targets[test] - mean).sum(0)
        for row, strength in enumerate(LAMBDAS):
            solution = rotated / (np.maximum(values, 0.0) + strength * np.trace(inner) / len(train))[:, None]
            missed = np.abs(projected @ solution + mean - targets[test])
            errors[row] += missed.sum(0)
            close_errors[row] += missed[close[test]].sum(0)
    best = int(np.argmin((errors / spread).sum(1)))
    near = close_errors[best] / close.sum() if close.any() else np.full(6, np.nan)
    return LAMBDAS[best], errors[best] / len(targets), mean_errors / len(targets), near


def _by_axis(errors: Array64) -> dict[str, float]:
    return dict(zip(AXES, (errors * _UNITS).tolist(), strict=True))


def _solve(gram: Array64, targets: Array64, ridge: float) -> Array64:
    strength = ridge * np.trace(gram) / len(gram)
    return np.linalg.solve(gram + strength * np.eye(len(gram)), targets)


def _centred(gram: Array64) -> Array64:
    """Gram matrix of the same rows with their mean taken away."""
    rows = gram.mean(0)
    return gram - rows - rows[:, None] + rows.mean()


def _folds(groups: NDArray, folds: int) -> list[NDArray]:
    names = np.unique(groups)
    order = np.random.default_rng(0).permutation(len(names))  # episodes may get easier with time
    return [np.isin(groups, names[order[k::folds]]) for k in range(min(folds, len(names)))]


def _check(features: Array, targets: NDArray, groups: NDArray, components: int, names: Sequence[str]) -> None:
    count = len(features)
    if targets.shape != (count, len(names), 6) or len(groups) != count:
        raise LearningError(
            f"read-out: {count} frames, targets {targets.shape}, groups {np.shape(groups)}; "
            f"targets must be ({count}, {len(names)}, 6) and groups ({count},)"
        )
    if len(np.unique(groups)) < 2 or count <= components:
        raise LearningError(
            f"read-out: {count} frames of {len(np.unique(groups))} episodes are too few; it needs two "
            f"episodes and more frames than components ({components}), e.g. 1000 frames of 20 episodes"
        )
    unknown = np.isnan(targets).all(2)
    for number, name in enumerate(names):
        episodes = len(np.unique(groups[~unknown[:, number]]))
        if episodes < 2:
            raise LearningError(
                f"read-out '{name}': {int((~unknown[:, number]).sum())} frames of {episodes} episodes have "
                "its label; it needs two episodes, e.g. 1000 frames of 20 episodes"
            )
    if not (np.isfinite(features).all() and np.isfinite(targets[~unknown]).all()):
        raise LearningError("read-out: features or targets contain NaN or infinity")
