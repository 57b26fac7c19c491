# SPDX-License-Identifier: Apache-2.0
"""A mux and its peers, as the tests of the node use them."""

from pathlib import Path

import numpy as np
from geometry_msgs.msg import TwistStamped
from sensor_msgs.msg import Joy
from std_srvs.srv import SetBool

from hilserl_intervention.intervention_mux import InterventionMux
from hilserl_msgs.msg import Action, ArmState, CartesianTarget, GripperCommand, InterventionState, Observation
from hilserl_ros import codec, qos, topics

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
