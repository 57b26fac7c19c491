# SPDX-License-Identifier: Apache-2.0
"""One gripper: <arm>/gripper/command to its driver's action, its joint states to <arm>/gripper/state.

ros2 run hilserl_gripper gripper_adapter --ros-args -p arm:=arm -p kind:=franka -p driver:=arm/franka_gripper
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from sensor_msgs.msg import JointState

from hilserl_gripper.drivers import (
    FRANKA_FORCE_LIMIT_N,
    FRANKA_FORCE_N,
    FRANKA_STROKE_M,
    KINDS,
    FrankaHand,
    ParallelGripper,
    Request,
    Stroke,
)
from hilserl_msgs.msg import GripperCommand
from hilserl_ros import qos, topics
from hilserl_ros.node import ERROR, WARN, HilserlNode, run
from hilserl_task import TaskError

SAME_OPENING = 0.005  # a command as near as this to the last one is that one again


class GripperAdapterNode(HilserlNode):
    """Sends the newest command, one goal at a time; a goal under way is cancelled for a newer command. One
    whose driver dies is sent again when the driver is back.

    Parameters: arm; kind (parallel, franka); driver (namespace of its actions); joint, closed, open
    (parallel); joint_states (topic of the driver); speed (m/s, franka); force (N, franka).
    """

    def __init__(self) -> None:
        super().__init__("gripper_adapter")
        arm = self._text("arm", "arm")
        self._joint = self._text("joint", "finger_joint")
        self._stroke, self._driver = self._make_driver(self._text("kind", "parallel"))
        namespace = self._text("driver", f"{arm}/gripper_controller")
        self._action_clients = {
            name: ActionClient(self, kind, f"{namespace}/{name}")
            for name, kind in self._driver.actions.items()
        }
        self._last: GripperCommand | None = None
        self._waiting: Request | None = None
        self._busy: Request | None = None  # under way
        self._goal: Any = None
        self._state = self.create_publisher(JointState, topics.gripper_state(arm), qos.sensor("realtime"))
        self.create_subscription(
            GripperCommand, topics.gripper_command(arm), self._command, qos.GRIPPER_COMMAND
        )
        states = self._text("joint_states", f"{arm}/joint_states")
        self.create_subscription(JointState, states, self._measured, qos.sensor("realtime"))
        self.create_timer(0.2, self._send)  # a driver that was not there yet

    def _text(self, name: str, default: str) -> str:
        return str(self.declare_parameter(name, default).value)

    def _make_driver(self, kind: str) -> tuple[Stroke, ParallelGripper | FrankaHand]:
        closed = float(self.declare_parameter("closed", 0.0).value)
        opened = float(self.declare_parameter("open", 0.04).value)
        speed = float(self.declare_parameter("speed", 0.1).value)
        if kind not in KINDS:
            raise TaskError(f"kind: {kind!r} must be one of {', '.join(KINDS)}; example: kind:=parallel")
        if not (math.isfinite(speed) and speed > 0.0):
            raise TaskError(f"speed: {speed} must be above 0 m/s; example: speed:=0.1")
        force = float(self.declare_parameter("force", FRANKA_FORCE_N).value)
        if not (math.isfinite(force) and 0.0 < force <= FRANKA_FORCE_LIMIT_N):
            raise TaskError(
                f"force: {force} must be above 0 and at most {FRANKA_FORCE_LIMIT_N:g} N; example: force:=40.0"
            )
        if kind == "franka":
            return Stroke(0.0, FRANKA_STROKE_M / 2.0), FrankaHand(
                speed, force
            )  # each finger moves half the width
        return Stroke(closed, opened), ParallelGripper(self._joint, Stroke(closed, opened))

    def _command(self, message: GripperCommand) -> None:
        if not (math.isfinite(message.position) and math.isfinite(message.max_effort)):
            self.diagnose(WARN, "gripper command refused: not finite", position=message.position)
            return
        last = self._last
        if last is not None and abs(last.position - message.position) < SAME_OPENING:
            if last.max_effort == message.max_effort:
                return
        self._last = message
        self._waiting = self._driver.request(message.position, message.max_effort)
        if self._goal is not None:
            self._goal.cancel_goal_async()
        self._send()

    def _send(self) -> None:
        self._take_back_if_driver_died()
        if self._waiting is None or self._busy is not None:
            return
        client = self._action_clients[self._waiting.action]
        if not client.server_is_ready():
            self.diagnose(WARN, "gripper driver is not there", action=self._waiting.action)
            return
        request, self._waiting = self._waiting, None
        self._busy = request
        client.send_goal_async(request.goal).add_done_callback(partial(self._accepted, request))

    def _take_back_if_driver_died(self) -> None:
        """Its answer will never come, and would stop every command after it."""
        if self._busy is None or self._action_clients[self._busy.action].server_is_ready():
            return
        self.diagnose(WARN, "gripper driver went away in mid-goal", action=self._busy.action)
        self._waiting = self._waiting or self._busy
        self._goal = self._busy = None

    def _accepted(self, request: Request, future: Any) -> None:
        if request is not self._busy:
            return
        self._goal = future.result()
        if not self._goal.accepted:
            self.diagnose(ERROR, "gripper driver refused a goal", action=request.action)
            self._free()
        else:
            if self._waiting is not None:  # a newer command came while this one was on its way
                self._goal.cancel_goal_async()
            self._goal.get_result_async().add_done_callback(partial(self._done, request))

    def _done(self, request: Request, future: Any) -> None:
        if request is not self._busy:
            return
        if future.result().status == GoalStatus.STATUS_ABORTED:
            self.diagnose(WARN, "gripper driver gave a goal up", action=request.action)
        self._free()

    def _free(self) -> None:
        self._goal = self._busy = None
        self._send()

    def _measured(self, message: JointState) -> None:
        positions = dict(zip(message.name, message.position, strict=False))
        name = (
            self._joint if self._joint in positions else next((n for n in positions if "finger" in n), None)
        )
        if name is None or not math.isfinite(positions[name]):
            return
        state = JointState(name=["gripper"], position=[self._stroke.opening(positions[name])])
        state.header.stamp = message.header.stamp
        self._state.publish(state)


def main() -> None:
    """Entry point of the executable `gripper_adapter`."""
    run(GripperAdapterNode)
