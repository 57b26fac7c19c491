# SPDX-License-Identifier: Apache-2.0
"""A node started by test_node.py: what it does, it is told by the parameter `behaviour`."""

import time

from rclpy.action import ActionClient, ActionServer

from hilserl_msgs.action import Reset
from hilserl_ros import topics
from hilserl_ros.node import HilserlNode, run
from hilserl_task import TaskError


class ANode(HilserlNode):
    """Prints `ready` once it runs and `closed` when it is closed."""

    def __init__(self) -> None:
        super().__init__("a_node")
        self._behaviour = self.declare_parameter("behaviour", "wait").value
        if self._behaviour == "action":
            self._server = ActionServer(self, Reset, topics.RESET, self._reset)
            self._client = ActionClient(self, Reset, topics.RESET)
            self._sent = False
        self.create_timer(0.02, self._act)

    def close(self) -> None:
        print("closed", flush=True)
        if self._behaviour == "slow_close":
            time.sleep(2.5)
            print("closed slowly", flush=True)

    def _act(self) -> None:
        if self._behaviour == "fail":
            raise RuntimeError("gears are jammed")
        if self._behaviour == "refuse":
            raise TaskError("answer: 41 must be 42")
        if self._behaviour == "finish":
            self.finish(3)
        if self._behaviour == "action" and self._client.server_is_ready() and not self._sent:
            self._sent = True
            self._client.send_goal_async(Reset.Goal()).add_done_callback(self._answered)
        print("ready", flush=True)
        if self._behaviour == "busy":
            time.sleep(60)

    def _reset(self, goal) -> Reset.Result:
        goal.succeed()
        return Reset.Result()

    def _answered(self, future) -> None:
        raise RuntimeError("answer was not liked")


if __name__ == "__main__":
    run(ANode)
