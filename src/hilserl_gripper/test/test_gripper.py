# SPDX-License-Identifier: Apache-2.0
"""The adapter against a real action server, where control_msgs is installed; its arithmetic everywhere."""

import importlib.util
import threading

import pytest

from hilserl_gripper.drivers import FRANKA_FORCE_N, FrankaHand, ParallelGripper, Stroke
from hilserl_msgs.msg import GripperCommand
from hilserl_ros import qos, topics
from hilserl_ros.testing import RosGraph
from hilserl_task import TaskError

HAS_CONTROL_MSGS = importlib.util.find_spec("control_msgs") is not None
needs_control_msgs = pytest.mark.skipif(not HAS_CONTROL_MSGS, reason="control_msgs is not installed")


def test_stroke_both_ways_and_beyond_its_ends():
    stroke = Stroke(closed=0.8, opened=0.0)  # a Robotiq closes upwards
    assert stroke.position(0.25) == pytest.approx(0.6)
    assert stroke.opening(0.6) == pytest.approx(0.25)
    assert stroke.position(7.0) == 0.0
    assert stroke.opening(0.9) == 0.0


@pytest.mark.parametrize(("closed", "opened"), [(0.1, 0.1), (0.0, float("nan"))])
def test_stroke_without_a_way_is_refused(closed, opened):
    with pytest.raises(TaskError, match="closed, open"):
        Stroke(closed, opened)


@pytest.mark.skipif(HAS_CONTROL_MSGS, reason="control_msgs is installed")
def test_missing_messages_say_what_to_install():
    with pytest.raises(TaskError, match="ros-jazzy-control-msgs"):
        ParallelGripper("finger_joint", Stroke(0.0, 0.04))


def test_a_franka_hand_closes_with_a_force_and_opens_without():
    pytest.importorskip("franka_msgs.action", exc_type=ImportError)
    hand = FrankaHand(speed_m_s=0.1, force_n=FRANKA_FORCE_N)
    shut, opened = hand.request(0.0, 0.0), hand.request(1.0, 0.0)
    assert (shut.action, shut.goal.force, shut.goal.width) == ("grasp", FRANKA_FORCE_N, 0.0)
    assert (opened.action, opened.goal.width) == ("move", pytest.approx(0.08))
    assert hand.request(0.0, 20.0).goal.force == 20.0
    assert hand.request(0.3, 20.0).action == "grasp"
    assert hand.request(0.3, 0.0).action == "move", "a narrow hand without a force holds nothing"


@pytest.mark.parametrize("force", [0.0, -1.0, 71.0])
def test_a_force_that_a_franka_hand_cannot_hold_is_refused(force):
    from hilserl_gripper.gripper_adapter_node import GripperAdapterNode

    with RosGraph(kind="franka", force=force), pytest.raises(TaskError, match="force"):
        GripperAdapterNode()


def test_unknown_kind_is_refused():
    from hilserl_gripper.gripper_adapter_node import GripperAdapterNode

    with RosGraph(kind="magnet"), pytest.raises(TaskError, match="magnet"):
        GripperAdapterNode()


@pytest.fixture
def gripper():
    """(graph, peer, publisher of commands, goals the driver received, gate that lets goals finish)."""
    from control_msgs.action import ParallelGripperCommand
    from rclpy.action import ActionServer, CancelResponse
    from rclpy.callback_groups import ReentrantCallbackGroup
    from rclpy.executors import MultiThreadedExecutor
    from rclpy.node import Node

    from hilserl_gripper.gripper_adapter_node import GripperAdapterNode

    goals, gate = [], threading.Event()
    with RosGraph(kind="parallel") as graph:
        driver = Node("driver")

        def execute(handle):
            goals.append(handle.request.command)
            while not gate.is_set() and not handle.is_cancel_requested:
                gate.wait(0.01)
            if handle.is_cancel_requested:
                handle.canceled()
            else:
                handle.succeed()
            return ParallelGripperCommand.Result()

        server = ActionServer(
            driver,
            ParallelGripperCommand,
            "arm/gripper_controller/gripper_cmd",
            execute,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=ReentrantCallbackGroup(),
        )
        executor = MultiThreadedExecutor(2)
        executor.add_node(driver)
        thread = threading.Thread(target=executor.spin, daemon=True)
        thread.start()
        graph.add(GripperAdapterNode)
        peer = graph.peer()
        commands = peer.create_publisher(GripperCommand, topics.gripper_command("arm"), qos.GRIPPER_COMMAND)
        graph.connect(peer, {topics.gripper_command("arm"): "subscriber"})
        yield graph, peer, commands, goals, gate
        gate.set()
        executor.shutdown()
        thread.join(5.0)
        server.destroy()
        driver.destroy_node()


