# SPDX-License-Identifier: Apache-2.0
import time

import numpy as np
import pytest

from hilserl_sim.command import Command
from hilserl_sim.pacing import MAX_CATCH_UP_S, Lockstep, Realtime
from hilserl_sim.world import SimulationFault, SimWorld


def test_lockstep_takes_only_the_present_stamp(world):
    world.reset(np.random.default_rng(0))
    lockstep, stamp, pose = Lockstep(world), world.stamp_ns, Command(world.measure().base_T_tcp)
    assert not lockstep.offer("arm", pose, stamp - 1)
    assert not lockstep.step()
    assert world.stamp_ns == stamp
    assert lockstep.offer("arm", pose, stamp)
    assert lockstep.step()
    assert world.stamp_ns == stamp + 100_000_000
    assert not lockstep.step()


def test_stamps_go_on_over_resets(world):
    stamps = []
    for seed in range(3):
        world.reset(np.random.default_rng(seed))
        stamps.append(world.stamp_ns)
    steps = np.diff(stamps)
    assert steps[0] > 0
    assert (steps == steps[0]).all()
    assert steps[0] % 100_000_000, "the stamp after a reset must not look like that of a next step"


def test_diverged_physics_is_noticed(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo leaves a log of its warning
    world = SimWorld(task)
    world.data.qvel[3] = np.nan
    with pytest.raises(SimulationFault, match="diverged at"):
        world.advance(5)
    world.reset(np.random.default_rng(0))
    world.advance(5)


def test_realtime_keeps_pace_and_drops_what_it_cannot_make_up(task):
    world = SimWorld(task)
    realtime = Realtime(world)
    before, started = world.stamp_ns, time.monotonic()
    realtime.start()
    deadline = started + 10.0
    while world.stamp_ns - before < 300_000_000:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with realtime.lock:
        held = time.monotonic()
        while time.monotonic() - held < 4 * MAX_CATCH_UP_S:
            time.sleep(0.01)
    while not realtime.lost_cycles:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    realtime.stop()
    simulated = (world.stamp_ns - before) * 1e-9
    passed = time.monotonic() - started
    assert simulated <= passed
    assert simulated + realtime.lost_cycles * 1e-3 == pytest.approx(passed, abs=0.1)
    assert realtime.fault == ""


def test_realtime_reports_a_fault(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    world = SimWorld(task)
    realtime = Realtime(world)
    world.data.qvel[3] = np.nan
    realtime.start()
    deadline = time.monotonic() + 10.0
    while not realtime.fault:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    realtime.stop()
    assert "diverged" in realtime.fault
