# SPDX-License-Identifier: Apache-2.0
"""The node against servers of franka_ros2's and ros2_control's own types, where they are installed."""

import importlib.util
import threading

import pytest
from lifecycle_msgs.msg import State
from rclpy.action import ActionServer
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from hilserl_ros.testing import RosGraph
from hilserl_task import TaskError

HAS_MESSAGES = all(importlib.util.find_spec(name) for name in ("franka_msgs", "controller_manager_msgs"))
needs_messages = pytest.mark.skipif(not HAS_MESSAGES, reason="franka_msgs is not installed")

THRESHOLDS = {
    "collision.lower_torque": [20.0] * 7,
    "collision.upper_torque": [40.0] * 7,
    "collision.lower_force": [30.0] * 6,
    "collision.upper_force": [60.0] * 6,
}
HARDWARE = "FrankaHardwareInterface"


class Robot(Node):
    """franka_hardware's servers and a controller manager with one controller, as far as the node sees them.

    Attributes:
        steps: what was asked for, in order.
        state: of the hardware component. An error makes it unconfigured, and the controller inactive.
    """

    def __init__(self):
        from hilserl_franka.franka_arm_node import ACTIVITY_QOS
        from hilserl_franka.messages import Messages

        super().__init__("robot", use_global_arguments=False)
        kinds = Messages()
        self.steps, self.state, self.controller = [], State.PRIMARY_STATE_ACTIVE, "inactive"
        self.refuse_thresholds, self.clears = "", True
        self._activity_kind = kinds.activity
        self._activity = self.create_publisher(kinds.activity, "controller_manager/activity", ACTIVITY_QOS)
        for kind, name, answer in (
            (kinds.collision_behavior, "service_server/set_full_collision_behavior", self._thresholds),
            (kinds.list_hardware, "controller_manager/list_hardware_components", self._list_hardware),
            (kinds.set_hardware_state, "controller_manager/set_hardware_component_state", self._hardware),
            (kinds.list_controllers, "controller_manager/list_controllers", self._list_controllers),
            (kinds.switch_controllers, "controller_manager/switch_controller", self._switch),
        ):
            self.create_service(kind, name, answer)
        self._recovery = ActionServer(self, kinds.error_recovery, "action_server/error_recovery", self._clear)
        self._result = kinds.error_recovery.Result

    def stop(self, state=State.PRIMARY_STATE_UNCONFIGURED, controller="inactive"):
        """What the controller manager does after an error of the hardware."""
        self.state, self.controller = state, controller
        self.steps.clear()
        self._activity.publish(self._activity_kind())

    def _thresholds(self, request, response):
        self.steps.append("thresholds")
        self.thresholds = request
        response.success, response.error = not self.refuse_thresholds, self.refuse_thresholds
        return response

    def _clear(self, handle):
        self.steps.append("clear")
        handle.succeed() if self.clears else handle.abort()
        return self._result()

    def _hardware(self, request, response):
        self.steps.append("hardware")
        response.ok = "clear" in self.steps and request.name == HARDWARE
        if response.ok:
            self.state = request.target_state.id
        response.state.label = "unconfigured"
        return response

    def _list_hardware(self, _, response):
        from controller_manager_msgs.msg import HardwareComponentState

        response.component = [HardwareComponentState(name=HARDWARE, state=State(id=self.state))]
        return response

    def _list_controllers(self, _, response):
        from controller_manager_msgs.msg import ControllerState

        response.controller = [ControllerState(name="cartesian_controller", state=self.controller)]
        return response

    def _switch(self, request, response):
        if "cartesian_controller" in request.deactivate_controllers:
            self.steps.append("deactivate")
            response.ok = self.state == State.PRIMARY_STATE_ACTIVE
            self.controller = "inactive" if response.ok else self.controller
            return response
        self.steps.append("controllers")
        response.ok = self.state == State.PRIMARY_STATE_ACTIVE
        if response.ok and "cartesian_controller" in request.activate_controllers:
            self.controller = "active"
        return response


@pytest.fixture
def arm():
    """Starts the node beside a robot: arm(parameters) -> (graph, robot, node)."""
    from hilserl_franka.franka_arm_node import FrankaArmNode

    stop, opened = threading.Event(), []

    def start(prepare=lambda robot: None, **parameters):
        given = {**THRESHOLDS, "timeout": 20.0, "automatic_recoveries": 1, **parameters}
        graph = RosGraph(**given).__enter__()
        robot = Robot()
        prepare(robot)
        executor = SingleThreadedExecutor()
        executor.add_node(robot)

        def spin():
            while not stop.is_set():
                executor.spin_once(timeout_sec=0.01)

        thread = threading.Thread(target=spin)
        thread.start()
        opened.append((graph, executor, thread))
        return graph, robot, graph.add(FrankaArmNode)

    yield start
    stop.set()
    for graph, executor, thread in opened:
        thread.join(5.0)
        executor.shutdown()
        graph.__exit__(None, None, None)


