# SPDX-License-Identifier: Apache-2.0
"""The generated arm against numbers published elsewhere, and against its own limits."""

import mujoco
import numpy as np
import pytest

from hilserl_sim import panda
from hilserl_sim.inverse_kinematics import InverseKinematics

# Franka Control Interface documentation, Denavit-Hartenberg parameters (Craig's convention): a, d, alpha.
DH = [
    (0.0, 0.333, 0.0), (0.0, 0.0, -np.pi / 2), (0.0, 0.316, np.pi / 2), (0.0825, 0.0, np.pi / 2),
    (-0.0825, 0.384, -np.pi / 2), (0.0, 0.0, np.pi / 2), (0.088, 0.0, np.pi / 2),
]  # fmt: skip
FLANGE_M, HAND_TURN, TCP_M = 0.107, -np.pi / 4, 0.1034


def arm_model(prefix: str = "") -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(
        f'<mujoco><compiler angle="radian"/><default>{panda.defaults(prefix)}</default>'
        f"<asset>{panda.materials(prefix)}</asset><worldbody>{panda.body(prefix)}</worldbody>"
        f"<actuator>{panda.actuators(prefix)}</actuator></mujoco>"
    )


def dh_tcp(q: np.ndarray) -> np.ndarray:
    """Pose of the tcp by the published Denavit-Hartenberg parameters."""
    pose = np.eye(4)
    for (a, d, alpha), theta in zip(DH, q, strict=True):
        ca, sa, ct, st = np.cos(alpha), np.sin(alpha), np.cos(theta), np.sin(theta)
        pose = pose @ np.array(
            [[ct, -st, 0, a], [st * ca, ct * ca, -sa, -d * sa], [st * sa, ct * sa, ca, d * ca], [0, 0, 0, 1]]
        )
    c, s = np.cos(HAND_TURN), np.sin(HAND_TURN)
    return pose @ np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, FLANGE_M + TCP_M], [0, 0, 0, 1]])


def test_forward_kinematics_is_the_published_one():
    model = arm_model()
    data, rng = mujoco.MjData(model), np.random.default_rng(3)
    for _ in range(50):
        q = rng.uniform(panda.JOINT_LOWER, panda.JOINT_UPPER)
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        expected = dh_tcp(q)
        np.testing.assert_allclose(data.site("tcp").xpos, expected[:3, 3], atol=1e-6)
        np.testing.assert_allclose(data.site("tcp").xmat.reshape(3, 3), expected[:3, :3], atol=1e-6)


def test_masses_limits_and_gravity_compensation():
    model = arm_model()
    masses = [model.body(f"link{i}").mass[0] for i in range(8)]
    published = [0.629769, 4.970684, 0.646926, 3.228604, 3.587895, 1.225946, 1.666555, 0.735522]
    np.testing.assert_allclose(masses, published)
    assert model.body("hand").mass[0] == pytest.approx(0.73)
    np.testing.assert_allclose(model.jnt_range[3], [-3.0718, -0.0698])
    np.testing.assert_allclose(model.actuator_ctrlrange[:, 1], [87] * 4 + [12] * 3)
    assert (model.body_gravcomp[1:] == 1).all()


def test_inertia_tensors_are_the_published_ones():
    model = arm_model()
    for i, link in enumerate(panda.LINKS, start=1):
        body = model.body(f"link{i}")
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, body.iquat)
        rotation = rotation.reshape(3, 3)
        xx, yy, zz, xy, xz, yz = link.inertia
        published = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        np.testing.assert_allclose(rotation @ np.diag(body.inertia) @ rotation.T, published, atol=1e-6)


def test_two_arms_fit_into_one_model():
    xml = (
        f'<mujoco><compiler angle="radian"/><default>{panda.defaults("left/")}{panda.defaults("right/")}'
        f"</default><asset>{panda.materials('left/')}{panda.materials('right/')}</asset><worldbody>"
        f"{panda.body('left/', (0, 0.4, 0))}{panda.body('right/', (0, -0.4, 0))}</worldbody></mujoco>"
    )
    model = mujoco.MjModel.from_xml_string(xml)
    assert model.nv == 14
    assert model.site("left/tcp").id != model.site("right/tcp").id


def test_inverse_kinematics_reaches_and_refuses():
    model = arm_model("arm/")
    solver = InverseKinematics(model, "arm")
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[:3, 3] = [0.45, 0.1, 0.2]
    np.testing.assert_allclose(dh_tcp(solver.solve(pose)), pose, atol=1e-5)
    pose[:3, 3] = [1.5, 0.0, 0.2]
    with pytest.raises(ValueError, match=r"1\.5.*out of reach"):
        solver.solve(pose)
