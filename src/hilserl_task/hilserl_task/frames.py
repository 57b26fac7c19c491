# SPDX-License-Identifier: Apache-2.0
"""SE(3) helpers. `a_T_b` is the 4x4 pose of frame b in frame a; quaternions are x y z w."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]


def pose_matrix(position: ArrayLike, quaternion_xyzw: ArrayLike) -> Array:
    """4x4 matrix from position [m] (3,) and quaternion (4,), normalised here.

    Raises:
        ValueError: not finite, or a quaternion of length zero.
    """
    p, q = np.asarray(position, float), np.asarray(quaternion_xyzw, float)
    if p.shape != (3,) or q.shape != (4,) or not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise ValueError(f"pose: position {p} and quaternion {q} must be 3 and 4 finite numbers")
    norm = np.linalg.norm(q)
    if norm < 1e-6:
        raise ValueError(f"pose: quaternion {q} has length zero; example: 0 0 0 1")
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(q / norm).as_matrix()
    matrix[:3, 3] = p
    return matrix


def pose_vector(a_T_b: Array) -> Array:
    """(7,) position and quaternion xyzw (w >= 0) of a 4x4 pose."""
    quaternion = Rotation.from_matrix(a_T_b[:3, :3]).as_quat()
    return np.concatenate([a_T_b[:3, 3], quaternion if quaternion[3] >= 0 else -quaternion])


def inverse(a_T_b: Array) -> Array:
    """b_T_a."""
    rotation = a_T_b[:3, :3].T
    b_T_a = np.eye(4)
    b_T_a[:3, :3] = rotation
    b_T_a[:3, 3] = -rotation @ a_T_b[:3, 3]
    return b_T_a


def position_and_rotvec(a_T_b: Array) -> Array:
    """(6,) position [m] and rotation vector [rad] of a pose."""
    return np.concatenate([a_T_b[:3, 3], Rotation.from_matrix(a_T_b[:3, :3]).as_rotvec()])


def rotate_both(rotation: Array, six_vector: ArrayLike) -> Array:
    """A twist, wrench or action in other axes, same origin: the 3x3 rotation on both triplets.

    The original used an adjoint whose blocks were ordered for (angular, linear) on (linear, angular)
    vectors, so translation leaked into rotation (defect D3). A delta pose at the tcp needs no lever arm.
    """
    vector = np.asarray(six_vector, float)
    return np.concatenate([rotation @ vector[:3], rotation @ vector[3:]])
