# SPDX-License-Identifier: Apache-2.0
"""The mux as a node, with real peers."""

from pathlib import Path

import numpy as np
from geometry_msgs.msg import TwistStamped
from sensor_msgs.msg import Joy
from std_srvs.srv import SetBool

from hilserl_intervention.intervention_mux import InterventionMux
from hilserl_msgs.msg import (
    Action,
    ArmState,
    CartesianTarget,
    EpisodeSummary,
    GripperCommand,
    InterventionState,
    Observation,
)
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph

TASK = str(Path(__file__).resolve().parents[3] / "config/tasks/ram_insertion.yaml")
STAMP = 1_000_000_000
BASE_T_TCP = np.array([[1.0, 0, 0, 0.5], [0, -1, 0, 0], [0, 0, -1, 0.2], [0, 0, 0, 1]])


def observation(step, stamp=STAMP, episode=1):
    arm = ArmState(name="arm", pose=codec.pose_from_matrix(BASE_T_TCP))
    return Observation(header=codec.header(stamp), episode=episode, step=step, arms=[arm])


def wish(step, values=(1.0, 0, 0, 0, 0, 0), episode=1):
    return Action(episode=episode, step=step, values=list(values), policy_version=3)


class Scene:
    """A mux, and the peers around it."""

    def __init__(self, graph, person=True):
        self.graph = graph
        self.mux = graph.add(InterventionMux)
        self.peer = graph.peer()
        self.executed = self.peer.collect(Action, topics.EXECUTED_ACTION, qos.EXECUTED_ACTION)
        self.targets = self.peer.collect(
            CartesianTarget, topics.controller_target("arm"), qos.CONTROLLER_TARGET
        )
        self.mux_said = self.peer.collect(
            InterventionState, topics.INTERVENTION_STATE, qos.INTERVENTION_STATE
        )
        self.grippers = self.peer.collect(GripperCommand, topics.gripper_command("arm"), qos.GRIPPER_COMMAND)
        publish = self.peer.create_publisher
        self.observation = publish(Observation, topics.OBSERVATION, qos.OBSERVATION)
        self.policy = publish(Action, topics.POLICY_ACTION, qos.POLICY_ACTION)
        self.twist = publish(TwistStamped, topics.TWIST, qos.TELEOP)
        self.joy = publish(Joy, topics.JOY, qos.TELEOP)
        names = [topics.OBSERVATION, topics.POLICY_ACTION, *([topics.TWIST, topics.JOY] if person else [])]
        graph.connect(self.peer, dict.fromkeys(names, "subscriber"))
        graph.connect(self.peer, {topics.EXECUTED_ACTION: "publisher"})

    def now(self):
        return self.peer.get_clock().now().nanoseconds

    def call(self, name, data):
        client = self.peer.create_client(SetBool, f"/intervention_mux/{name}")
        return self.graph.call(client, SetBool.Request(data=data))

    def person(self, y, stamp=STAMP, buttons=(0, 0)):
        message = TwistStamped(header=codec.header(stamp))
        message.twist.linear.y = y
        self.twist.publish(message)
        self.joy.publish(Joy(header=codec.header(stamp), buttons=list(buttons)))


def test_lockstep_waits_for_the_scripted_person_then_answers_once():
    with RosGraph(task=TASK) as graph:
        scene = Scene(graph)
        scene.observation.publish(observation(0))
        scene.policy.publish(wish(0))
        graph.spin_for(0.3)
        assert not scene.executed, "the person has not spoken about this observation yet"
        scene.person(0.5, buttons=(1, 0))
        graph.spin_until(lambda: scene.executed and scene.targets, what="executed action and target")
        executed, target = scene.executed[0], scene.targets[0]
        assert (executed.episode, executed.step, executed.source) == (1, 0, Action.SOURCE_HUMAN)
        assert executed.event == Action.EVENT_SUCCESS
        assert executed.success_pressed
        assert list(executed.arm_sources) == [Action.SOURCE_HUMAN]
        graph.spin_until(lambda: scene.mux_said, what="intervention state")
        assert list(scene.mux_said[-1].arm_sources) == [Action.SOURCE_HUMAN]
        np.testing.assert_allclose(executed.values, [0, -0.5, 0, 0, 0, 0], atol=1e-6)
        np.testing.assert_allclose(executed.policy_values, [1, 0, 0, 0, 0, 0])
        np.testing.assert_allclose(target.pose.position.y, 0.005, atol=1e-9)
        assert codec.ns_from_stamp(target.header.stamp) == STAMP
        assert target.header.frame_id == "panda_link0"
        graph.spin_until(lambda: scene.grippers, what="the one gripper command")


