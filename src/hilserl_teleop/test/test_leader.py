# SPDX-License-Identifier: Apache-2.0
"""A leader arm: its kinematics against MuJoCo's, its movements as stick, and the real node on its topics."""

import importlib.util
from pathlib import Path

import mujoco
import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import JointState, Joy

from hilserl_ros import codec, qos
from hilserl_ros.testing import RosGraph
from hilserl_task import TaskError
from hilserl_task.action_spec import ActionSpec
from hilserl_task.frames import pose_matrix
from hilserl_teleop.chain import Chain
from hilserl_teleop.leader_node import LeaderNode, Movement

_spec = importlib.util.spec_from_file_location("devices", Path(__file__).with_name("devices.py"))
devices = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(devices)

INERTIA = (
    """<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>"""
)
LINKS = ("base", "shoulder", "upper", "rail", "wrist", "tool", "camera")
URDF = f"""<?xml version="1.0"?>
<robot name="leader">
  {"".join(f'<link name="{name}">{INERTIA}</link>' for name in LINKS)}
  <joint name="j1" type="revolute"><parent link="base"/><child link="shoulder"/>
    <origin xyz="0.1 0 0.3" rpy="0.2 -0.3 0.4"/><axis xyz="0 0 1"/><limit lower="-3" upper="3"/></joint>
  <joint name="j2" type="continuous"><parent link="shoulder"/><child link="upper"/>
    <origin xyz="0 0.05 0" rpy="1.5708 0 0"/><axis xyz="0 1 1"/></joint>
  <joint name="j3" type="prismatic"><parent link="upper"/><child link="rail"/>
    <origin xyz="0 0 0.2"/><axis xyz="1 0 0"/><limit lower="-1" upper="1"/></joint>
  <joint name="j4" type="revolute"><parent link="rail"/><child link="wrist"/><axis xyz="0 -1 0"/>
    <limit lower="-3" upper="3"/></joint>
  <joint name="flange" type="fixed"><parent link="wrist"/><child link="tool"/>
    <origin xyz="0 0 0.1" rpy="0 3.1416 0"/></joint>
  <joint name="mount" type="fixed"><parent link="wrist"/><child link="camera"/></joint>
</robot>"""
JOINTS = ("j1", "j2", "j3", "j4")


@pytest.fixture
def urdf(tmp_path):
    path = tmp_path / "leader.urdf"
    path.write_text(URDF)
    return path


def test_kinematics_agree_with_mujoco(urdf):
    text = URDF.replace(
        '<robot name="leader">', '<robot name="leader"><mujoco><compiler fusestatic="false"/></mujoco>'
    )
    model = mujoco.MjModel.from_xml_string(text)
    data, chain = mujoco.MjData(model), Chain(urdf, tip="tool")
    assert chain.joint_names == JOINTS
    rng = np.random.default_rng(0)
    for _ in range(20):
        data.qpos[:] = rng.uniform(-1, 1, 4)
        mujoco.mj_kinematics(model, data)
        base_T_tool = chain.base_T_tip(dict(zip(JOINTS, data.qpos, strict=True)))
        body = data.body("tool")
        np.testing.assert_allclose(base_T_tool[:3, 3], body.xpos, atol=1e-6)
        np.testing.assert_allclose(base_T_tool[:3, :3], body.xmat.reshape(3, 3), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "keys", "words"),
    [
        (("", ""), {}, "several last links.*camera.*tool"),
        (("", ""), {"tip": "hand"}, "no link 'hand'"),
        (("", ""), {"tip": "shoulder", "base": "tool"}, "base 'tool' is not above tip 'shoulder'"),
        (("continuous", "floating"), {"tip": "tool"}, "joint 'j2': type 'floating' is not supported"),
        (('xyz="0.1 0 0.3"', 'xyz="0.1 0 $(z)"'), {"tip": "tool"}, "xyz.*must be three numbers"),
        (('<axis xyz="0 0 1"/>', '<axis xyz="0 0 0"/>'), {"tip": "tool"}, "axis must not be zero"),
        (("</robot>", ""), {"tip": "tool"}, "not readable as URDF"),
        (("", ""), {"tip": "tool", "base": "wrist"}, "nothing moves"),
    ],
)
def test_an_unusable_urdf_says_why(urdf, change, keys, words):
    urdf.write_text(URDF.replace(*change, 1) if change[0] else URDF)
    with pytest.raises(TaskError, match=words):
        Chain(urdf, **keys)
    with pytest.raises(TaskError, match="not readable"):
        Chain(urdf.with_name("none.urdf"))


ACTION = ActionSpec(translation_scale_m=0.01, rotation_scale_rad=0.06)


