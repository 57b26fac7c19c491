# SPDX-License-Identifier: Apache-2.0
"""When the world moves: step by step with the targets (lockstep), or by the clock (realtime)."""

from __future__ import annotations

import threading
import time

from hilserl_sim.world import SimulationFault, SimWorld
from hilserl_task.frames import Array

MAX_CATCH_UP_S = 0.05  # a longer delay is dropped, not made up for
TICK_S = 0.001


class Lockstep:
    """One control period for every complete set of targets that carries the present stamp."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self._targets: dict[str, Array] = {}

    def offer(self, arm: str, base_T_target: Array, stamp_ns: int) -> bool:
        """Takes a 4x4 target. False, and nothing happens, when it is not stamped with the present time."""
        if stamp_ns != self._world.stamp_ns:
            return False
        self._targets[arm] = base_T_target
        return True

    def step(self) -> bool:
        """Advances when the targets of all arms are there. False while one is missing.

        Raises:
            SimulationFault: the physics diverged.
            ValueError: the law refused a target.
        """
        world = self._world
        if len(self._targets) < len(world.arms):
            return False
        targets, self._targets = self._targets, {}
        for name, target in targets.items():
            if not world.set_target(target, world.stamp_ns, name):
                raise ValueError(f"target of '{name}' refused by the control law: {target.tolist()}")
        world.advance(world.task.cycles_per_step)
        return True

    def clear(self) -> None:
        """Forgets targets; after a reset."""
        self._targets.clear()


class Realtime:
    """Runs the world on its own thread, one cycle a millisecond of the wall clock.

    Everyone else touches the world under `lock` only. When the thread could not run for longer than
    MAX_CATCH_UP_S, the lost cycles are skipped and counted, so a busy machine slows the simulated arm
    down instead of making it jump.

    Attributes:
        lost_cycles: skipped since the start.
        fault: why the thread ended by itself; empty while all is well.
    """

    def __init__(self, world: SimWorld) -> None:
        self.lock = threading.Lock()
        self.lost_cycles = 0
        self.fault = ""
        self._world = world
        self._rate = world.task.arms[0].controller.rate_hz
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="physics", daemon=True)

    def start(self) -> None:
        """Starts the clock."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and waits for it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    def _run(self) -> None:
        done_at = time.monotonic()
        try:
            while not self._stop.wait(TICK_S):
                done_at = self._catch_up(done_at)
        except SimulationFault as fault:
            self.fault = str(fault)

    def _catch_up(self, done_at: float) -> float:
        """Runs the cycles that are due since `done_at`; returns the time they stand for."""
        due = int((time.monotonic() - done_at) * self._rate)
        allowed = max(int(MAX_CATCH_UP_S * self._rate), 1)
        if due > allowed:
            self.lost_cycles += due - allowed
            done_at += (due - allowed) / self._rate
            due = allowed
        if due > 0:
            with self.lock:
                self._world.advance(due)
        return done_at + due / self._rate
