# SPDX-License-Identifier: Apache-2.0
"""Linear read-out of trunk features: ridge regression to the pose, principal components for the rest.

There are far more features than samples, so everything is solved in the dual: through the N x N Gram matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilserl_learning.errors import LearningError

Array = NDArray[np.float32]
Array64 = NDArray[np.float64]

AXES = ("x_mm", "y_mm", "z_mm", "rx_deg", "ry_deg", "rz_deg")
_UNITS = np.array([1e3] * 3 + [180.0 / np.pi] * 3)  # m -> mm, rad -> deg
# Ridge strength relative to the mean diagonal of the Gram matrix of standardized features.
LAMBDAS = tuple(float(x) for x in np.logspace(-5, 1, 13))


# Frames farther from the goal than a start pose bend a linear map where millimetres count: with excursions
# 2.5 times as far, the cross-validated error near the goal grew from 0.8 to 1.6 mm along the insertion.
NEAR_LATERAL_M, NEAR_HEIGHT_M, NEAR_ROTATION_RAD = 0.03, 0.065, 0.22
FEW_FRAMES = 100


def near_goal(targets: NDArray) -> NDArray[np.bool_]:
    """Mask [N] of the frames a read-out is fitted on; all of them when few are near."""
    lateral = np.linalg.norm(targets[:, :2], axis=1)
    near = (lateral < NEAR_LATERAL_M) & (np.abs(targets[:, 2]) < NEAR_HEIGHT_M)
    near &= np.linalg.norm(targets[:, 3:], axis=1) < NEAR_ROTATION_RAD
    return near if near.sum() >= FEW_FRAMES else np.ones(len(targets), np.bool_)


@dataclass(frozen=True)
class AffineMap:
    """y = x @ weight + bias, weight [features, outputs]."""

    weight: Array
    bias: Array


@dataclass(frozen=True)
class ReadoutReport:
    """How well poses are read, cross-validated over whole episodes.

    Attributes:
        mae, mae_mean: mean absolute error per axis (mm, deg) of the read-out and of predicting the mean.
        ridge: chosen strength, relative to the mean diagonal of the Gram matrix.
        samples, groups, components: frames, episodes, principal components kept.
        explained: share of the feature variance in the components.
    """

    mae: dict[str, float]
    mae_mean: dict[str, float]
    ridge: float
    samples: int
    groups: int
    components: int
    explained: float


def pose_labels(base_T_tcp: NDArray, base_T_goal: NDArray) -> Array64:
    """Hindsight labels of one episode: where the tcp was relative to where this episode succeeded.

    Args:
        base_T_tcp: [T, 4, 4] measured poses of the robot.
        base_T_goal: [4, 4] the robot's own pose at success.

    Returns:
        [T, 6]: goal_T_tcp as position [m] in the goal frame and rotation vector [rad].
    """
    rotation = base_T_goal[:3, :3].T
    position = (base_T_tcp[:, :3, 3] - base_T_goal[:3, 3]) @ rotation.T
    return np.concatenate([position, rotation_vector(rotation @ base_T_tcp[:, :3, :3])], 1)


def rotation_vector(rotations: NDArray) -> Array64:
    """Logarithm of rotation matrices [N, 3, 3] as [N, 3] rad; for angles well below pi."""
    sine = 0.5 * np.stack(
        [
            rotations[:, 2, 1] - rotations[:, 1, 2],
            rotations[:, 0, 2] - rotations[:, 2, 0],
            rotations[:, 1, 0] - rotations[:, 0, 1],
        ],
        1,
    )
    norm = np.linalg.norm(sine, axis=1)
    angle = np.arctan2(norm, 0.5 * (np.trace(rotations, axis1=1, axis2=2) - 1.0))
    ratio = np.where(norm > 1e-9, angle / np.maximum(norm, 1e-9), 1.0)
    return sine * ratio[:, None]


def fit(
    features: Array, targets: NDArray, groups: NDArray, components: int
) -> tuple[AffineMap, ReadoutReport]:
    """Fits pose and principal components as one affine map of raw features.

    Args:
        features: [N, D] trunk features, float32.
        targets: [N, 6] poses (m, rad); groups: [N] episode of each frame, kept whole in validation.
        components: principal components to keep, each scaled to unit variance.

    Returns:
        Map to [6 + components] outputs, and the report.
    """
    _check(features, targets, groups, components)
    mean = features.mean(0)
    # Dead or nearly constant random features must not be blown up to unit variance.
    deviation = features.std(0)
    scale = 1.0 / np.maximum(deviation, 0.05 * float(deviation.mean()) + 1e-12)
    x = (features - mean) * scale
    gram = (x @ x.T).astype(np.float64)
    ridge, errors, mean_errors = choose_ridge(gram, targets, groups)

    target_mean = targets.mean(0)
    dual = _solve(gram, targets - target_mean, ridge)
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1][:components], vectors[:, ::-1][:, :components]
    variance = values / len(x)
    keep = variance > 1e-9 * variance[0]
    projection = vectors * np.where(keep, 1.0 / np.sqrt(np.maximum(values * variance, 1e-30)), 0.0)

    weight = x.T @ np.concatenate([dual, projection], 1).astype(np.float32) * scale[:, None]
    bias = np.concatenate([target_mean, np.zeros(components)]) - mean.astype(np.float64) @ weight
    report = ReadoutReport(
        mae=dict(zip(AXES, (errors * _UNITS).tolist(), strict=True)),
        mae_mean=dict(zip(AXES, (mean_errors * _UNITS).tolist(), strict=True)),
        ridge=ridge,
        samples=len(x),
        groups=len(np.unique(groups)),
        components=int(keep.sum()),
        explained=float(values.sum() / np.trace(gram)),
    )
    return AffineMap(weight.astype(np.float32), bias.astype(np.float32)), report


def choose_ridge(
    gram: Array64, targets: NDArray, groups: NDArray, folds: int = 5
) -> tuple[float, Array64, Array64]:
    """Ridge strength with the least cross-validated error, folds made of whole episodes.

    Returns:
        strength, mean absolute error [6] at it, mean absolute error [6] of predicting the training mean.
    """
    spread = targets.std(0) + 1e-12
    errors = np.zeros((len(LAMBDAS), 6))
    mean_errors = np.zeros(6)
    for held_out in _folds(groups, folds):
        train = np.flatnonzero(~held_out)
        test = np.flatnonzero(held_out)
        mean = targets[train].mean(0)
        inner = gram[np.ix_(train, train)]
        values, vectors = np.linalg.eigh(inner)
        rotated = vectors.T @ (targets[train] - mean)
        projected = gram[np.ix_(test, train)] @ vectors
        mean_errors += np.abs(targets[test] - mean).sum(0)
        for row, strength in enumerate(LAMBDAS):
            solution = rotated / (np.maximum(values, 0.0) + strength * np.trace(inner) / len(train))[:, None]
            errors[row] += np.abs(projected @ solution + mean - targets[test]).sum(0)
    best = int(np.argmin((errors / spread).sum(1)))
    return LAMBDAS[best], errors[best] / len(targets), mean_errors / len(targets)


def _solve(gram: Array64, targets: Array64, ridge: float) -> Array64:
    strength = ridge * np.trace(gram) / len(gram)
    return np.linalg.solve(gram + strength * np.eye(len(gram)), targets)


def _folds(groups: NDArray, folds: int) -> list[NDArray]:
    names = np.unique(groups)
    order = np.random.default_rng(0).permutation(len(names))  # episodes may get easier with time
    return [np.isin(groups, names[order[k::folds]]) for k in range(min(folds, len(names)))]


def _check(features: Array, targets: NDArray, groups: NDArray, components: int) -> None:
    count = len(features)
    if targets.shape != (count, 6) or len(groups) != count:
        raise LearningError(
            f"read-out: {count} frames, targets {targets.shape}, groups {np.shape(groups)}; "
            f"targets must be ({count}, 6) and groups ({count},)"
        )
    if len(np.unique(groups)) < 2 or count <= components:
        raise LearningError(
            f"read-out: {count} frames of {len(np.unique(groups))} episodes are too few; it needs two "
            f"episodes and more frames than components ({components}), e.g. 1000 frames of 20 episodes"
        )
    if not (np.isfinite(features).all() and np.isfinite(targets).all()):
        raise LearningError("read-out: features or targets contain NaN or infinity")
