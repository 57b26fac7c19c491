# SPDX-License-Identifier: Apache-2.0
"""The mux as a node, with real peers."""

import numpy as np
from mux_scene import BASE_T_TCP, STAMP, TASK, Scene, observation, wish
from sensor_msgs.msg import Joy

from hilserl_msgs.msg import Action, EpisodeSummary
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph


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
        graph.spin_until(lambda: scene.mux_said and scene.mux_said[-1].active, what="intervention state")
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
        graph.spin_until(lambda: scene.mux_said and scene.mux_said[-1].forced, what="the state at once")
        scene.observation.publish(observation(0))
        scene.policy.publish(wish(0))
        graph.spin_until(lambda: scene.executed, what="executed action")
        assert scene.executed[0].source == Action.SOURCE_HUMAN
        assert scene.call("set_intervention", False).success
        assert scene.call("set_enabled", False).success
        graph.spin_until(lambda: not scene.mux_said[-1].enabled, what="the state at once")
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


def test_realtime_an_action_after_the_end_of_its_episode_moves_nothing():
    """The reset has the arms; the sensors go on, so the observation is young."""
    with RosGraph(task=TASK, overrides=["pacing=realtime"]) as graph:
        scene = Scene(graph)
        ends = scene.peer.create_publisher(EpisodeSummary, topics.EPISODE, qos.EPISODE)
        graph.connect(scene.peer, {topics.EPISODE: "subscriber"})
        scene.observation.publish(observation(0, scene.now()))
        graph.spin_until(lambda: scene.mux._mux.running, what="observation")
        ends.publish(EpisodeSummary(episode=1))
        graph.spin_until(lambda: not scene.mux._mux.running, what="end of the episode")
        scene.policy.publish(wish(0))
        graph.spin_until(lambda: scene.executed, what="answer to the late action")
        for step in range(1, 8):
            scene.observation.publish(observation(step, scene.now()))
            graph.spin_for(0.05)
        assert scene.executed[0].source == Action.SOURCE_HOLD
        assert not scene.targets, "neither the action's own nor a hold when the policy then is silent"
        scene.observation.publish(observation(0, scene.now(), episode=2))
        scene.policy.publish(wish(0, episode=2))
        graph.spin_until(lambda: scene.targets, what="target of the next episode")


def test_a_press_that_confirmed_the_reset_is_no_label_of_the_next_episode():
    with RosGraph(task=TASK, overrides=["pacing=realtime", "operator.kind=person"]) as graph:
        scene = Scene(graph)
        said = scene.mux._mux._devices[None]
        scene.person(0.0, buttons=(1, 0))
        graph.spin_until(lambda: said.buttons.success_pressed, what="the press")
        for step, buttons in enumerate([(1, 0), (0, 0), (1, 0)]):
            scene.observation.publish(observation(step, scene.now()))
            graph.spin_until(lambda: scene.mux._mux.observed, what="observation")
            scene.joy.publish(Joy(buttons=list(buttons)))
            pressed = bool(buttons[0])
            graph.spin_until(lambda: said.buttons._levels[:1] == (pressed,), what="buttons")  # noqa: B023
            graph.spin_until(lambda: scene.mux._mux.observed.step == step, what="observation")  # noqa: B023
            scene.policy.publish(wish(step))
            graph.spin_until(lambda: len(scene.executed) == step + 1, what="answer")  # noqa: B023
        assert [message.success_pressed for message in scene.executed] == [False, False, True]
        assert [message.event for message in scene.executed] == [0, 0, Action.EVENT_SUCCESS]


def test_a_mux_that_starts_in_mid_episode_leaves_the_gripper_alone_until_somebody_asks():
    """Fingers around a wide object look open; a command to open would drop it."""
    learned = ["arms.0.gripper.mode=learned", "pacing=realtime"]
    with RosGraph(task=TASK, overrides=learned, operator_enabled=False) as graph:
        scene = Scene(graph, person=False)
        for step, asked in ((7, 0.0), (8, 1.0)):
            seen = observation(step, scene.now())
            seen.arms[0].gripper_position = 0.7
            scene.observation.publish(seen)
            scene.policy.publish(wish(step, [0.0] * 6 + [asked]))
            graph.spin_until(lambda: scene.executed and scene.executed[-1].step == step, what="answer")  # noqa: B023
            graph.spin_for(0.2)
            assert [command.position for command in scene.grippers] == ([1.0] if asked else [])