@needs_control_msgs
def test_command_becomes_a_goal_and_the_same_one_no_second(gripper):
    graph, _, commands, goals, gate = gripper
    gate.set()
    commands.publish(GripperCommand(position=0.5, max_effort=20.0))
    graph.spin_until(lambda: goals, what="a goal")
    assert list(goals[0].name) == ["finger_joint"]
    assert list(goals[0].position) == pytest.approx([0.02])
    assert list(goals[0].effort) == [20.0]
    commands.publish(GripperCommand(position=0.5, max_effort=20.0))
    graph.spin_for(0.5)
    assert len(goals) == 1


@needs_control_msgs
def test_newer_command_cancels_the_one_under_way(gripper):
    graph, _, commands, goals, gate = gripper
    commands.publish(GripperCommand(position=1.0))
    graph.spin_until(lambda: goals, what="a goal that takes its time")
    commands.publish(GripperCommand(position=0.0))
    graph.spin_until(lambda: len(goals) == 2, what="the newer goal")
    assert list(goals[1].position) == [0.0]
    gate.set()


@needs_control_msgs
def test_not_finite_is_refused(gripper):
    graph, _, commands, goals, _ = gripper
    commands.publish(GripperCommand(position=float("nan")))
    graph.spin_for(0.5)
    assert goals == []


@needs_control_msgs
def test_state_is_the_opening(gripper):
    from sensor_msgs.msg import JointState

    graph, peer, *_ = gripper
    seen = peer.collect(JointState, topics.gripper_state("arm"), qos.sensor("realtime"))
    driver = peer.create_publisher(JointState, "arm/joint_states", qos.sensor("realtime"))

    def publish():
        driver.publish(JointState(name=["joint1", "finger_joint"], position=[0.3, 0.01]))
        return seen

    graph.spin_until(publish, what="a state")
    assert list(seen[0].name) == ["gripper"]
    assert list(seen[0].position) == pytest.approx([0.25])


@needs_control_msgs
def test_a_driver_that_dies_in_mid_goal_gets_the_command_when_it_is_back():
    from control_msgs.action import ParallelGripperCommand
    from rclpy.action import ActionServer
    from rclpy.task import Future

    from hilserl_gripper.gripper_adapter_node import GripperAdapterNode

    goals = []

    async def never(handle):
        goals.append(handle.request.command.position[0])
        await Future()

    async def at_once(handle):
        goals.append(handle.request.command.position[0])
        handle.succeed()
        return ParallelGripperCommand.Result()

    name = "arm/gripper_controller/gripper_cmd"
    with RosGraph(kind="parallel") as graph:
        adapter = graph.add(GripperAdapterNode)
        driver, peer = graph.peer("driver"), graph.peer()
        server = ActionServer(driver, ParallelGripperCommand, name, never)
        commands = peer.create_publisher(GripperCommand, topics.gripper_command("arm"), qos.GRIPPER_COMMAND)
        graph.connect(peer, {topics.gripper_command("arm"): "subscriber"})
        commands.publish(GripperCommand(position=1.0))
        graph.spin_until(lambda: goals, what="the first goal")
        server.destroy()
        client = adapter._action_clients["gripper_cmd"]
        graph.spin_until(lambda: not client.server_is_ready(), what="the end of the driver")
        graph.spin_for(0.3)
        server = ActionServer(driver, ParallelGripperCommand, name, at_once)
        graph.spin_until(lambda: len(goals) == 2, what="the same command again")
        commands.publish(GripperCommand(position=0.0))
        graph.spin_until(lambda: len(goals) == 3, what="the next command")
        assert goals == pytest.approx([0.04, 0.04, 0.0])
        server.destroy()