@needs_messages
def test_thresholds_are_set_before_the_controllers_start(arm):
    graph, robot, _ = arm()
    graph.spin_until(lambda: robot.controller == "active", 30.0, what="an active controller")
    assert robot.steps == ["thresholds", "controllers"]
    assert list(robot.thresholds.upper_force_thresholds_nominal) == [60.0] * 6
    assert list(robot.thresholds.lower_torque_thresholds_acceleration) == [20.0] * 7


@needs_messages
def test_refused_thresholds_end_the_node_and_leave_the_controllers_inactive(arm):
    def prepare(robot):
        robot.refuse_thresholds = "command not possible in the current mode"

    graph, robot, node = arm(prepare)
    assert graph.spin_until(node.ended.done, what="the end of the node")
    assert node.ended.result() == 1
    assert robot.controller == "inactive"
    assert robot.steps == ["thresholds"]


@needs_messages
def test_after_an_error_everything_comes_back_in_order_as_often_as_allowed(arm):
    graph, robot, _ = arm()
    graph.spin_until(lambda: robot.controller == "active", 30.0, what="an active controller")
    robot.stop()
    graph.spin_until(lambda: robot.controller == "active", 30.0, what="the controller again")
    assert robot.steps == ["clear", "hardware", "thresholds", "controllers"]
    robot.stop()
    graph.spin_for(1.0)
    assert robot.steps == [], "one automatic recovery was allowed"
    answer = graph.call(graph.peer("person").create_client(Trigger, "franka_arm/recover"), Trigger.Request())
    assert answer.success, answer.message
    assert robot.controller == "active"


@needs_messages
def test_controller_that_was_left_active_starts_anew(arm):
    graph, robot, _ = arm()
    graph.spin_until(lambda: robot.controller == "active", 30.0, what="an active controller")
    robot.stop(controller="active")
    graph.spin_until(lambda: "controllers" in robot.steps, 30.0, what="the controller again")
    assert robot.steps == ["clear", "hardware", "deactivate", "thresholds", "controllers"]


@needs_messages
def test_error_that_stays_is_told_and_nothing_is_activated(arm):
    graph, robot, _ = arm(automatic_recoveries=0)
    graph.spin_until(lambda: robot.controller == "active", 30.0, what="an active controller")
    robot.clears = False
    robot.stop()
    answer = graph.call(graph.peer("person").create_client(Trigger, "franka_arm/recover"), Trigger.Request())
    assert not answer.success
    assert "error_recovery failed" in answer.message
    assert robot.steps == ["clear"]


@needs_messages
def test_hardware_that_a_person_took_down_stays_down(arm):
    graph, robot, _ = arm(automatic_recoveries=5)
    graph.spin_until(lambda: robot.controller == "active", 30.0, what="an active controller")
    robot.stop(State.PRIMARY_STATE_INACTIVE)
    graph.spin_for(1.0)
    assert robot.steps == []


@needs_messages
def test_absent_robot_is_named():
    from hilserl_franka.franka_arm_node import FrankaArmNode

    with RosGraph(**THRESHOLDS, timeout=0.3) as graph:
        node = graph.add(FrankaArmNode)
        assert graph.spin_until(node.ended.done, what="the end of the node")
        assert node.ended.result() == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("collision.upper_force", [60.0] * 5, "collision.upper_force"),
        ("timeout", 0.0, "timeout"),
        ("controllers", [""], "controllers: must name"),
        ("automatic_recoveries", -1, "automatic_recoveries"),
    ],
)
def test_wrong_parameters_are_refused_by_name(name, value, said):
    from hilserl_franka.franka_arm_node import FrankaArmNode

    with RosGraph(**{**THRESHOLDS, name: value}), pytest.raises(TaskError, match=said):
        FrankaArmNode()


def test_thresholds_must_be_given():
    from hilserl_franka.franka_arm_node import FrankaArmNode

    with RosGraph(timeout=1.0), pytest.raises(TaskError, match=r"collision\.lower_torque: must be given"):
        FrankaArmNode()