def test_the_follower_makes_the_leaders_movement():
    """What is asked for over all steps adds up to the way of the leader."""
    movement, asked = Movement(ACTION, 0.1, False), np.zeros(6)
    for k in range(101):
        way = 0.05 * np.sin(np.pi * k / 100)
        turn = Rotation.from_rotvec([0, 0, 2 * way])
        stick = movement.deflection(0.02 * k, pose_matrix([0.4 + way, 0, 0], turn.as_quat()))
        if k % 5 == 0:
            asked += stick * [0.01, 0.01, 0.01, 0.06, 0.06, 0.06]
        if k == 50:
            np.testing.assert_allclose(asked, [0.05, 0, 0, 0, 0, 0.1], atol=1e-9)
    np.testing.assert_allclose(asked, 0, atol=1e-9)


def test_movement_in_the_axes_of_the_hand():
    movement = Movement(ACTION, 0.1, True)
    down = Rotation.from_euler("x", np.pi).as_quat()
    movement.deflection(0.0, pose_matrix([0, 0, 0.5], down))
    stick = movement.deflection(0.1, pose_matrix([0, 0, 0.495], down))
    np.testing.assert_allclose(stick, [0, 0, 0.5, 0, 0, 0], atol=1e-9)


def test_a_gap_is_not_caught_up():
    movement = Movement(ACTION, 0.1, False)
    movement.deflection(0.0, np.eye(4))
    movement.reset()
    assert not movement.deflection(1.0, pose_matrix([1, 0, 0], [0, 0, 0, 1])).any()


def graph_of(leader):
    return RosGraph(
        task="ram_insertion", overrides=[f"operator.devices=[{{driver: leader, leader: {leader}}}]"]
    )


class Leader:
    """Publishes like the driver of a leader arm, 50 times a second."""

    def __init__(self, graph, message_type, topic):
        self.graph, peer = graph, graph.peer("leader_driver")
        self._publisher = peer.create_publisher(message_type, topic, qos.sensor("realtime"))

    def play(self, make, until, what):
        count = iter(range(10_000))

        def step():
            self._publisher.publish(make(next(count)))
            self.graph.spin_for(0.02)
            return until()

        self.graph.spin_until(step, 10, what)


def test_node_turns_poses_and_buttons_into_stick():
    with graph_of("{pose_topic: leader/pose, joy_topic: leader/joy}") as graph:
        hand, leader = devices.Hand(graph), Leader(graph, PoseStamped, "leader/pose")
        buttons = graph.peer("buttons").create_publisher(Joy, "leader/joy", qos.TELEOP)
        graph.add(LeaderNode)
        hand.wait_for_word("device silent")

        def pose(k, speed):
            message = PoseStamped()
            message.pose = codec.pose_from_matrix(pose_matrix([0.3, speed * k, 0.2], [0, 0, 0, 1]))
            return message

        leader.play(lambda k: pose(k, 0), lambda: any("ready" in s.message for s in hand.said), "ready")
        leader.play(lambda k: pose(k, 0.0005), lambda: hand.stick()[1] > 0.05, "moves left")
        assert not hand.stick()[[0, 2, 3, 4, 5]].any()
        buttons.publish(Joy(buttons=[0, 1]))
        leader.play(lambda k: pose(k, 0), lambda: hand.joys[-1].buttons[1], "discard")
        hand.wait_for(
            lambda: not hand.stick().any() and not any(hand.joys[-1].buttons), "neutral when silent"
        )


def test_node_turns_joints_into_stick(urdf):
    leader = f"{{joint_topic: leader/joint_states, urdf: {urdf}, tip: tool}}"
    with graph_of(leader) as graph:
        hand, arm = devices.Hand(graph), Leader(graph, JointState, "leader/joint_states")
        graph.add(LeaderNode)

        def joints(k, speed, names=JOINTS, start=0.0):
            return JointState(name=list(names), position=[0.0, 0.0, start + speed * k, 0.0][: len(names)])

        def said(word):
            return lambda: any(word in status.message for status in hand.said)

        arm.play(
            lambda k: joints(k, 0, ("j1", "j2")), said("leader joints missing"), "missing joints are named"
        )
        arm.play(lambda k: joints(k, 0, start=np.nan), said("leader joints unusable"), "NaN is refused")
        assert not hand.stick().any()
        arm.play(lambda k: joints(k, 0), said("device ready"), "ready")
        arm.play(
            lambda k: joints(k, 0.002),
            lambda: np.linalg.norm(hand.stick()[:3]) > 0.2,
            "moves along the rail",
        )
        chain = Chain(urdf, tip="tool")
        still = dict.fromkeys(JOINTS, 0.0)
        way = (chain.base_T_tip({**still, "j3": 1.0}) - chain.base_T_tip(still))[:3, 3]
        moved = hand.stick()[:3]
        assert way @ moved / np.linalg.norm(moved) > 0.95  # the dead-band bends it a little


def test_an_unusable_urdf_ends_the_node_with_its_reason(tmp_path):
    with graph_of(f"{{joint_topic: j, urdf: {tmp_path}/none.urdf}}") as graph:
        graph.peer()
        with pytest.raises(TaskError, match=r"leader\.urdf.*none\.urdf"):
            LeaderNode()
