# SPDX-License-Identifier: Apache-2.0
"""A person with a device at a robot: real reset, observation, mux and actor by the clock; arm, cameras and
device are played. What starts and ends episodes, and what moves the arm between them."""

import numpy as np
import pytest
import yaml
from geometry_msgs.msg import TwistStamped
from sensor_msgs.msg import Image, JointState, Joy

from hilserl_agent.actor_node import Actor
from hilserl_intervention.intervention_mux import InterventionMux
from hilserl_intervention.reset import ResetNode
from hilserl_msgs.msg import (
    Action,
    CartesianControllerState,
    CartesianTarget,
    EpisodeSummary,
    Observation,
)
from hilserl_observation.observation import ObservationNode
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph
from hilserl_task import load_task
from hilserl_task.loader import find_task_file

SUCCESS, DISCARD, FAILURE = 0, 1, 2  # buttons
WIDTH = 64


@pytest.fixture
def task_file(tmp_path):
    """The insertion task as on a robot, whose person confirms every reset and pays alone."""
    content = yaml.safe_load(find_task_file("ram_insertion").read_text())
    del content["scene"]
    content |= {"pacing": "realtime", "operator": {"kind": "person"}}
    content["reset"] |= {"confirm": True, "max_linear_speed": 0.5, "max_angular_speed": 2.0}
    content["reset"]["taught_poses"] = {"arm": {"position_m": [0.5, 0.0, 0.1], "rotation_rad": [3.141, 0, 0]}}
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


class Robot:
    """An arm that goes where it is told, its cameras, and the device in the person's hand."""

    def __init__(self, graph, task_file, overrides):
        self.graph = graph
        self.reset, self.mux = graph.add(ResetNode), graph.add(InterventionMux)
        graph.add(ObservationNode)
        self.peer = peer = graph.peer()
        task = load_task(str(task_file), overrides)
        self.pose, self.button, self.push = np.diag([1.0, -1.0, -1.0, 1.0]), None, 0.0
        self.pose[:3, 3] = 0.45, 0.05, 0.2
        self.targets, self.between = 0, []
        publish, profile = peer.create_publisher, qos.sensor("realtime")
        self._state = publish(CartesianControllerState, topics.controller_state("arm"), profile)
        self._gripper = publish(JointState, topics.gripper_state("arm"), profile)
        self._cameras = [publish(Image, camera.input_topic, profile) for camera in task.cameras]
        self._joy = publish(Joy, topics.JOY, qos.TELEOP)
        self._twist = publish(TwistStamped, topics.TWIST, qos.TELEOP)
        self.observations = peer.collect(Observation, topics.OBSERVATION, qos.OBSERVATION)
        self.executed = peer.collect(Action, topics.EXECUTED_ACTION, qos.EXECUTED_ACTION)
        self.summaries = peer.collect(EpisodeSummary, topics.EPISODE, qos.EPISODE)
        peer.create_subscription(
            CartesianTarget, topics.controller_target("arm"), self._follow, qos.CONTROLLER_TARGET
        )
        peer.create_timer(0.02, self._report)
        peer.create_timer(0.05, self._look)
        graph.connect(peer, {topics.JOY: "subscriber", topics.TWIST: "subscriber"})
        self.actor = graph.add(Actor)

    def _follow(self, message):
        self.targets += 1
        self.pose = codec.matrix_from_pose(message.pose)

    def _report(self):
        now = codec.header(self.peer.get_clock().now().nanoseconds, "panda_link0")
        self._state.publish(CartesianControllerState(header=now, pose=codec.pose_from_matrix(self.pose)))
        self._gripper.publish(JointState(header=now, name=["gripper"], position=[0.0]))
        twist = TwistStamped(header=now)
        twist.twist.linear.z = self.push
        self._twist.publish(twist)
        self._joy.publish(Joy(header=now, buttons=[int(self.button == number) for number in range(4)]))

    def _look(self):
        picture = np.zeros((WIDTH, WIDTH, 3), np.uint8)
        now = self.peer.get_clock().now().nanoseconds
        for camera in self._cameras:
            camera.publish(codec.image_from_array(picture, now, "camera"))

    def wait(self, predicate, what):
        self.graph.spin_until(predicate, timeout_s=30.0, what=what)

    def press(self, button, until, what):
        """Holds a button until something has happened, then lets go."""
        self.button = button
        self.wait(until, what)
        self.graph.spin_for(0.25)  # people let go late
        self.button = None
        self.graph.spin_for(0.1)

    def wait_for_person(self):
        """The arm is at the start; on its way there the stick moved nothing."""
        self.wait(lambda: self.reset._phase == "person", what="the reset to ask for the person")
        self.graph.spin_for(0.1)  # its last target
        acted, targets = len(self.moved()), self.targets
        self.graph.spin_for(0.4)
        assert len(self.moved()) == acted, "the stick moves nothing between episodes"
        assert self.targets == targets

    def moved(self):
        return [message for message in self.executed if message.source != Action.SOURCE_HOLD]

    def begin(self, episode):
        """The person confirms."""
        self.wait_for_person()
        self.press(SUCCESS, lambda: self.last() == episode, f"episode {episode}")
        self.wait(lambda: [m for m in self.moved() if m.episode == episode], what="the person steers")

    def last(self):
        return self.observations[-1].episode if self.reset._running is None and self.observations else None

    def end(self, button, count):
        self.press(button, lambda: len(self.summaries) == count, f"summary {count}")


