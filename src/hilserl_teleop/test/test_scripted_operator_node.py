# SPDX-License-Identifier: Apache-2.0
"""The scripted operator as a real node among peers."""

import subprocess
import sys

import numpy as np
import pytest
from geometry_msgs.msg import TwistStamped
from sensor_msgs.msg import Joy

from hilserl_msgs.msg import ArmState, InterventionState, Observation, SimGroundTruth
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph
from hilserl_task.frames import pose_matrix
from hilserl_teleop.scripted_operator_node import ScriptedOperatorNode

BASE_T_GOAL = pose_matrix([0.5, 0.0, 0.097], [1.0, 0.0, 0.0, 0.0])
START = pose_matrix([0.51, -0.01, 0.147], [1.0, 0.0, 0.0, 0.0])


class World:
    """Plays simulation, observation node and mux towards the operator."""

    def __init__(self, graph):
        self.graph, self.peer = graph, graph.peer()
        self.observations = self.peer.create_publisher(Observation, topics.OBSERVATION, qos.OBSERVATION)
        self.truths = self.peer.create_publisher(
            SimGroundTruth, topics.SIM_GROUND_TRUTH, qos.SIM_GROUND_TRUTH
        )
        self.states = self.peer.create_publisher(
            InterventionState, topics.INTERVENTION_STATE, qos.INTERVENTION_STATE
        )
        self.joys = self.peer.collect(Joy, topics.JOY, qos.TELEOP)
        self.twists = self.peer.collect(TwistStamped, topics.TWIST, qos.TELEOP)
        ends = {topics.OBSERVATION: "subscriber", topics.SIM_GROUND_TRUTH: "subscriber"}
        graph.connect(self.peer, {**ends, topics.JOY: "publisher", topics.TWIST: "publisher"})

    def observe(self, episode, step, stamp_ns, base_T_tcp=START, arm="arm"):
        pose = ArmState(name=arm, pose=codec.pose_from_matrix(base_T_tcp))
        message = Observation(header=codec.header(stamp_ns), episode=episode, step=step, arms=[pose])
        self.observations.publish(message)

    def tell_truth(self, stamp_ns, success=False, depth=-0.04):
        truth = SimGroundTruth(header=codec.header(stamp_ns), success=success, insertion_depth=depth)
        truth.frame_names, truth.world_t_frames = ["arm/base"], [codec.pose_from_matrix(np.eye(4))]
        truth.gripper_goals = [0.0]
        truth.base_t_goal = codec.pose_from_matrix(BASE_T_GOAL)
        self.truths.publish(truth)

    def answers(self, count):
        """Waits for `count` readings in all; the newest stick (6,)."""
        self.graph.spin_until(
            lambda: len(self.twists) >= count and len(self.joys) >= count, 10, f"{count} readings"
        )
        return codec.vector_from_twist(self.twists[-1].twist)


def play_episode(world, episode, steps, first_stamp):
    """Sticks of an episode in which the arm does not move."""
    before, sticks = len(world.twists), []
    for step in range(steps):
        stamp = first_stamp + step * 100_000_000
        world.tell_truth(stamp)
        world.observe(episode, step, stamp)
        sticks.append(world.answers(before + step + 1))
    return np.array(sticks)


def test_one_stamped_reading_an_observation_whatever_comes_first():
    with RosGraph(task="ram_insertion", phase="demos", seed=3) as graph:
        graph.add(ScriptedOperatorNode)
        world = World(graph)
        for step in range(6):
            stamp = 1_000_000_000 + step * 100_000_000
            calls = [lambda s=stamp: world.tell_truth(s), lambda k=step, s=stamp: world.observe(0, k, s)]
            for call in calls if step % 2 else reversed(calls):
                call()
            stick = world.answers(step + 1)
            assert codec.ns_from_stamp(world.joys[-1].header.stamp) == stamp
            assert codec.ns_from_stamp(world.twists[-1].header.stamp) == stamp
            np.testing.assert_allclose(world.joys[-1].axes, stick, atol=1e-6)
        world.tell_truth(5_000_000_000)  # truth without an observation asks for nothing
        graph.spin_for(0.3)
        assert len(world.joys) == len(world.twists) == 6
        assert stick[0] < 0 < stick[1]  # towards the slot
        assert stick[2] < 0


