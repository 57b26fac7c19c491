# SPDX-License-Identifier: Apache-2.0
"""Bound of the orientation, and soft walls: never a hard cut, bounded, always inwards."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import hilserl_control as hc

DOWN = [1.0, 0.0, 0.0, 0.0]
MINIMUM, MAXIMUM = np.array([-0.3, -0.2, -0.6]), np.array([0.1, 0.4, 0.5])


def bound() -> hc.OrientationBound:
    return hc.OrientationBound(DOWN, MINIMUM, MAXIMUM)


def turned(rotvec) -> np.ndarray:
    return (Rotation.from_rotvec(rotvec) * Rotation.from_quat(DOWN)).as_quat()


def rotation(quaternion) -> np.ndarray:
    return (Rotation.from_quat(quaternion) * Rotation.from_quat(DOWN).inv()).as_rotvec()


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(3))
def test_target_orientation_is_bounded_per_axis(make_rig, axis, sign):
    rig = make_rig(orientation_bound=bound())
    wanted = np.zeros(3)
    wanted[axis] = sign * 1.0
    state = rig.settle(rig.position, turned(wanted))
    expected = np.clip(wanted, MINIMUM, MAXIMUM)
    np.testing.assert_allclose(rotation(state.reference_quaternion), expected, atol=1e-6)
    assert list(state.limit_flags & hc.LIMIT_WORKSPACE) == [2 * (i == axis + 3) for i in range(6)]


def test_inside_the_bound_nothing_changes(make_rig):
    rig = make_rig(orientation_bound=bound())
    wanted = [0.05, 0.3, -0.4]
    state = rig.settle(rig.position, turned(wanted))
    np.testing.assert_allclose(rotation(state.reference_quaternion), wanted, atol=1e-9)
    assert not np.any(state.limit_flags & hc.LIMIT_WORKSPACE)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rotvecs=st.lists(st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3), min_size=2, max_size=4))
def test_reference_never_leaves_the_bound_on_the_way(make_rig, rotvecs):
    rig = make_rig(orientation_bound=bound(), max_angular_speed=20.0)
    for rotvec in rotvecs:
        for _ in range(80):
            rig.target(quaternion=turned(rotvec))
            rig.step()
            there = rotation(rig.law.state.reference_quaternion)
            assert np.all(there >= MINIMUM - 1e-9)
            assert np.all(there <= MAXIMUM + 1e-9)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("axis", range(3))
def test_twist_stops_at_the_orientation_bound(make_rig, axis, sign):
    rig = make_rig(orientation_bound=bound())
    twist = np.zeros(6)
    twist[3 + axis] = sign * 1.0
    for _ in range(1000):
        rig.twist_target(twist)
        rig.step(quaternion=rig.law.state.reference_quaternion.copy())
    there = rotation(rig.law.state.reference_quaternion)
    assert there[axis] == pytest.approx((MAXIMUM if sign > 0 else MINIMUM)[axis], abs=1e-9)
    assert rig.law.state.limit_flags[3 + axis] & hc.LIMIT_WORKSPACE


def test_activated_outside_the_bound_it_waits_and_comes_in_at_the_speed_limit(make_rig):
    rig = make_rig(orientation_bound=bound())
    rig.quaternion = turned([0.8, 0, 0])
    rig.law.reset(rig.q, rig.position, rig.quaternion, rig.now)
    rig.step(50)
    np.testing.assert_allclose(rotation(rig.law.state.reference_quaternion), [0.8, 0, 0], atol=1e-9)
    last = 0.8
    for _ in range(1500):
        rig.target(quaternion=turned([0.9, 0, 0]))
        rig.step()
        now = rotation(rig.law.state.reference_quaternion)[0]
        assert last - 1.5 * rig.dt - 1e-9 <= now <= last + 1e-9
        last = now
    assert last == pytest.approx(0.1, abs=1e-6)


class TestWalls:
    """The arm is put somewhere by hand while a zero wrench is commanded."""

    def push(self, make_rig, offset, twist=None, **fields) -> hc.State:
        rig = make_rig(**fields)
        for _ in range(3000):
            rig.wrench_target(np.zeros(6))
            rig.step()
        edge = np.array([0.70, 0.25, 0.45])
        rig.wrench_target(np.zeros(6))
        rig.step(position=edge + offset, twist=np.zeros(6) if twist is None else np.array(twist))
        return rig.law.state

    def test_inside_there_is_no_wall(self, make_rig):
        state = self.push(make_rig, [-1e-6] * 3)
        np.testing.assert_array_equal(state.wall_wrench, np.zeros(6))
        assert not np.any(state.limit_flags & hc.LIMIT_WALL)

    def test_spring_pushes_back_inside_and_is_bounded(self, make_rig):
        state = self.push(make_rig, [0.004, 0.1, -0.1])
        np.testing.assert_allclose(state.wall_wrench, [-8.0, -35.0, 0, 0, 0, 0], rtol=1e-3)
        assert list(state.limit_flags & hc.LIMIT_WALL) == [128, 128, 0, 0, 0, 0]

    def test_damper_grows_over_the_margin_so_the_edge_is_no_step(self, make_rig):
        outwards = [0.2, 0, 0, 0, 0, 0]
        for depth, share in ((1e-9, 0.0), (0.0025, 0.5), (0.005, 1.0), (0.006, 1.0)):
            wall = self.push(make_rig, [depth, -0.1, -0.1], outwards, wall_damping=[50.0, 5.0]).wall_wrench[0]
            assert wall == pytest.approx(-(2000 * depth + share * 50 * 0.2), rel=2e-3, abs=1e-5)

    def test_never_pulls_outwards(self, make_rig):
        wall = self.push(make_rig, [0.005, -0.1, -0.1], [-5.0, 0, 0, 0, 0, 0]).wall_wrench[0]
        assert wall == 0.0

    @pytest.mark.parametrize("sign", [-1.0, 1.0])
    @pytest.mark.parametrize("axis", range(3))
    def test_orientation_walls(self, make_rig, axis, sign):
        rig = make_rig(orientation_bound=bound())
        for _ in range(3000):
            rig.wrench_target(np.zeros(6))
            rig.step()
        beyond = np.zeros(3)
        beyond[axis] = (MAXIMUM if sign > 0 else MINIMUM)[axis] + sign * 0.04
        rig.wrench_target(np.zeros(6))
        rig.step(quaternion=turned(beyond))
        expected = np.zeros(6)
        expected[3 + axis] = -sign * 75.0 * 0.04
        np.testing.assert_allclose(rig.law.state.wall_wrench, expected, rtol=1e-3, atol=1e-9)

    def test_walls_fade_in_and_out_with_the_mode(self, make_rig):
        rig = make_rig()
        rig.position = np.array([0.72, 0.0, 0.2])
        rig.law.reset(rig.q, rig.position, rig.quaternion, rig.now)
        last = 0.0
        for k in range(3000):
            if k < 1500:
                rig.wrench_target(np.zeros(6))
            else:
                rig.target()
            rig.step()
            wall = rig.law.state.wall_wrench[0]
            assert abs(wall - last) <= 35.0 / 0.2 * rig.dt
            last = wall
            if k == 1499:
                assert wall == pytest.approx(-35.0, rel=1e-2)
        assert last == pytest.approx(0.0, abs=0.05)

    def test_pose_mode_has_no_walls(self, make_rig):
        rig = make_rig()
        rig.position = np.array([0.72, 0.0, 0.2])
        rig.law.reset(rig.q, rig.position, rig.quaternion, rig.now)
        rig.target()
        rig.step(100)
        np.testing.assert_array_equal(rig.law.state.wall_wrench, np.zeros(6))