def test_buttons_end_episodes_and_confirm_resets_and_the_stick_moves_nothing_between(task_file, tmp_path):
    overrides = ["reward.source=human"]
    parameters = {"task": str(task_file), "overrides": overrides, "run_dir": str(tmp_path), "phase": "teleop"}
    with RosGraph(**parameters, operator_enabled=True) as graph:
        robot = Robot(graph, task_file, overrides)
        robot.push = 0.3  # the hand rests on the stick all the time
        for episode, button in enumerate([SUCCESS, FAILURE, DISCARD]):
            robot.begin(episode)
            robot.end(button, episode + 1)
        robot.wait_for_person()
        outcomes = [(summary.outcome, summary.discarded) for summary in robot.summaries]
        assert outcomes == [
            (EpisodeSummary.OUTCOME_SUCCESS, False),
            (EpisodeSummary.OUTCOME_FAILURE, False),
            (EpisodeSummary.OUTCOME_UNLABELLED, True),
        ]
        assert [summary.episode for summary in robot.summaries] == [0, 1, 2]
        events = [message.event for message in robot.executed if message.event]
        assert events == [Action.EVENT_SUCCESS, Action.EVENT_FAILURE, Action.EVENT_DISCARD]


def test_in_labels_the_button_marks_frames_and_ends_nothing(task_file, tmp_path):
    overrides = ["episode.max_steps=15", "reward.source=classifier"]
    parameters = {"task": str(task_file), "overrides": overrides, "run_dir": str(tmp_path), "phase": "teleop"}
    with RosGraph(**parameters, operator_enabled=True, use_reward=False) as graph:
        robot = Robot(graph, task_file, overrides)
        robot.push = 0.3
        robot.begin(0)
        confirmed = len(robot.executed)
        assert not any(message.success_pressed for message in robot.executed), "the confirmation is no label"
        robot.press(SUCCESS, lambda: robot.executed[-1].success_pressed, "a label")
        robot.wait(lambda: robot.summaries, what="the end of the episode")
        assert robot.summaries[0].steps == 15
        assert robot.summaries[0].outcome == EpisodeSummary.OUTCOME_UNLABELLED
        marked = [message.success_pressed for message in robot.executed[confirmed:]]
        assert any(marked)
        assert not all(marked)
