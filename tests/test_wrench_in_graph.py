# SPDX-License-Identifier: Apache-2.0
"""Wrench actions through the real nodes: simulation, observation and mux, with a test as the policy."""

from functools import partial

import numpy as np
from rclpy.action import ActionClient

from hilserl_intervention.intervention_mux import InterventionMux
from hilserl_msgs.action import Reset
from hilserl_msgs.msg import Action, CartesianControllerState, CartesianTarget, Observation
from hilserl_msgs.srv import BeginEpisode
from hilserl_observation.observation import ObservationNode
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph
from hilserl_sim.sim_node import SimNode
from hilserl_task import load_task
from hilserl_task.spaces import state_names

OVERRIDES = [
    "arms.0.action={type: wrench, force_scale_n: {x: 13.0, z: 12.0}, torque_scale_nm: {y: 3.5}}",
    "observation.joint_state=true",
    "observation.image_size=32",
    "reset.offset_m=[0.0, 0.0, 0.1]",
]
PATIENCE_S = 60.0  # pictures are drawn in software
ACTIONS = [(1.0, 0.0, 0.0), (1.0, 0.5, 0.0), (0.0, 0.0, -1.0), (0.0, 0.0, 0.0)]


class Policy:
    """The peer that resets, begins an episode and acts."""

    def __init__(self, graph):
        self.graph, self.peer = graph, graph.peer()
        self.observations = self.peer.collect(Observation, topics.OBSERVATION, qos.OBSERVATION)
        self.executed = self.peer.collect(Action, topics.EXECUTED_ACTION, qos.EXECUTED_ACTION)
        target = topics.controller_target("arm")
        self.targets = self.peer.collect(CartesianTarget, target, qos.CONTROLLER_TARGET)
        self.states = self.peer.collect(
            CartesianControllerState, topics.controller_state("arm"), qos.sensor("lockstep")
        )
        self.action = self.peer.create_publisher(Action, topics.POLICY_ACTION, qos.POLICY_ACTION)
        self.reset = ActionClient(self.peer, Reset, topics.RESET)
        self.begin = self.peer.create_client(BeginEpisode, topics.BEGIN_EPISODE)
        graph.spin_until(self.reset.server_is_ready, PATIENCE_S, "reset server")
        graph.connect(self.peer, {topics.POLICY_ACTION: "subscriber", topics.EXECUTED_ACTION: "publisher"})
        graph.spin_for(0.5)  # the other side may match later than ours

    def episode(self, number, seed, actions):
        """Observations of an episode."""
        sent = self.reset.send_goal_async(Reset.Goal(episode=number, seed=seed))
        self.graph.spin_until(sent.done, PATIENCE_S, "answer to the reset goal")
        result = sent.result().get_result_async()
        self.graph.spin_until(result.done, PATIENCE_S, "result of the reset")
        request = BeginEpisode.Request(episode=number, not_before=result.result().result.stamp)
        assert self.graph.call(self.begin, request, PATIENCE_S).accepted
        seen = []
        for step in range(len(actions) + 1):
            there = partial(self.at, number, step)
            seen.append(self.graph.spin_until(there, PATIENCE_S, f"observation {step}"))
            if step < len(actions):
                values = list(actions[step])
                self.action.publish(Action(episode=number, step=step, values=values, policy_version=1))
        return seen

    def at(self, episode, step):
        found = [o for o in self.observations if (o.episode, o.step) == (episode, step)]
        return found[0] if found else None


def test_steps_push_the_arm_and_a_seed_is_an_episode():
    with RosGraph(task="ram_insertion", overrides=OVERRIDES, operator_enabled=False) as graph:
        for node in (SimNode, ObservationNode, InterventionMux):
            graph.add(node)
        policy = Policy(graph)
        seen = policy.episode(0, 3, ACTIONS)
        names = state_names(load_task("ram_insertion", OVERRIDES))
        states = [dict(zip(names, observation.state, strict=True)) for observation in seen]
        check_messages(policy)
        check_motion(seen, states)
        again = policy.episode(1, 3, ACTIONS)
        for one, other in zip(seen, again, strict=True):
            assert one.state == other.state
            assert [image.data for image in one.images] == [image.data for image in other.images]


def check_messages(policy):
    """What was executed and sent is what was asked for."""
    np.testing.assert_allclose([message.values for message in policy.executed], ACTIONS)
    assert {message.source for message in policy.executed} == {Action.SOURCE_POLICY}
    assert {target.mode for target in policy.targets} == {CartesianTarget.MODE_WRENCH}
    wrenches = [codec.vector_from_wrench(target.wrench) for target in policy.targets]
    np.testing.assert_allclose(wrenches[1], [13.0, 0, 6.0, 0, 0, 0], atol=1e-5)
    assert policy.states[-1].mode == CartesianTarget.MODE_WRENCH


def check_motion(seen, states):
    """Along the force, and nowhere else; joints move with it."""
    poses = [codec.matrix_from_pose(observation.arms[0].pose) for observation in seen]
    moved = poses[2][:3, 3] - poses[0][:3, 3]
    assert moved[0] > 0.01
    assert moved[2] > 0.0
    assert abs(moved[1]) < 0.002
    assert poses[3][0, 2] != poses[2][0, 2], "a torque turns the hand"
    for step, observation in enumerate(seen):
        np.testing.assert_allclose(
            states[step]["arm/joint_4_position_rad"], observation.arms[0].joint_position[3], rtol=1e-6
        )
    assert abs(states[2]["arm/joint_2_velocity_radps"]) > 0.01
