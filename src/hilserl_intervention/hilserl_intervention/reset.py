# SPDX-License-Identifier: Apache-2.0
"""Brings a robot to the start of an episode. The simulation resets itself and does not need this node.

ros2 run hilserl_intervention reset --ros-args -p task:=my_task
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from rclpy.action import ActionServer, CancelResponse
from rclpy.task import Future
from sensor_msgs.msg import Joy

from hilserl_intervention.buttons import Buttons, Event
from hilserl_intervention.device import device_arms
from hilserl_intervention.reset_motion import ArmReset, ResetFailed
from hilserl_intervention.reset_path import check_starts, draw_start
from hilserl_msgs.action import Reset
from hilserl_msgs.msg import Action, CartesianControllerState, CartesianTarget
from hilserl_ros import codec, qos, topics
from hilserl_ros.node import ERROR, OK, WARN, HilserlNode, run
from hilserl_task import TaskError
from hilserl_task.path import taught_matrix

RATE_HZ = 50.0
SAID_EVERY_S = 1.0
CONTROLLER_PATIENCE_S = 60.0  # an arm that stopped itself may have to be recovered by a person first
LAST_ACTION_S = 0.3  # the answer to the last action of the episode before may still be under way
WAITING = "put everything in place, then press the success button"


@dataclass
class _Running:
    """A goal under way, and what ends it: the reason why it failed, empty when it did not."""

    handle: Any
    done: Future

    def end(self, reason: str) -> None:
        """Once; the first reason counts."""
        if not self.done.done():
            self.done.set_result(reason)


class ResetNode(HilserlNode):
    """Action `reset`: retreat, above the drawn start pose, down to it; or a person does it and says so.

    One reset at a time: a newer goal takes over, because whoever asked for the older one may have died.
    Between the episodes the mux sends no targets, so this node has the arms to itself; where the mux moves
    them all the same, the reset fails instead of fighting for them.
    """

    def __init__(self) -> None:
        super().__init__("reset")
        if self.task.scene is not None:
            raise TaskError("scene: a simulated task resets itself; the reset node is for robots")
        self._scripted = self.task.reset.kind == "scripted"
        self._arms = {arm.name: ArmReset(arm, self.task.reset) for arm in self.task.arms}
        self._check_starts()
        self._running: _Running | None = None
        self._phase, self._told = "", ""
        self._told_at = self._began_at = 0.0
        self._buttons = {device: Buttons() for device in device_arms(self.task)}
        self._press_seen = False
        self._targets = {
            arm.name: self.create_publisher(
                CartesianTarget, topics.controller_target(arm.name), qos.CONTROLLER_TARGET
            )
            for arm in self.task.arms
        }
        self._subscribe()
        self.create_timer(1.0 / RATE_HZ, self._tick)
        self._server = ActionServer(
            self,
            Reset,
            topics.RESET,
            self._execute,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def _check_starts(self) -> None:
        """Every start that may be drawn is known and inside the workspace: nothing is found out in a run."""
        missing = [name for name in self._arms if name not in self.task.reset.taught_poses]
        if self._scripted and missing:
            raise TaskError(
                f"reset.taught_poses: none for arm '{missing[0]}'; bring it to the pose in which the task is "
                f"done and run: teach --task {self.task.name} --arm {missing[0]} (or reset.kind: human)"
            )
        for name, arm in self._arms.items() if self._scripted else ():
            try:
                check_starts(taught_matrix(self.task.reset.taught_poses[name]), self.task.reset, arm.spec)
            except ValueError as error:
                raise TaskError(str(error)) from error

    def _subscribe(self) -> None:
        for name in self._arms:
            self.create_subscription(
                CartesianControllerState,
                topics.controller_state(name),
                partial(self._on_state, name),
                qos.sensor("realtime"),
            )
        for device in self._buttons:
            self.create_subscription(Joy, topics.joy(device), partial(self._on_joy, device), qos.TELEOP)
        self.create_subscription(Action, topics.EXECUTED_ACTION, self._on_executed, qos.EXECUTED_ACTION)

    # -- input ----------------------------------------------------------------------------------------

    def _on_state(self, name: str, message: CartesianControllerState) -> None:
        try:
            self._arms[name].measured(codec.matrix_from_pose(message.pose), time.monotonic())
        except ValueError as error:
            self.diagnose(WARN, f"state of arm '{name}' unusable", reason=error)

    def _on_joy(self, device: str | None, message: Joy) -> None:
        """Edges count: a button still held from the end of the episode confirms nothing."""
        self._buttons[device].update(list(message.buttons))
        self._press_seen |= self._buttons[device].take_event() is Event.SUCCESS

    def _on_executed(self, message: Action) -> None:
        """The mux moves the arms: an episode runs, which this reset knows nothing of."""
        moves = message.source != Action.SOURCE_HOLD
        late = time.monotonic() - self._began_at > LAST_ACTION_S
        if self._running is not None and self._phase == "moving" and moves and late:
            self._running.end(
                f"the mux moves the arms, in episode {message.episode}; is there a second actor?"
            )

    # -- the action -----------------------------------------------------------------------------------

    async def _execute(self, handle: Any) -> Reset.Result:
        """Runs until the tick says it is done, or a newer goal takes over."""
        if self._running is not None:
            self._running.end(f"a reset for episode {handle.request.episode} took over")
        mine = self._running = _Running(handle, Future())
        self._phase = "planning" if self._scripted else "person"
        self._press_seen, self._told, self._began_at = False, "", time.monotonic()
        reason = await mine.done
        if self._running is mine:
            self._running = None
        if reason:
            return self._failed(handle, reason)
        handle.succeed()
        self.diagnose(OK, "reset done", episode=handle.request.episode)
        return Reset.Result(success=True, stamp=self.get_clock().now().to_msg())

    def _plan(self, seed: int) -> None:
        """As soon as all controllers speak; a node that has just started has not heard them yet."""
        rng, now = np.random.default_rng(seed), time.monotonic()
        if self._silent(now) and now - self._began_at < CONTROLLER_PATIENCE_S:
            return
        for name, arm in self._arms.items():
            taught = taught_matrix(self.task.reset.taught_poses[name])
            arm.plan(draw_start(taught, self.task.reset, rng), now)
        self._phase = "moving"

    def _failed(self, handle: Any, reason: str) -> Reset.Result:
        self.diagnose(ERROR, "reset failed", reason=reason)
        if handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return Reset.Result(success=False, message=reason, stamp=self.get_clock().now().to_msg())

    # -- the motion -----------------------------------------------------------------------------------

    def _tick(self) -> None:
        running = self._running
        if running is None or running.done.done():
            return
        if running.handle.is_cancel_requested:
            running.end("cancelled")
            return
        self._say(running.handle)
        try:
            self._go_on(int(running.handle.request.seed))
        except ResetFailed as failure:
            running.end(str(failure))
            return
        if self._phase == "done":
            running.end("")

    def _go_on(self, seed: int) -> None:
        """planning, moving, person, done; by a person alone: person, done."""
        if self._phase == "planning":
            self._plan(seed)
        elif self._phase == "moving":
            self._move()
        elif self._phase == "person" and self._press_seen:
            self._phase = "done"

    def _move(self) -> None:
        """Targets of this moment; the controllers' own limits hold in addition."""
        now = time.monotonic()
        for name, arm in self._arms.items():
            message = CartesianTarget(
                header=codec.header(self.get_clock().now().nanoseconds, arm.spec.base_frame),
                mode=CartesianTarget.MODE_POSE,
                pose=codec.pose_from_matrix(arm.target(now)),
            )
            self._targets[name].publish(message)
        if all(arm.arrived(now) for arm in self._arms.values()):
            self._phase, self._press_seen = ("person" if self.task.reset.confirm else "done"), False

    def _say(self, handle: Any) -> None:
        """Once a second, and at every change: the actor waits as long as it hears of us, and a person reads
        what to do."""
        now = time.monotonic()
        waits_for = self._waits_for(now)
        text = waits_for or "moving to the start pose"
        if text == self._told and now - self._told_at < SAID_EVERY_S:
            return
        self._told, self._told_at = text, now
        progress = min((arm.progress(now) for arm in self._arms.values()), default=0.0)
        handle.publish_feedback(Reset.Feedback(progress=float(progress), phase=text))
        if waits_for:
            self.diagnose(WARN, f"reset waits for the person: {waits_for}")

    def _waits_for(self, now_s: float) -> str:
        """What a person has to do; empty when nothing."""
        if self._phase == "person":
            return WAITING
        if self._phase == "planning" and (silent := self._silent(now_s)):
            return f"controller of arm {', '.join(silent)} is silent; make it active, or recover the arm"
        return ""

    def _silent(self, now_s: float) -> list[str]:
        return [name for name, arm in self._arms.items() if not arm.speaks(now_s)]


def main() -> None:
    """Entry point of the executable `reset`."""
    run(ResetNode)


if __name__ == "__main__":
    main()
