# SPDX-License-Identifier: Apache-2.0
"""Starts a Franka arm with the collision behaviour of its robot file and brings it back after a reflex.

ros2 run hilserl_franka franka_arm --ros-args --params-file config/robots/fr3.yaml -r __ns:=/arm
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from lifecycle_msgs.msg import State
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_srvs.srv import Trigger

from hilserl_franka.franka_arm import FrankaArm, Names
from hilserl_franka.messages import Messages
from hilserl_franka.robot_link import RobotLink, StepFailed
from hilserl_franka.settings import CollisionThresholds, RecoveryBudget
from hilserl_ros.node import ERROR, EXIT_FAULT, OK, WARN, HilserlNode, run
from hilserl_task import TaskError

ACTIVITY_QOS = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class FrankaArmNode(HilserlNode):
    """Sets the collision behaviour, activates the controllers, and does both again after an error.

    Parameters: driver, hardware, controllers (see Names); collision.lower_torque, .upper_torque (7, Nm),
    .lower_force, .upper_force (6, N and Nm); automatic_recoveries within window (s), 0: a person calls
    ~/recover; timeout (s) of every step.
    """

    def __init__(self) -> None:
        super().__init__("franka_arm")
        thresholds, names, timeout = self._thresholds(), self._names(), self._timeout()
        self._budget = RecoveryBudget(
            int(self._value("automatic_recoveries", 0)), float(self._value("window", 60.0))
        )
        messages = Messages()
        self._link = RobotLink(f"{self.get_name()}_link", self.get_namespace(), timeout)
        self._arm = FrankaArm(self._link, messages, names, thresholds)
        self._started = False
        self.create_service(Trigger, "~/recover", self._recover)
        self.create_subscription(
            messages.activity, "controller_manager/activity", lambda _: self._look(), ACTIVITY_QOS
        )
        self._start_timer = self.create_timer(0.0, self._start)

    def close(self) -> None:
        """Ends the calls that wait."""
        self._link.close()

    # -- Parameters

    def _value(self, name: str, default: Any) -> Any:
        return self.declare_parameter(name, default).value

    def _numbers(self, name: str) -> Sequence[float]:
        """No default: what an arm may do to a person who stands in its way is decided in the robot file."""
        value = self.declare_parameter(name, Parameter.Type.DOUBLE_ARRAY).value
        if value is None:
            raise TaskError(f"{name}: must be given; config/robots/fr3.yaml shows all four")
        return [float(number) for number in value]

    def _thresholds(self) -> CollisionThresholds:
        sides = ("lower_torque", "upper_torque", "lower_force", "upper_force")
        return CollisionThresholds(**{side: self._numbers(f"collision.{side}") for side in sides})

    def _names(self) -> Names:
        names = Names(
            driver=str(self._value("driver", "")).strip("/"),
            hardware=str(self._value("hardware", "FrankaHardwareInterface")),
            controllers=[name for name in self._value("controllers", ["cartesian_controller"]) if name],
        )
        if not names.controllers:
            raise TaskError("controllers: must name at least one; example: [cartesian_controller]")
        return names

    def _timeout(self) -> float:
        timeout = float(self._value("timeout", 30.0))
        if not (math.isfinite(timeout) and timeout > 0.0):
            raise TaskError(f"timeout: {timeout} must be above 0 s; example: timeout:=30.0")
        return timeout

    # -- Start and recovery

    def _start(self) -> None:
        self._start_timer.cancel()
        try:
            self._arm.start()
        except StepFailed as error:
            self.diagnose(ERROR, f"arm not started, its controllers stay inactive: {error}")
            self.finish(EXIT_FAULT)
            return
        self._started = True
        self.diagnose(OK, "arm started: collision behaviour set, controllers active")

    def _look(self) -> None:
        """After every change of a component: has the arm stopped?"""
        if not self._started:
            return
        try:
            state = self._arm.hardware_state()
        except StepFailed as error:
            self.diagnose(WARN, f"state of the arm unknown: {error}")
            return
        if state == State.PRIMARY_STATE_ACTIVE:
            return
        # An error leaves the hardware unconfigured; any other state is a person's wish, which stays.
        if state == State.PRIMARY_STATE_UNCONFIGURED and self._budget.take(time.monotonic()):
            self._recover_and_say("automatic")
        else:
            self.diagnose(ERROR, f"arm stopped and waits for a person: call {self.get_name()}/recover")

    def _recover(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = self._recover_and_say("asked for")
        response.success = not response.message
        return response

    def _recover_and_say(self, why: str) -> str:
        """Reason of the failure; empty when the arm runs again."""
        self.diagnose(WARN, "arm stopped: recovery", why=why)
        try:
            self._arm.recover()
        except StepFailed as error:
            self.diagnose(ERROR, f"arm not recovered: {error}")
            return str(error)
        self.diagnose(OK, "arm runs again")
        return ""


def main() -> None:
    """Entry point of the executable `franka_arm`."""
    run(FrankaArmNode)
