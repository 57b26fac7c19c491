# SPDX-License-Identifier: Apache-2.0
"""Grippers, windows, several devices and arms: the mux as a node, with real peers."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from geometry_msgs.msg import TwistStamped
from mux_scene import STAMP, TASK, Scene, observation, wish
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from sensor_msgs.msg import Joy

from hilserl_intervention.intervention_mux import InterventionMux
from hilserl_msgs.msg import Action, EpisodeSummary, InterventionState, Observation
from hilserl_msgs.srv import OperatorEvent
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph

LEARNED = ["arms.0.gripper.mode=learned", "arms.0.gripper.position=1.0", "operator.kind=person"]


def test_lockstep_a_learned_gripper_is_commanded_in_every_step_and_keeps_its_state():
    with RosGraph(task=TASK, overrides=LEARNED) as graph:
        scene = Scene(graph)
        graph.connect(scene.peer, {topics.gripper_command("arm"): "publisher"})
        for step, command in enumerate([0.0, -1.0, 0.2, 1.0]):
            scene.observation.publish(observation(step, STAMP + step * 100_000_000))
            scene.policy.publish(wish(step, (0, 0, 0, 0, 0, 0, command)))
            graph.spin_until(lambda n=step: len(scene.grippers) == n + 1, what="gripper command")
        assert [message.position for message in scene.grippers] == [1, 0, 0, 0], "opening comes too early"
        stamps = [codec.ns_from_stamp(message.header.stamp) for message in scene.grippers]
        assert stamps == [STAMP + step * 100_000_000 for step in range(4)]
        executed = [message.values[6] for message in scene.executed]
        np.testing.assert_allclose(executed, [0, -1, 0.2, 0], atol=1e-6)


def test_realtime_the_persons_gripper_button_is_one_command_and_one_action():
    with RosGraph(task=TASK, overrides=[*LEARNED, "pacing=realtime"]) as graph:
        scene = Scene(graph)
        for step in range(3):
            if step == 1:
                scene.joy.publish(Joy(buttons=[0, 0, 0, 1]))
                graph.spin_until(
                    lambda: scene.mux._mux._devices[None].buttons.toggle, what="the press to arrive"
                )
            scene.observation.publish(observation(step, scene.now()))
            scene.policy.publish(wish(step, (0.5, 0, 0, 0, 0, 0, 0)))
            graph.spin_until(lambda n=step: len(scene.executed) == n + 1, what="executed action")
        graph.spin_until(lambda: len(scene.grippers) == 2, what="both gripper commands")
        graph.spin_for(0.2)
        assert [message.position for message in scene.grippers] == [1, 0], "once a change"
        sources = [message.source for message in scene.executed]
        assert sources == [Action.SOURCE_POLICY, Action.SOURCE_HUMAN, Action.SOURCE_POLICY]
        assert [message.values[6] for message in scene.executed] == [0, -1, 0]
        assert list(scene.executed[1].policy_values) == [0.5, 0, 0, 0, 0, 0, 0]


def press(graph, scene, event):
    client = scene.peer.create_client(OperatorEvent, "/intervention_mux/operator_event")
    return graph.call(client, OperatorEvent.Request(event=event))


def test_buttons_in_a_window_are_edges_too():
    with RosGraph(task=TASK, operator_enabled=False) as graph:
        scene = Scene(graph, person=False)
        refused = press(graph, scene, Action.EVENT_SUCCESS)
        assert not refused.accepted
        assert "no episode is running" in refused.message
        scene.observation.publish(observation(0))
        graph.spin_until(lambda: scene.mux._mux.running, what="an episode")
        assert not press(graph, scene, Action.EVENT_NONE).accepted
        assert "3 discard" in press(graph, scene, 9).message
        for _ in range(2):
            assert press(graph, scene, Action.EVENT_FAILURE).accepted
        for step in range(2):
            if step:
                scene.observation.publish(observation(step))
            scene.policy.publish(wish(step))
            graph.spin_until(lambda n=step: len(scene.executed) == n + 1, what="executed action")
        assert [message.event for message in scene.executed] == [Action.EVENT_FAILURE, Action.EVENT_NONE]
        assert not scene.executed[0].success_pressed


def test_a_window_cannot_end_an_episode_that_is_over():
    with RosGraph(task=TASK, operator_enabled=False) as graph:
        scene = Scene(graph, person=False)
        ends = scene.peer.create_publisher(EpisodeSummary, topics.EPISODE, qos.EPISODE)
        graph.connect(scene.peer, {topics.EPISODE: "subscriber"})
        scene.observation.publish(observation(0))
        graph.spin_until(lambda: scene.mux._mux.running, what="an episode")
        ends.publish(EpisodeSummary(episode=1))
        graph.spin_until(lambda: not scene.mux._mux.running, what="its end")
        scene.observation.publish(observation(1))
        graph.spin_until(lambda: scene.mux._mux.observed.step == 1, what="the last observation")
        assert not press(graph, scene, Action.EVENT_SUCCESS).accepted


def test_where_the_person_pays_the_buttons_count_without_a_takeover():
    with RosGraph(
        task=TASK, overrides=["reward.source=human", "operator.kind=person"], operator_enabled=False
    ) as graph:
        scene = Scene(graph, person=False)
        graph.connect(scene.peer, {topics.JOY: "subscriber"})
        assert not scene.peer.count_subscribers(topics.TWIST)
        scene.observation.publish(observation(0))
        scene.joy.publish(Joy(buttons=[1]))
        graph.spin_until(lambda: scene.mux._mux._devices[None].buttons.success_pressed, what="the press")
        scene.policy.publish(wish(0))
        graph.spin_until(lambda: scene.executed, what="executed action")
        assert (scene.executed[0].source, scene.executed[0].event) == (
            Action.SOURCE_POLICY,
            Action.EVENT_SUCCESS,
        )


def two_arm_task(tmp_path, **operator):
    data = yaml.safe_load(Path(TASK).read_text())
    first = data["arms"][0]
    data["arms"] = [{**first, "name": name} for name in ("left", "right")]
    data["cameras"] = [{"name": "wrist", "arm": "left"}]
    data["operator"] = {**data["operator"], "kind": "person", **operator}
    data |= {"pacing": "realtime", "scene": None}
    path = tmp_path / "two_arms.yaml"
    path.write_text(yaml.safe_dump(data))
    return str(path)


@pytest.mark.parametrize(
    ("takeover", "sources"),
    [
        ("both", [Action.SOURCE_HUMAN, Action.SOURCE_HUMAN]),
        ("arm", [Action.SOURCE_POLICY, Action.SOURCE_HUMAN]),
    ],
)
def test_two_devices_move_two_arms(tmp_path, takeover, sources):
    devices = [{"driver": "external", "arm": "left"}, {"driver": "external", "arm": "right"}]
    with RosGraph(task=two_arm_task(tmp_path, takeover=takeover, devices=devices)) as graph:
        mux, peer = graph.add(InterventionMux), graph.peer()
        executed = peer.collect(Action, topics.EXECUTED_ACTION, qos.EXECUTED_ACTION)
        said = peer.collect(InterventionState, topics.INTERVENTION_STATE, qos.INTERVENTION_STATE)
        seen = peer.create_publisher(Observation, topics.OBSERVATION, qos.OBSERVATION)
        policy = peer.create_publisher(Action, topics.POLICY_ACTION, qos.POLICY_ACTION)
        sticks = {
            arm: peer.create_publisher(TwistStamped, topics.twist(arm), qos.TELEOP)
            for arm in ("left", "right")
        }
        wanted = [topics.OBSERVATION, topics.POLICY_ACTION, topics.twist("left"), topics.twist("right")]
        graph.connect(peer, dict.fromkeys(wanted, "subscriber"))
        assert not peer.count_subscribers(topics.TWIST), "the task lists its devices"
        push = TwistStamped()
        push.twist.linear.z = 1.0
        sticks["right"].publish(push)
        graph.spin_until(lambda: mux._mux._devices["right"].deflected_ns, what="the push")
        message = observation(0, peer.get_clock().now().nanoseconds)
        message.arms = [message.arms[0], message.arms[0]]
        seen.publish(message)
        policy.publish(wish(0, (0.25,) * 12))
        graph.spin_until(lambda: executed and said and said[-1].active, what="executed action")
        assert list(executed[0].arm_sources) == list(said[-1].arm_sources) == sources
        assert executed[0].source == Action.SOURCE_HUMAN
        left = 0.25 if takeover == "arm" else 0.0
        np.testing.assert_allclose(executed[0].values, [left] * 6 + [0, 0, -1, 0, 0, 0], atol=1e-6)


def test_all_callbacks_share_one_mutually_exclusive_group():
    with RosGraph(task=TASK, overrides=["pacing=realtime"]) as graph:
        mux = graph.add(InterventionMux)
        names = ("set_enabled", "set_intervention", "operator_event")
        ours = [service for service in mux.services if service.srv_name.endswith(names)]
        assert len(ours) == 3
        ours += [*mux.subscriptions, *mux.timers]
        assert {entity.callback_group for entity in ours} == {mux._events}
        assert isinstance(mux._events, MutuallyExclusiveCallbackGroup)
        assert mux._events is not mux.default_callback_group
