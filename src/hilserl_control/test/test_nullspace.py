# SPDX-License-Identifier: Apache-2.0
"""Nullspace modes: none, kinematic (no torque at the tcp), dynamic (no acceleration of the tcp)."""

import numpy as np
import pytest


def mass_matrix(seed: int = 3) -> np.ndarray:
    """(7, 7) symmetric, positive definite, far from diagonal."""
    root = np.random.default_rng(seed).normal(size=(7, 7))
    return 0.3 * np.eye(7) + 0.3 * root @ root.T


OFFSET = np.array([0.3, -0.2, 0.2, 0.1, -0.3, 0.2, 0.1])


def posture_effort(make_rig, mode: str, mass=None, **fields):
    rig = make_rig(nullspace_mode=mode, **fields)
    tau = rig.step(200, q=rig.q + OFFSET, mass=mass)
    return rig, tau


def test_none_leaves_the_elbow_alone(make_rig):
    _, tau = posture_effort(make_rig, "none")
    np.testing.assert_array_equal(tau, np.zeros(7))


def test_dynamic_does_not_accelerate_the_tcp(make_rig):
    mass = mass_matrix()
    rig, tau = posture_effort(make_rig, "dynamic", mass, nullspace_regularization=1e-4)
    acceleration = rig.jacobian @ np.linalg.solve(mass, tau)
    assert np.linalg.norm(np.linalg.solve(mass, tau)) > 0.5
    assert np.linalg.norm(acceleration) < 1e-5
    assert not rig.law.state.nullspace_fallback


def test_dynamic_agrees_with_the_textbook(make_rig):
    """Khatib 1987: tau = (I - J^T Jbar^T) tau_0, Jbar = M^-1 J^T Lambda the consistent inverse."""
    mass = mass_matrix(5)
    rig, tau = posture_effort(make_rig, "dynamic", mass, nullspace_regularization=1e-5)
    jacobian = rig.jacobian
    inverse = np.linalg.inv(mass)
    lambda_ = np.linalg.inv(jacobian @ inverse @ jacobian.T)
    consistent = inverse @ jacobian.T @ lambda_
    stiffness = np.full(7, 10.0) + np.array([10.0, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(
        tau, (np.eye(7) - jacobian.T @ consistent.T) @ (-stiffness * OFFSET), atol=1e-4
    )


def test_with_a_unit_mass_matrix_both_are_the_same(make_rig):
    _, kinematic = posture_effort(make_rig, "kinematic")
    _, dynamic = posture_effort(make_rig, "dynamic", np.eye(7))
    np.testing.assert_allclose(dynamic, kinematic, atol=1e-9)


@pytest.mark.parametrize(
    "mass",
    [None, np.full((7, 7), np.nan), -np.eye(7), np.zeros((7, 7)), np.diag([1.0, 1, 1, 1, 1, 1, -1])],
    ids=["missing", "nan", "negative", "zero", "indefinite"],
)
def test_without_a_usable_mass_matrix_it_is_kinematic_and_says_so(make_rig, mass):
    _, kinematic = posture_effort(make_rig, "kinematic")
    rig, tau = posture_effort(make_rig, "dynamic", mass)
    np.testing.assert_array_equal(tau, kinematic)
    assert rig.law.state.nullspace_fallback
    rig.step(mass=mass_matrix())
    assert not rig.law.state.nullspace_fallback


def test_kinematic_needs_no_mass_matrix(make_rig):
    rig, _ = posture_effort(make_rig, "kinematic", np.full((7, 7), np.nan))
    assert not rig.law.state.nullspace_fallback
    assert not rig.law.state.invalid_measurement


@pytest.mark.parametrize("rank", [0, 1, 5])
def test_singular_posture_stays_finite(make_rig, rank):
    rig = make_rig(nullspace_mode="dynamic")
    u, s, vt = np.linalg.svd(rig.jacobian)
    s[rank:] = 0.0
    jacobian = np.ascontiguousarray(u @ np.diag(s) @ vt[:6])
    tau = rig.step(200, jacobian=jacobian, q=rig.q + 0.2, mass=mass_matrix())
    assert np.all(np.isfinite(tau))
    assert not rig.law.state.nullspace_fallback
    assert np.all(np.abs(tau) <= rig.config.effort_limits)


def test_wrong_shape_of_the_mass_matrix_is_named(make_rig):
    with pytest.raises(ValueError, match=r"mass must have shape \(7, 7\)"):
        make_rig().step(mass=np.eye(6))
