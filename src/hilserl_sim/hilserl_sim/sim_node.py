# SPDX-License-Identifier: Apache-2.0
"""The simulated robot as a node: controller, gripper and cameras of every arm, and `reset`.

Lockstep: a target stamped with the present simulated time advances one control period, then state and
pictures with the next stamp follow. Realtime: the world runs by the wall clock and reports at its own rates.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionServer

from hilserl_msgs.action import Reset
from hilserl_msgs.msg import CartesianTarget, GripperCommand
from hilserl_ros import codec, qos, topics
from hilserl_ros.node import ERROR, OK, WARN, HilserlNode, run
from hilserl_sim.command import Command, command_from_message, gripper_goal
from hilserl_sim.pacing import Lockstep, Realtime
from hilserl_sim.sensor_publisher import SensorPublisher
from hilserl_sim.snapshot import take_snapshot
from hilserl_sim.world import SimulationFault, SimWorld

STATE_RATE_HZ = 50.0  # realtime only
CAMERAS_PER_PERIOD = 2  # realtime: pictures at twice the policy's rate, so none is older than half a period


class SimNode(HilserlNode):
    """Publishers, targets and the reset action of a simulated robot."""

    def __init__(self) -> None:
        super().__init__("sim")
        self._world = SimWorld(self.task)
        self._publisher = SensorPublisher(self, self.task)
        self._episode = 0
        self._reset_ns = 0  # realtime: targets stamped before belong to another episode
        for arm in self.task.arms:
            self._subscribe_targets(arm.name)
        self._reset_server = ActionServer(self, Reset, topics.RESET, self._on_reset)
        self._lockstep: Lockstep | None = None
        self._realtime: Realtime | None = None
        if self.task.pacing == "lockstep":
            self._lockstep = Lockstep(self._world)
        else:
            self._start_realtime()
        self.get_logger().info(f"scene '{self._scene_name()}' runs in {self.task.pacing}")

    def close(self) -> None:
        """Stops the clock and frees the renderer."""
        if self._realtime is not None:
            self._realtime.stop()
        self._world.close()
        super().close()

    # -- set-up ---------------------------------------------------------------------------------------

    def _scene_name(self) -> str:
        return self.task.scene.name if self.task.scene is not None else ""

    def _subscribe_targets(self, arm: str) -> None:
        def on_target(message: CartesianTarget) -> None:
            self._on_command(arm, message.header.stamp, lambda: command_from_message(message))

        def on_pose(message: PoseStamped) -> None:
            self._on_command(arm, message.header.stamp, lambda: Command(codec.matrix_from_pose(message.pose)))

        def on_gripper(message: GripperCommand) -> None:
            self._on_gripper(arm, message)

        self.create_subscription(
            CartesianTarget, topics.controller_target(arm), on_target, qos.CONTROLLER_TARGET
        )
        self.create_subscription(
            PoseStamped,
            topics.arm_topic(arm, "cartesian_controller/target_pose"),
            on_pose,
            qos.FOREIGN_COMMAND,
        )
        self.create_subscription(GripperCommand, topics.gripper_command(arm), on_gripper, qos.GRIPPER_COMMAND)

    def _start_realtime(self) -> None:
        self._realtime = Realtime(self._world)
        # Pictures are made of a copy, so the physics goes on while they are drawn.
        self._drawn = mujoco.MjData(self._world.model)
        self._reported_lost = 0
        self.create_timer(1.0 / STATE_RATE_HZ, self._report_state)
        self.create_timer(self.task.period_s / CAMERAS_PER_PERIOD, self._report_pictures)
        self.create_timer(1.0, self._report_lost_cycles)
        self._realtime.start()

    # -- targets --------------------------------------------------------------------------------------

    def _on_command(self, arm: str, stamp: Time, read: Callable[[], Command]) -> None:
        try:
            command = read()
        except ValueError as error:
            self._refuse(f"target of '{arm}': {error}", ERROR)
            return
        stamp_ns = codec.ns_from_stamp(stamp)
        if self._lockstep is None:
            self._follow(arm, stamp_ns, command)
        elif self._lockstep.offer(arm, command, stamp_ns):
            self._step(self._lockstep)
        else:
            self._refuse(f"target of '{arm}' ignored: not stamped with the present time", target_ns=stamp_ns)

    def _on_gripper(self, arm: str, message: GripperCommand) -> None:
        try:
            goal = gripper_goal(message)
        except ValueError as error:
            self._refuse(f"command of '{arm}': {error}", ERROR)
            return
        stamp_ns = codec.ns_from_stamp(message.header.stamp)
        if self._realtime is not None:
            with self._realtime.lock:
                self._world.set_gripper(goal.position, goal.max_effort, arm)
        elif self._lockstep is not None and self._lockstep.offer_gripper(arm, goal, stamp_ns):
            self._step(self._lockstep)
        else:
            text = f"gripper command of '{arm}' ignored: not stamped with the present time"
            self._refuse(text, command_ns=stamp_ns)

    def _step(self, lockstep: Lockstep) -> None:
        try:
            moved = lockstep.step()
        except ValueError as error:
            self._refuse(str(error), ERROR)
        except SimulationFault as fault:
            self._on_fault(str(fault))
        else:
            if moved:
                self._report_all(self._world.stamp_ns)

    def _follow(self, arm: str, stamp_ns: int, command: Command) -> None:
        """Realtime: the law counts the target's age from the target's own stamp, on the simulated clock."""
        assert self._realtime is not None
        with self._realtime.lock:
            age_ns = self._now_ns() - stamp_ns
            reason = self._why_not(arm, stamp_ns, age_ns * 1e-9)
            accepted = not reason and self._world.command(command, self._world.stamp_ns - age_ns, arm)
        if reason:
            self._refuse(f"target of '{arm}' ignored: {reason}", age_s=f"{age_ns * 1e-9:.2f}")
        elif not accepted:
            self._refuse(f"target of '{arm}' refused by the control law", ERROR)

    def _why_not(self, arm: str, stamp_ns: int, age_s: float) -> str:
        """What is wrong with the stamp of a target; empty when it may be followed."""
        timeout = self._world.arms[arm].spec.controller.target_timeout_s
        if age_s > timeout:
            return f"older than target_timeout_s {timeout}"
        if age_s < -timeout:
            return f"stamped further ahead than target_timeout_s {timeout}; do the machines' clocks agree?"
        if stamp_ns < self._reset_ns:
            return "stamped before the last reset"
        return ""

    def _refuse(self, message: str, level: bytes = WARN, **values: Any) -> None:
        self.diagnose(level, message, simulation_ns=self._world.stamp_ns, **values)

    # -- reports --------------------------------------------------------------------------------------

    def _report_all(self, stamp_ns: int) -> None:
        """State and pictures of this moment, one stamp; in realtime under the lock."""
        self._publisher.publish_state(take_snapshot(self._world, stamp_ns), self._episode)
        self._publisher.publish_images(stamp_ns, self._world.render())

    def _report_state(self) -> None:
        assert self._realtime is not None
        if self._realtime.fault:
            self._on_fault(self._realtime.fault)
            return
        with self._realtime.lock:
            snapshot = take_snapshot(self._world, self._now_ns())
        self._publisher.publish_state(snapshot, self._episode)

    def _report_pictures(self) -> None:
        assert self._realtime is not None
        with self._realtime.lock:
            snapshot = take_snapshot(self._world, self._now_ns())
            self._world.copy_state(self._drawn)
        self._publisher.publish_state(snapshot, self._episode)
        self._publisher.publish_images(snapshot.stamp_ns, self._world.render(self._drawn))

    def _report_lost_cycles(self) -> None:
        assert self._realtime is not None
        lost, self._reported_lost = (
            self._realtime.lost_cycles - self._reported_lost,
            self._realtime.lost_cycles,
        )
        if lost:
            self.diagnose(WARN, "machine too slow: controller cycles skipped", in_the_last_second=lost)

    def _on_fault(self, message: str) -> None:
        self.diagnose(ERROR, message)
        self.get_logger().fatal(message)
        self.finish(1)

    # -- reset ----------------------------------------------------------------------------------------

    def _on_reset(self, goal: Any) -> Reset.Result:
        """New episode; at its end state and pictures with one stamp, which the result carries."""
        request = goal.request
        self._episode = int(request.episode)
        self._feedback(goal, 0.0, "placing")
        started = time.monotonic()
        try:
            stamp_ns = self._reset_world(int(request.seed), bool(request.evaluation))
        except (ValueError, SimulationFault) as error:
            self.diagnose(ERROR, f"reset of episode {self._episode} failed: {error}")
            goal.abort()
            return Reset.Result(success=False, message=str(error), stamp=codec.stamp_from_ns(self._now_ns()))
        self._feedback(goal, 1.0, "ready")
        goal.succeed()
        took = time.monotonic() - started
        self.diagnose(OK, "reset", episode=self._episode, seed=request.seed, took_s=f"{took:.3f}")
        return Reset.Result(success=True, message="", stamp=codec.stamp_from_ns(stamp_ns))

    def _reset_world(self, seed: int, evaluation: bool) -> int:
        """Draws the episode, reports its first state and pictures; their stamp, nanoseconds.

        An evaluation has the events of the task; one that names none has the board moved where it can be.
        """
        rng = np.random.default_rng(seed)
        board_moved = tuple(kind for kind in self._world.event_kinds if kind == "board_moved")
        events = (self.task.evaluation.disturbances or board_moved) if evaluation else ()
        lock = contextlib.nullcontext() if self._realtime is None else self._realtime.lock
        with lock:
            self._world.reset(rng, events=events)
            stamp_ns = self._reset_ns = self._now_ns()
            self._report_all(stamp_ns)
        if self._lockstep is not None:
            self._lockstep.clear()
        return stamp_ns

    def _now_ns(self) -> int:
        """Simulated time in lockstep, the node's clock in realtime."""
        if self._realtime is not None:
            return int(self.get_clock().now().nanoseconds)
        return self._world.stamp_ns

    @staticmethod
    def _feedback(goal: Any, progress: float, phase: str) -> None:
        goal.publish_feedback(Reset.Feedback(progress=progress, phase=phase))


def main() -> None:
    """Entry point of the executable `sim`."""
    run(SimNode)