def test_nobody_there_means_nobody_is_waited_for():
    with RosGraph(task=TASK, operator_enabled=False) as graph:
        scene = Scene(graph, person=False)
        scene.observation.publish(observation(0))
        scene.policy.publish(wish(0))
        graph.spin_until(lambda: scene.executed, what="executed action")
        assert scene.executed[0].source == Action.SOURCE_POLICY
        np.testing.assert_allclose(scene.executed[0].values, [1, 0, 0, 0, 0, 0])
        refused = scene.call("set_enabled", True)
        assert not refused.success
        assert "operator_enabled" in refused.message
        assert not scene.call("set_intervention", True).success
        assert scene.call("set_enabled", False).success
        assert not scene.peer.count_subscribers(topics.JOY), "a device that is plugged in is not listened to"


def test_demonstrations_without_interventions_still_need_the_person():
    overrides = ["operator.interventions=false"]
    with RosGraph(task=TASK, overrides=overrides, operator_enabled=True) as graph:
        scene = Scene(graph)
        scene.observation.publish(observation(0))
        scene.policy.publish(wish(0))
        scene.person(0.5)
        graph.spin_until(lambda: scene.executed, what="executed action")
        assert scene.executed[0].source == Action.SOURCE_HUMAN


def test_lockstep_a_dead_driver_stops_steering():
    """Simulated time stands still or runs ahead; the age of a push is what a watch says."""
    with RosGraph(task=TASK, overrides=["operator.kind=spacenav"]) as graph:
        scene = Scene(graph)
        scene.person(1.0)
        graph.spin_until(lambda: scene.mux._mux._devices[None].deflected_ns, what="the push")
        scene.observation.publish(observation(0))
        scene.policy.publish(wish(0))
        graph.spin_until(lambda: scene.executed, what="executed action")
        assert scene.executed[0].source == Action.SOURCE_HUMAN
        graph.spin_for(scene.mux.task.operator.timeout_s + 0.1)
        scene.observation.publish(observation(1))
        scene.policy.publish(wish(1))
        graph.spin_until(lambda: len(scene.targets) == 2, what="second target")
        assert scene.executed[1].source == Action.SOURCE_HOLD
        np.testing.assert_allclose(codec.matrix_from_pose(scene.targets[1].pose), BASE_T_TCP, atol=1e-9)
        scene.observation.publish(observation(0, STAMP + 1, episode=2))
        scene.policy.publish(wish(0, episode=2))
        graph.spin_until(lambda: len(scene.executed) == 3, what="executed action of the next episode")
        assert scene.executed[2].source == Action.SOURCE_POLICY


def test_nan_action_holds_the_pose():
    with RosGraph(task=TASK, operator_enabled=False) as graph:
        scene = Scene(graph, person=False)
        scene.observation.publish(observation(0))
        scene.policy.publish(wish(0, [float("nan")] * 6))
        graph.spin_until(lambda: scene.targets, what="target")
        assert scene.executed[0].source == Action.SOURCE_HOLD
        np.testing.assert_allclose(codec.matrix_from_pose(scene.targets[0].pose), BASE_T_TCP, atol=1e-9)


def test_realtime_silence_of_the_policy_holds_once():
    with RosGraph(task=TASK, overrides=["pacing=realtime"]) as graph:
        scene = Scene(graph)
        scene.observation.publish(observation(0, scene.now()))
        scene.policy.publish(wish(0))
        graph.spin_until(lambda: scene.targets, what="the policy's own target")
        # The sensors go on while the policy is silent.
        end = scene.now() + 700_000_000
        for step in range(1, 15):
            scene.observation.publish(observation(step, scene.now()))
            graph.spin_for(0.05)
        graph.spin_until(lambda: scene.now() > end, what="end of the wait")
        np.testing.assert_allclose(codec.matrix_from_pose(scene.targets[1].pose), BASE_T_TCP, atol=1e-9)
        assert len(scene.targets) == 2


