# SPDX-License-Identifier: Apache-2.0
"""What a dashboard costs the control loop: steps per second of one lockstep training with and without it.

The dashboard is attached and detached in turns during one run, so that both rates see the same machine,
policy and learner. It runs as a process of its own, drawing into memory.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import rclpy
from graph import PREPARE, bringup
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor

from hilserl_msgs.msg import Action
from hilserl_ros import qos, topics

TURNS = 3  # of each kind
TURN_S = 20.0
SETTLE_S = 12.0  # the dashboard loads Qt for so long; left out, and as long left out after it has gone
WARM_UP_STEPS = 300  # the learner starts after 100 transitions
PHASES = ("labels", "classifier", "demos", "perception")


def main() -> None:
    """Measures and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for the run; one with a run is used")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    run_dir = options.work / "run"
    if not (run_dir / "demos").is_dir():
        for phase in PHASES:
            bringup(command(phase, run_dir))
    options.out.write_text(json.dumps(measured(run_dir)))


def command(phase: str, run_dir: Path) -> list[str]:
    """Arguments of python -m for a phase that does not end by itself."""
    endless = ("training.max_steps=1000000", "training.stable_episodes=1000000")
    changes = [word for change in (*PREPARE, *endless) for word in ("--set", change)]
    return ["hilserl_bringup.run", phase, "--task", "ram_insertion", "--run-dir", str(run_dir), *changes]


def measured(run_dir: Path) -> dict[str, dict[str, object]]:
    """Trains, and counts steps by the clock with and without a dashboard."""
    training = subprocess.Popen(
        [sys.executable, "-m", *command("train", run_dir)],
        stdout=subprocess.DEVNULL,
        env={key: value for key, value in os.environ.items() if key != "ROS_DOMAIN_ID"},
    )
    try:
        steps = _Steps(_domain(run_dir, training))
        steps.wait_for(WARM_UP_STEPS, training)
        alone, watched = [], []
        for _ in range(TURNS):
            alone.append(steps.rate())
            with _Dashboard(run_dir):
                time.sleep(SETTLE_S)
                watched.append(steps.rate())
            time.sleep(SETTLE_S / 2)
    finally:
        training.send_signal(signal.SIGINT)
        training.wait(60)
    how = f"{TURNS} x {TURN_S:g} s each in turn, one training in lockstep, {os.cpu_count()} cores"
    return {
        "dashboard.steps_per_s_without": _entry(statistics.median(alone), how + f"; all: {_all(alone)}"),
        "dashboard.steps_per_s_with": _entry(statistics.median(watched), how + f"; all: {_all(watched)}"),
    }


def _entry(value: float, how: str) -> dict[str, object]:
    return {"value": value, "unit": "1/s", "how": how}


def _all(values: list[float]) -> str:
    return " ".join(f"{value:.1f}" for value in values)


def _domain(run_dir: Path, training: subprocess.Popen[bytes]) -> int:
    """Waits until the run says where its graph is."""
    while training.poll() is None:
        try:
            return int(json.loads((run_dir / "graph.json").read_text())["ros_domain_id"])
        except (OSError, ValueError):
            time.sleep(0.2)
    raise SystemExit(f"training ended early: {training.returncode}; logs: {run_dir / 'logs'}")


class _Steps:
    """Counts executed actions; listens in both kinds of turns alike."""

    def __init__(self, domain: int) -> None:
        self._context = Context()
        self._context.init(args=[], domain_id=domain)
        node = rclpy.create_node("bench", context=self._context, use_global_arguments=False)
        self._count = 0
        node.create_subscription(Action, topics.EXECUTED_ACTION, self._on_action, qos.EXECUTED_ACTION)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)

    def wait_for(self, steps: int, training: subprocess.Popen[bytes]) -> None:
        """Runs until so many steps were seen."""
        while self._count < steps:
            if training.poll() is not None:
                raise SystemExit(f"training ended early: {training.returncode}")
            self._executor.spin_once(timeout_sec=0.5)

    def rate(self) -> float:
        """Steps a second over one turn, resets included."""
        self._drain()
        before, begun = self._count, time.monotonic()
        while time.monotonic() - begun < TURN_S:
            self._executor.spin_once(timeout_sec=0.5)
        return (self._count - before) / (time.monotonic() - begun)

    def _drain(self) -> None:
        """What came while nobody counted; the queue holds ten at most."""
        begun = time.monotonic()
        while time.monotonic() - begun < 0.5:
            self._executor.spin_once(timeout_sec=0.0)

    def _on_action(self, _: Action) -> None:
        self._count += 1


class _Dashboard:
    """The program, attached to a run inside a with block."""

    def __init__(self, run_dir: Path) -> None:
        self._command = [sys.executable, "-m", "hilserl_rqt.main", "--run-dir", str(run_dir)]

    def __enter__(self) -> None:
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
        self._program = subprocess.Popen(self._command, env=environment, stderr=subprocess.DEVNULL)

    def __exit__(self, *_: object) -> None:
        if self._program.poll() is not None:
            raise SystemExit(f"the dashboard ended by itself: {self._program.returncode}")
        self._program.send_signal(signal.SIGINT)
        self._program.wait(30)


if __name__ == "__main__":
    main()
