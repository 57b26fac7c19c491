# SPDX-License-Identifier: Apache-2.0
"""With physics in the loop: the base may stand anywhere, and the update rate changes nothing."""

import numpy as np
import pytest
from arm_in_the_loop import ArmInTheLoop, config
from scipy.spatial.transform import Rotation

import hilserl_control as hc

RATES = (500.0, 1000.0, 2000.0)


def path(arm: ArmInTheLoop, command, seconds: float, samples: int) -> np.ndarray:
    """(samples, 6) positions and rotation vectors from the start, base axes."""
    start_position, start_rotation = arm.position, arm.rotation
    points = []
    for _ in range(samples):
        arm.run(seconds / samples, command)
        turn = (arm.rotation * start_rotation.inv()).as_rotvec()
        points.append(np.concatenate([arm.position - start_position, turn]))
    return np.array(points)


def moves(arm: ArmInTheLoop):
    """One command of each mode, by name."""
    target = arm.to_pose(
        arm.position + [0.03, -0.05, 0.04], Rotation.from_rotvec([0.1, -0.2, 0.15]) * arm.rotation
    )
    return {
        "pose": target,
        "twist": lambda arm: arm.law.set_twist([0.05, -0.04, 0.03, 0.1, 0.0, -0.2], arm.now),
        "wrench": lambda arm: arm.law.set_wrench([2.0, -3.0, 2.0, 0.1, 0.0, 0.2], arm.now),
        "wrench in tcp axes": lambda arm: arm.law.set_wrench([2.0, -3.0, 2.0, 0.1, 0.0, 0.2], arm.now, "tcp"),
    }


@pytest.mark.parametrize("mode", ["pose", "twist", "wrench", "wrench in tcp axes"])
def test_base_rotated_and_offset_gives_the_same_motion(mode):
    """Everything is in base axes: a Jacobian or twist in world axes would show here at once."""
    plain = ArmInTheLoop(config())
    moved = ArmInTheLoop(config(), base_position=(1.0, -2.0, 0.5), base_rotvec=(0.4, -0.7, 2.0))
    np.testing.assert_allclose(moved.position, plain.position, atol=1e-9)
    first = path(plain, moves(plain)[mode], 1.0, 5)
    second = path(moved, moves(moved)[mode], 1.0, 5)
    assert np.abs(first[-1]).max() > 0.02
    np.testing.assert_allclose(second, first, atol=1e-6)


def test_a_jacobian_in_world_axes_does_show():
    """The test above can fail: this is the mix-up it looks for."""

    class MixedUp(ArmInTheLoop):
        @property
        def jacobian(self) -> np.ndarray:
            turn = self.world_R_base.as_matrix()
            return np.kron(np.eye(2), turn) @ super().jacobian

    plain = ArmInTheLoop(config())
    mixed = MixedUp(config(), base_position=(1.0, -2.0, 0.5), base_rotvec=(0.0, 0.0, 2.0))
    first = path(plain, moves(plain)["pose"], 0.2, 2)
    second = path(mixed, moves(mixed)["pose"], 0.2, 2)
    assert np.abs(second - first).max() > 0.005


@pytest.mark.parametrize("mode", ["pose", "twist", "wrench"])
def test_update_rate_does_not_change_the_motion(mode):
    """500 Hz, 1 kHz and 2 kHz, physics at the same rate: within 1 mm and 5 mrad all the way.

    What remains is the integrator's and the sampling delay of the loop: half a cycle at up to 0.1 m/s.
    """
    paths = []
    for rate in RATES:
        arm = ArmInTheLoop(config(), rate)
        paths.append(path(arm, moves(arm)[mode], 1.0, 10))
    for other in (paths[0], paths[2]):
        assert np.abs(other[:, :3] - paths[1][:, :3]).max() <= 1e-3
        assert np.abs(other[:, 3:] - paths[1][:, 3:]).max() <= 5e-3


@pytest.mark.parametrize("rate", RATES)
def test_push_does_not_depend_on_the_rate(rate):
    arm = ArmInTheLoop(config(nullspace_mode="none"), rate)
    arm.clamp()
    arm.run(1.6, arm.to_pose(arm.position - [0.0, 0.0, 0.09]))
    assert arm.push[2] == pytest.approx(-11.0, rel=0.01)
    assert arm.law.state.limit_flags[2] & hc.LIMIT_CLIP