def test_realtime_silence_of_everybody_publishes_no_old_pose():
    with RosGraph(task=TASK, overrides=["pacing=realtime", "observation.max_age_s=0.01"]) as graph:
        scene = Scene(graph)
        scene.observation.publish(observation(0, scene.now() - 100_000_000))
        scene.policy.publish(wish(0))
        graph.spin_until(lambda: scene.targets, what="the policy's own target")
        graph.spin_until(
            lambda: scene.mux_said and scene.mux_said[-1].source == Action.SOURCE_HOLD, what="hold"
        )
        graph.spin_for(0.2)
        assert len(scene.targets) == 1


def test_realtime_an_action_for_an_old_observation_moves_nothing():
    with RosGraph(task=TASK, overrides=["pacing=realtime"]) as graph:
        scene = Scene(graph)
        scene.observation.publish(observation(0, scene.now() - 400_000_000))
        scene.policy.publish(wish(0))
        graph.spin_until(lambda: scene.executed, what="executed action")
        graph.spin_for(0.2)
        assert scene.executed[0].source == Action.SOURCE_HOLD
        assert not scene.targets


def test_realtime_a_late_policy_action_is_answered_and_moves_nothing():
    with RosGraph(task=TASK, overrides=["pacing=realtime"]) as graph:
        scene = Scene(graph)
        for step in range(2):
            scene.observation.publish(observation(step, scene.now()))
        graph.spin_until(lambda: scene.mux._mux.observed, what="observation")
        graph.spin_until(lambda: scene.mux._mux.observed.step == 1, what="the next observation")
        scene.policy.publish(wish(0))
        graph.spin_until(lambda: scene.executed, what="answer to the late action")
        assert (scene.executed[0].step, scene.executed[0].source) == (0, Action.SOURCE_HOLD)
        assert list(scene.executed[0].values) == [0.0] * 6
        assert not scene.targets
        scene.observation.publish(observation(2, scene.now()))
        scene.policy.publish(wish(2))
        graph.spin_until(lambda: scene.targets, what="target of the action in time")
        assert scene.executed[1].source == Action.SOURCE_POLICY


def test_services_let_people_in_and_keep_them_out():
    with RosGraph(task=TASK, overrides=["operator.kind=spacenav"]) as graph:
        scene = Scene(graph)
        assert scene.call("set_intervention", True).success
        scene.observation.publish(observation(0))
        scene.policy.publish(wish(0))
        graph.spin_until(lambda: scene.executed, what="executed action")
        assert scene.executed[0].source == Action.SOURCE_HUMAN
        assert scene.call("set_intervention", False).success
        assert scene.call("set_enabled", False).success
        refused = scene.call("set_intervention", True)
        assert not refused.success
        assert "set_enabled" in refused.message
        scene.person(1.0)
        scene.observation.publish(observation(1))
        scene.policy.publish(wish(1))
        graph.spin_until(lambda: len(scene.executed) == 2, what="second executed action")
        assert scene.executed[1].source == Action.SOURCE_POLICY


def test_realtime_end_of_an_episode_is_no_silence():
    with RosGraph(task=TASK, overrides=["pacing=realtime"]) as graph:
        scene = Scene(graph)
        ends = scene.peer.create_publisher(EpisodeSummary, topics.EPISODE, qos.EPISODE)
        graph.connect(scene.peer, {topics.EPISODE: "subscriber"})
        scene.observation.publish(observation(0, scene.now()))
        scene.policy.publish(wish(0))
        graph.spin_until(lambda: scene.targets, what="the policy's target")
        ends.publish(EpisodeSummary(episode=1))
        graph.spin_for(0.6)
        assert len(scene.targets) == 1, "a hold target would disturb the reset"
