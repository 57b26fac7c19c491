# SPDX-License-Identifier: Apache-2.0
"""Pausing the actor, and evaluations in the middle of training; real processes, a robot side that answers."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import SetBool

from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.seeds import reset_seed
from hilserl_msgs.msg import InterventionState, PolicyInsight, ValueEstimate
from hilserl_msgs.srv import Evaluate
from hilserl_ros import qos, topics

pytestmark = pytest.mark.slow


@pytest.fixture
def start(kit, run_dir):
    """Starts actor or learner; all are ended by the test."""
    processes = []

    def start(name, *overrides, **parameters):
        values = {"task": kit.task_file, "run_dir": run_dir, **parameters}
        options = [f"{key}:={value}" for key, value in values.items()]
        listed = ", ".join(f"'{text}'" for text in (*kit.small, *overrides))
        options.append(f"overrides:=[{listed}]")
        command = [sys.executable, "-m", f"hilserl_agent.{name}_node", "--ros-args"]
        command += [word for option in options for word in ("-p", option)]
        processes.append(
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ)
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        print(process.communicate()[0])  # pytest shows it where the test has failed


class Desk:
    """A person's services, and a mux that can be told to let nobody in; in a thread of its own, because the
    robot side stands still where a test holds it."""

    def __init__(self, robot):
        self.robot, self.switched = robot, []
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = node = rclpy.create_node("desk", context=self.context)
        node.create_service(SetBool, "intervention_mux/set_enabled", self._switch)
        states = node.create_publisher(InterventionState, topics.INTERVENTION_STATE, qos.INTERVENTION_STATE)
        states.publish(InterventionState(enabled=True))
        self.pause = node.create_client(SetBool, "actor/pause")
        self.evaluate = node.create_client(Evaluate, "actor/evaluate")
        self.insights, self.values = [], []
        node.create_subscription(PolicyInsight, topics.POLICY_INSIGHT, self.insights.append, qos.INSIGHT)
        node.create_subscription(ValueEstimate, topics.VALUE_ESTIMATE, self.values.append, qos.INSIGHT)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(node)
        self.thread = threading.Thread(target=self.executor.spin, daemon=True)
        self.thread.start()

    def close(self):
        self.executor.shutdown()
        self.thread.join(timeout=10)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def without_mux(self):
        for service in list(self.node.services):
            if service.srv_name.endswith("set_enabled"):
                self.node.destroy_service(service)

    def _switch(self, request, response):
        self.switched.append((request.data, len(self.robot.seeds)))
        response.success = True
        return response

    def ask(self, client, request):
        wait_for(client.service_is_ready)
        future = client.call_async(request)
        wait_for(future.done)
        return future.result()


@pytest.fixture
def desk(robot):
    desk = Desk(robot)
    yield desk
    desk.close()


def wait_for(condition, seconds=150.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.02)


def phases(robot):
    return [summary.phase for summary in robot.summaries]


OVERRIDES = ("training.max_steps=60", "learner.updates=synchronous", "learner.publish_every=5")


def test_an_evaluation_in_training_leaves_training_as_it_was(robot, desk, start, kit, run_dir):
    robot.success_step = 0  # every episode lasts ten steps
    robot.allowed = 15
    learner = start("learner", *OVERRIDES)
    actor = start("actor", *OVERRIDES, phase="train")
    wait_for(lambda: robot.answered == 15)
    wait_for(lambda: len(robot.summaries) >= 1)
    answer = desk.ask(desk.evaluate, Evaluate.Request(episodes=3, deterministic=True))
    assert (answer.accepted, answer.message) == (True, "begins after this episode")
    again = desk.ask(desk.evaluate, Evaluate.Request(episodes=3))
    assert not again.accepted
    assert "under way already: 0 of 3" in again.message
    robot.allowed = 10**9
    output, _ = actor.communicate(timeout=240)
    assert actor.returncode == 0, output
    learner.send_signal(signal.SIGINT)
    learner.communicate(timeout=150)
    wait_for(lambda: len(robot.summaries) == 9)
    assert phases(robot) == ["train"] * 2 + ["evaluate"] * 3 + ["train"] * 4
    assert [summary.episode for summary in robot.summaries] == list(range(9))
    train = [reset_seed(0, "train", index) for index in range(6)]
    trials = [reset_seed(0, "evaluate", index) for index in range(3)]
    assert robot.seeds == [*train[:2], *trials, *train[2:]]
    assert desk.switched == [(False, 2), (True, 5)]
    versions = {summary.policy_version for summary in robot.summaries if summary.phase == "evaluate"}
    assert len(versions) == 1
    core = LearnerCore(kit.small_task(*OVERRIDES), run_dir, 0)
    assert core.inserted == 60, "trials are not in the replay"
    assert "evaluation of policy" in output
    assert "mode deterministic, episodes 3, success 0, interval_95 0.0% to 56.1%" in output
    insight = desk.insights[0]
    assert (len(insight.mean), len(insight.std)) == (6, 6)
    assert {message.episode for message in desk.values} <= {0, 1, 5, 6, 7, 8}
    assert desk.values
    assert all(value.q_min <= value.q_mean <= value.q_max for value in desk.values)


def test_pausing_holds_between_episodes(robot, desk, start):
    robot.allowed = 3
    actor = start("actor", phase="teleop", episodes=4)
    wait_for(lambda: robot.answered == 3)
    answer = desk.ask(desk.pause, SetBool.Request(data=True))
    assert (answer.success, answer.message) == (True, "pauses when episode 0 is over")
    refused = desk.ask(desk.evaluate, Evaluate.Request(episodes=1))
    assert not refused.accepted
    assert "only an actor in training" in refused.message
    robot.allowed = 10**9
    wait_for(lambda: len(robot.summaries) == 1)
    time.sleep(1.5)
    assert actor.poll() is None, "a pause is no fault"
    assert (len(robot.summaries), len(robot.seeds)) == (1, 1), "no reset while paused"
    assert desk.ask(desk.pause, SetBool.Request(data=False)).message == "goes on"
    output, _ = actor.communicate(timeout=150)
    assert actor.returncode == 0, output
    wait_for(lambda: len(robot.summaries) == 4)


def test_without_a_mux_nothing_is_promised(robot, desk, start):
    robot.allowed = 2
    desk.without_mux()
    start("learner", *OVERRIDES)
    start("actor", *OVERRIDES, phase="train")
    wait_for(lambda: robot.answered == 2)
    answer = desk.ask(desk.evaluate, Evaluate.Request(episodes=1))
    assert not answer.accepted
    assert "intervention_mux/set_enabled is not there" in answer.message
