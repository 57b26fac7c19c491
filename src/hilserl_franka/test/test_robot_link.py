# SPDX-License-Identifier: Apache-2.0
"""Calls that wait, against real servers that answer, refuse, are late or absent."""

import threading
import time

import pytest
from rclpy.action import ActionServer, GoalResponse
from std_srvs.srv import Trigger

from hilserl_franka.robot_link import RobotLink, StepFailed
from hilserl_msgs.action import Reset
from hilserl_ros.testing import RosGraph


@pytest.fixture
def link():
    """(a link, a peer whose servers run in the background)."""
    with RosGraph() as graph:
        peer = graph.peer()
        made = RobotLink("franka_arm_link", "/arm", timeout_s=1.0)
        stop = threading.Event()

        def spin():
            while not stop.is_set():
                graph.executor.spin_once(timeout_sec=0.01)

        thread = threading.Thread(target=spin)
        thread.start()
        yield made, peer
        stop.set()
        thread.join(5.0)
        made.close()


def test_answer_of_a_service_in_its_namespace(link):
    made, peer = link

    def answer(_, response):
        response.success, response.message = True, "set"
        return response

    peer.create_service(Trigger, "/arm/service_server/set", answer)
    assert made.call(Trigger, "service_server/set", Trigger.Request()).message == "set"
    assert made.call(Trigger, "service_server/set", Trigger.Request()).success, "and again"


def test_absent_service_is_named_with_the_reason(link):
    made, _ = link
    with pytest.raises(StepFailed, match=r"/arm/service_server/set is not there.*franka_ros2"):
        made.call(Trigger, "service_server/set", Trigger.Request())


def test_late_answer_is_an_error_not_a_wait_for_ever(link):
    made, peer = link

    def answer(_, response):
        time.sleep(2.0)
        return response

    peer.create_service(Trigger, "/arm/slow", answer)
    with pytest.raises(StepFailed, match="/arm/slow does not answer"):
        made.call(Trigger, "slow", Trigger.Request())


def test_closing_ends_a_call_that_waits(link):
    made, _ = link
    threading.Timer(0.2, made.close).start()
    with pytest.raises(StepFailed, match="the node ends"):
        made.call(Trigger, "never", Trigger.Request())


def run_reset(end, goal=GoalResponse.ACCEPT):
    def execute(handle):
        getattr(handle, end)()
        return Reset.Result()

    return {"execute_callback": execute, "goal_callback": lambda _: goal}


def test_result_of_an_action(link):
    made, peer = link
    ActionServer(peer, Reset, "/arm/action_server/recover", **run_reset("succeed"))
    assert isinstance(made.act(Reset, "action_server/recover", Reset.Goal()), Reset.Result)


def test_failed_and_refused_actions_are_named(link):
    made, peer = link
    ActionServer(peer, Reset, "/arm/fails", **run_reset("abort"))
    with pytest.raises(StepFailed, match="/arm/fails failed"):
        made.act(Reset, "fails", Reset.Goal())
    ActionServer(peer, Reset, "/arm/refuses", **run_reset("succeed", GoalResponse.REJECT))
    with pytest.raises(StepFailed, match="/arm/refuses refused"):
        made.act(Reset, "refuses", Reset.Goal())
