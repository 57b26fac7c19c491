# SPDX-License-Identifier: Apache-2.0
"""When the world moves: step by step with the targets (lockstep), or by the clock (realtime)."""

from __future__ import annotations

import threading
import time

from hilserl_sim.command import Command, GripperGoal
from hilserl_sim.world import SimulationFault, SimWorld

MAX_CATCH_UP_S = 0.05  # a longer delay is dropped, not made up for
TICK_S = 0.001


class Lockstep:
    """One control period for every complete set of commands that carries the present stamp: a target of
    every arm, and a gripper command of every gripper that moves."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self._moving = {name for name, arm in world.arms.items() if arm.gripper.moves}
        self._targets: dict[str, Command] = {}
        self._grippers: dict[str, GripperGoal] = {}

    def offer(self, arm: str, command: Command, stamp_ns: int) -> bool:
        """Takes a command. False, and nothing happens, when it is not stamped with the present time."""
        if stamp_ns != self._world.stamp_ns:
            return False
        self._targets[arm] = command
        return True

    def offer_gripper(self, arm: str, goal: GripperGoal, stamp_ns: int) -> bool:
        """The same for a gripper. One that does not move needs none, and whatever it is told is fine."""
        if arm not in self._moving:
            return True
        if stamp_ns != self._world.stamp_ns:
            return False
        self._grippers[arm] = goal
        return True

    def step(self) -> bool:
        """Advances when everything is there. False while something is missing.

        Raises:
            SimulationFault: the physics diverged.
            ValueError: the law refused a target.
        """
        world = self._world
        if len(self._targets) < len(world.arms) or len(self._grippers) < len(self._moving):
            return False
        targets, self._targets = self._targets, {}
        grippers, self._grippers = self._grippers, {}
        for name, command in targets.items():
            if not world.command(command, world.stamp_ns, name):
                raise ValueError(f"target of '{name}' refused by the control law: {command}")
        for name, goal in grippers.items():
            world.set_gripper(goal.position, goal.max_effort, name)
        world.advance(world.task.cycles_per_step)
        return True

    def clear(self) -> None:
        """Forgets commands; after a reset."""
        self._targets.clear()
        self._grippers.clear()


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