def test_truth_of_another_moment_is_no_answer():
    with RosGraph(task="ram_insertion", phase="demos") as graph:
        graph.add(ScriptedOperatorNode)
        world = World(graph)
        world.tell_truth(1_000_000_000)
        world.observe(0, 0, 1_100_000_000)
        graph.spin_for(0.3)
        assert not world.joys
        world.tell_truth(1_100_000_000)
        world.answers(1)


def test_same_seed_and_episode_same_hand():
    def sticks(seed, episodes):
        with RosGraph(task="ram_insertion", phase="demos", seed=seed) as graph:
            graph.add(ScriptedOperatorNode)
            world = World(graph)
            return [play_episode(world, e, 8, (10 + e) * 1_000_000_000) for e in episodes][-1]

    first = sticks(1, [4])
    np.testing.assert_array_equal(first, sticks(1, [2, 3, 4]))  # not what happened before
    assert np.abs(first - sticks(2, [4])).max() > 0.01
    assert np.abs(first - sticks(1, [5])).max() > 0.01


def test_labels_press_the_success_button_while_inserted():
    with RosGraph(task="ram_insertion", phase="labels") as graph:
        graph.add(ScriptedOperatorNode)
        world = World(graph)
        for step, success in enumerate([False] * 5 + [True, True, False]):
            stamp = 1_000_000_000 + step * 100_000_000
            world.tell_truth(stamp, success, 0.0085 if success else 0.0)
            world.observe(0, step, stamp)
            world.answers(step + 1)
            assert list(world.joys[-1].buttons) == [int(success), 0, 0, 0]


def test_hands_off_while_the_mux_lets_nobody_in():
    with RosGraph(task="ram_insertion", phase="demos") as graph:
        graph.add(ScriptedOperatorNode)
        world = World(graph)
        assert play_episode(world, 0, 6, 1_000_000_000)[-1].any()
        world.states.publish(InterventionState(enabled=False))
        graph.spin_for(0.3)
        assert not play_episode(world, 1, 6, 2_000_000_000).any()


def test_an_unusable_pose_gives_a_neutral_stick_and_keeps_the_graph_going():
    with RosGraph(task="ram_insertion", phase="demos") as graph:
        graph.add(ScriptedOperatorNode)
        world = World(graph)
        world.tell_truth(1_000_000_000)
        world.observe(0, 9, 1_000_000_000, arm="other")
        assert not world.answers(1).any()


def test_realtime_publishes_like_a_driver_and_lets_go_when_blind():
    with RosGraph(task="ram_insertion", phase="demos", overrides=["pacing=realtime"]) as graph:
        node = graph.add(ScriptedOperatorNode)
        world = World(graph)
        for step in range(8):
            stamp = node.get_clock().now().nanoseconds
            world.tell_truth(stamp)
            world.observe(0, step, stamp)
            graph.spin_for(0.05)
        graph.spin_until(lambda: codec.vector_from_twist(world.twists[-1].twist).any(), 5, "a deflection")
        graph.spin_until(lambda: not codec.vector_from_twist(world.twists[-1].twist).any(), 5, "hands off")
        count = len(world.joys)
        graph.spin_for(1.0)
        assert len(world.joys) - count > 20


@pytest.mark.parametrize(("name", "value"), [("phase", "demo"), ("task", "ram_insertoin")])
def test_a_wrong_parameter_ends_with_one_clear_line(name, value):
    command = [
        sys.executable,
        "-m",
        "hilserl_teleop.scripted_operator_node",
        "--ros-args",
        "-p",
        f"{name}:={value}",
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert value in result.stderr
    assert "Traceback" not in result.stderr
