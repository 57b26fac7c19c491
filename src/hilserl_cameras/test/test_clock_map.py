# SPDX-License-Identifier: Apache-2.0
"""A device's time in ROS time: delays, drift, wraps, clocks that are set."""

import numpy as np
import pytest

from hilserl_cameras.clock_map import CONFIRMATIONS, ClockMap

S = 1_000_000_000
MS = 1_000_000
PERIOD_MS = 33.0


class World:
    """A camera clock, a ROS clock and the delay between exposure and arrival."""

    def __init__(self, seed=0, drift_ppm=0.0):
        self.map = ClockMap()
        self.random = np.random.default_rng(seed)
        self.rate = 1 + drift_ppm * 1e-6
        self.elapsed_ms, self.device_epoch_ms, self.ros_epoch_ms = 0.0, 7_000.0, 1_700_000_000_000.0

    def frame(self, delay_ms=None, clock="device"):
        """Error of one frame's stamp in ms, and its stamp."""
        self.elapsed_ms += PERIOD_MS
        delay = 5.0 + self.random.exponential(4.0) if delay_ms is None else delay_ms
        taken_ms = self.ros_epoch_ms + self.elapsed_ms
        now_ns = round((taken_ms + delay) * 1e6)
        device_ms = self.device_epoch_ms + self.elapsed_ms * self.rate
        stamp = self.map.ros_ns(device_ms if clock == "device" else taken_ms, clock, now_ns)
        assert stamp <= now_ns
        return stamp * 1e-6 - taken_ms, stamp


def test_the_smallest_delay_remains_and_the_others_vanish():
    world = World()
    errors = [world.frame()[0] for _ in range(300)][30:]
    assert min(errors) >= 4.9
    assert max(errors) < 6.0  # the delay alone would scatter by more than 20 ms
    assert world.map.jumps == 0


@pytest.mark.parametrize("drift_ppm", [-100, 100])
def test_a_drifting_clock_is_followed(drift_ppm):
    world = World(drift_ppm=drift_ppm)
    errors = [world.frame()[0] for _ in range(3 * 60 * 30)]  # three minutes: 18 ms of drift
    assert np.ptp(errors[300:]) < 3.0
    assert world.map.jumps == 0


@pytest.mark.parametrize("jump_ms", [-4_294_967.296, -60_000.0])
def test_a_device_clock_that_wraps_or_starts_anew_is_believed_at_once(jump_ms):
    """The hardware clock of D400 devices is a 32-bit count of microseconds: it wraps every 71.6 minutes."""
    world = World()
    for _ in range(60):
        world.frame()
    world.device_epoch_ms += jump_ms
    errors = [world.frame(delay_ms=5.0)[0] for _ in range(5)]
    assert np.abs(np.array(errors) - 5.0).max() < 0.1
    assert world.map.jumps == 1


def test_ros_time_set_back_is_believed_at_once():
    world = World()
    for _ in range(60):
        world.frame()
    world.ros_epoch_ms -= 3600e3
    assert world.frame(delay_ms=5.0)[0] == pytest.approx(5.0, abs=0.1)
    assert world.map.jumps == 1


def test_ros_time_set_forward_is_believed_after_some_frames():
    world = World()
    for _ in range(60):
        world.frame()
    world.ros_epoch_ms += 3600e3
    errors = [world.frame(delay_ms=5.0)[0] for _ in range(CONFIRMATIONS + 3)]
    assert errors[0] < -3599e3
    assert np.abs(np.array(errors[CONFIRMATIONS:]) - 5.0).max() < 0.1
    assert world.map.jumps == 1


def test_a_host_that_stalls_is_no_jump():
    world = World()
    for _ in range(60):
        world.frame()
    errors = [world.frame(delay_ms=delay)[0] for delay in (2000.0, 1967.0, 1934.0)]  # a queue that empties
    assert max(np.abs(errors)) < 10.0
    errors = [world.frame()[0] for _ in range(30)]
    assert max(np.abs(errors)) < 10.0
    assert world.map.jumps == 0


def test_stamps_of_the_host_are_taken_as_they_are_but_not_beside_another_ros_time():
    world = World()
    assert world.frame(clock="system")[0] == pytest.approx(0.0, abs=1e-3)
    simulated = ClockMap()
    stamps = [
        simulated.ros_ns(1_700_000_000_000.0 + k * 33, "system", 12 * S + k * 33 * MS) for k in range(3)
    ]
    assert stamps == pytest.approx([12 * S, 12 * S + 33 * MS, 12 * S + 66 * MS], abs=1000)
