# SPDX-License-Identifier: Apache-2.0
"""The way to the start of an episode, by itself and as a node with a simulated arm under the real law."""

import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from rclpy.action import ActionClient
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import Joy

from hilserl_intervention import teach
from hilserl_intervention.reset import LAST_ACTION_S, ResetNode
from hilserl_intervention.reset_motion import ArmReset, ResetFailed
from hilserl_intervention.reset_path import draw_start, way
from hilserl_msgs.action import Reset
from hilserl_msgs.msg import Action, CartesianControllerState, CartesianTarget
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph
from hilserl_task import TaskError, load_task
from hilserl_task.path import Path as Way
from hilserl_task.path import off_by, taught_matrix
from hilserl_task.reset_spec import ResetSpec, TaughtPose
from hilserl_task.schema import WorkspaceSpec

TASK_FILE = Path(__file__).resolve().parents[3] / "config" / "tasks" / "ram_insertion.yaml"
TAUGHT = {"position_m": [0.5, 0.0, 0.1], "rotation_rad": [3.141, 0.0, 0.0]}

BOX = WorkspaceSpec(minimum_m=(0.3, -0.2, 0.0), maximum_m=(0.7, 0.2, 0.4))


@pytest.fixture
def task_file(tmp_path):
    """The insertion task as on a robot: no scene, by the clock, with a taught pose."""
    content = yaml.safe_load(TASK_FILE.read_text())
    del content["scene"]
    content |= {"pacing": "realtime", "operator": {"kind": "person"}}
    content["reset"]["taught_poses"] = {"arm": TAUGHT}
    content["reset"] |= {"max_linear_speed": 0.3, "max_angular_speed": 1.5}
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def spec(**changes):
    return ResetSpec(taught_poses={"arm": TaughtPose(**TAUGHT)}, **changes)


# -- the way ------------------------------------------------------------------------------------------


def test_starts_are_drawn_around_the_taught_pose():
    taught, rng = taught_matrix(TaughtPose(**TAUGHT)), np.random.default_rng(0)
    starts = [draw_start(taught, spec(), rng) for _ in range(200)]
    offsets = np.array([start[:3, 3] - taught[:3, 3] for start in starts])
    assert np.abs(offsets[:, :2]).max() <= 0.02
    assert (np.abs(offsets[:, :2]).max(axis=0) > 0.018).all()
    np.testing.assert_allclose(offsets[:, 2], 0.05)
    yaws = [Rotation.from_matrix(start[:3, :3] @ taught[:3, :3].T).as_rotvec() for start in starts]
    assert 0.09 < np.abs(yaws).max() <= 0.105 + 1e-9
    assert np.abs(np.array(yaws)[:, :2]).max() < 1e-9, "turned about the base's z alone"
    again = draw_start(taught, spec(), np.random.default_rng(0))
    np.testing.assert_array_equal(again, starts[0])


def test_the_way_leaves_straight_stays_slow_and_ends_at_the_start():
    reset, here = spec(), taught_matrix(TaughtPose(**TAUGHT))
    start = draw_start(here, reset, np.random.default_rng(3))
    path = Way(way(here, start, reset, BOX), reset)
    times = np.linspace(0.0, path.duration_s, 2000)
    poses = [path.at(t) for t in times]
    np.testing.assert_allclose(path.at(path.duration_s + 1.0), start, atol=1e-12)
    np.testing.assert_allclose(poses[0], here, atol=1e-12)
    early = [pose for pose in poses if pose[2, 3] < here[2, 3] + 0.03]
    for pose in early:  # still in the slot: neither sideways nor turned
        np.testing.assert_allclose(pose[:2, 3], here[:2, 3], atol=1e-9)
        np.testing.assert_allclose(pose[:3, :3], here[:3, :3], atol=1e-9)
    steps = [off_by(a, b) for a, b in pairwise(poses)]
    speeds = np.array(steps) / (times[1] - times[0])
    assert speeds[:, 0].max() <= reset.max_linear_speed * 1.001
    assert speeds[:, 1].max() <= reset.max_angular_speed * 1.001
    assert speeds[:, 0].max() > 0.9 * reset.max_linear_speed


@pytest.mark.parametrize("ends_at", [(0.5, 0.0, 0.4), (0.5, 0.0, 0.38), (0.5, 0.21, 0.1)])
def test_an_episode_may_end_at_the_edge_of_the_workspace(ends_at):
    here = taught_matrix(TaughtPose(position_m=ends_at, rotation_rad=(3.141, 0.0, 0.0)))
    poses = way(here, draw_start(here, spec(), np.random.default_rng(0)), spec(), BOX)
    for pose in poses[1:2]:
        assert (pose[:3, 3] <= BOX.maximum_m).all()
        assert (pose[:3, 3] >= BOX.minimum_m).all()
    assert poses[1][2, 3] == min(ends_at[2] + 0.05, 0.4)


def test_a_silent_or_blocked_arm_is_noticed(task_file):
    task = load_task(str(task_file))
    arm, taught = ArmReset(task.arms[0], task.reset), taught_matrix(task.reset.taught_poses["arm"])
    with pytest.raises(ResetFailed, match="never spoke"):
        arm.plan(taught, 0.0)
    arm.measured(taught, 0.0)
    arm.plan(draw_start(taught, task.reset, np.random.default_rng(0)), 0.0)
    with pytest.raises(ResetFailed, match=r"silent for 1\.0 s"):
        arm.target(1.0)
    arm.measured(taught, 100.0)
    with pytest.raises(ResetFailed, match=r"50 mm|5\d mm.*blocked"):
        arm.target(100.0)


# -- the node -----------------------------------------------------------------------------------------


class Controller:
    """The other side of the controller's topics: goes where it is told, at once or not at all."""

    def __init__(self, peer, pose, follows=True):
        self.pose, self.follows, self.targets = pose, follows, []
        topic = topics.controller_state("arm")
        self._states = peer.create_publisher(CartesianControllerState, topic, qos.sensor("realtime"))
        peer.create_subscription(
            CartesianTarget, topics.controller_target("arm"), self._on_target, qos.CONTROLLER_TARGET
        )
        self._timer = peer.create_timer(0.02, self._report)
        self._peer = peer

    def _on_target(self, message):
        self.targets.append(message)
        if self.follows:
            self.pose = codec.matrix_from_pose(message.pose)

    def _report(self):
        self._states.publish(
            CartesianControllerState(
                header=codec.header(self._peer.get_clock().now().nanoseconds, "panda_link0"),
                pose=codec.pose_from_matrix(self.pose),
            )
        )

    def stop(self):
        self._timer.cancel()

    def go_on(self):
        self._timer.reset()


def ask(graph, peer, seed=1):
    """Sends a goal; (goal handle, future of the result, feedback)."""
    client = ActionClient(peer, Reset, topics.RESET)
    graph.spin_until(client.server_is_ready, what="the action server")
    said = []
    sent = client.send_goal_async(
        Reset.Goal(episode=1, seed=seed), feedback_callback=lambda message: said.append(message.feedback)
    )
    graph.spin_until(sent.done, what="an answer to the goal")
    handle = sent.result()
    return handle, handle.get_result_async() if handle.accepted else None, said


def test_the_arm_goes_to_the_drawn_start(task_file):
    with RosGraph(task=str(task_file)) as graph:
        graph.add(ResetNode)
        peer = graph.peer()
        controller = Controller(peer, taught_matrix(TaughtPose(**TAUGHT)))
        graph.spin_until(lambda: peer.count_publishers(topics.controller_target("arm")), what="the node")
        _, result, said = ask(graph, peer, seed=7)
        graph.spin_until(result.done, what="the end of the reset", timeout_s=20.0)
        assert result.result().result.success
        task = load_task(str(task_file))
        wanted = draw_start(taught_matrix(TaughtPose(**TAUGHT)), task.reset, np.random.default_rng(7))
        assert off_by(controller.pose, wanted)[0] < 1e-6
        assert all(message.header.frame_id == "panda_link0" for message in controller.targets)
        heights = [message.pose.position.z for message in controller.targets]
        assert max(heights) > 0.149, "retreats first"
        assert "moving to the start pose" in [feedback.phase for feedback in said]


def test_a_dead_controller_ends_the_reset_with_its_name(task_file):
    with RosGraph(task=str(task_file)) as graph:
        graph.add(ResetNode)
        peer = graph.peer()
        controller = Controller(peer, taught_matrix(TaughtPose(**TAUGHT)))
        graph.spin_until(lambda: peer.count_publishers(topics.controller_target("arm")), what="the node")
        _, result, _ = ask(graph, peer)
        graph.spin_until(lambda: controller.targets, what="a target")
        controller.stop()
        graph.spin_until(result.done, what="the end of the reset", timeout_s=20.0)
        outcome = result.result().result
        assert not outcome.success
        assert "controller of arm 'arm' is silent" in outcome.message
        sent = len(controller.targets)
        graph.spin_for(0.3)
        assert len(controller.targets) == sent, "a failed reset commands nothing more"


def test_a_newer_goal_takes_over_from_an_actor_that_died(task_file):
    with RosGraph(task=str(task_file), overrides=["reset.confirm=true"]) as graph:
        graph.add(ResetNode)
        peer, joy, controller = with_controller(graph)
        _, first, said = ask(graph, peer, seed=1)
        graph.spin_until(lambda: said and "success button" in said[-1].phase, what="first", timeout_s=20.0)
        _, second, _ = ask(graph, peer, seed=2)
        graph.spin_until(first.done, what="the end of the first reset")
        assert not first.result().result.success
        assert "took over" in first.result().result.message
        joy.publish(Joy(buttons=[1, 0]))
        joy.publish(Joy(buttons=[0, 0]))
        graph.spin_for(0.2)
        assert not second.done(), "nobody confirms while the arm moves"
        wanted = draw_start(
            taught_matrix(TaughtPose(**TAUGHT)), load_task(str(task_file)).reset, np.random.default_rng(2)
        )
        graph.spin_until(lambda: off_by(controller.pose, wanted)[0] < 1e-6, what="its start", timeout_s=20.0)
        graph.spin_for(0.5)
        joy.publish(Joy(buttons=[1, 0]))
        graph.spin_until(second.done, what="the end of the second reset")
        assert second.result().result.success


def test_a_reset_gives_way_to_an_episode_that_runs(task_file):
    with RosGraph(task=str(task_file)) as graph:
        graph.add(ResetNode)
        peer, _, controller = with_controller(graph)
        executed = peer.create_publisher(Action, topics.EXECUTED_ACTION, qos.EXECUTED_ACTION)
        graph.connect(peer, {topics.EXECUTED_ACTION: "subscriber"})
        executed.publish(Action(episode=1, step=4, source=Action.SOURCE_POLICY))
        graph.spin_for(0.2)
        _, result, _ = ask(graph, peer)
        graph.spin_until(lambda: controller.targets, what="a target after the last action of the old")
        executed.publish(Action(episode=1, step=5, source=Action.SOURCE_HOLD))
        graph.spin_for(LAST_ACTION_S + 0.1)
        assert not result.done()
        executed.publish(Action(episode=3, step=0, source=Action.SOURCE_HUMAN))
        graph.spin_until(result.done, what="the end of the reset")
        assert "the mux moves the arms, in episode 3" in result.result().result.message
        sent = len(controller.targets)
        graph.spin_for(0.2)
        assert len(controller.targets) == sent


def test_a_reset_waits_for_an_arm_that_has_to_be_recovered_and_says_so(task_file):
    with RosGraph(task=str(task_file)) as graph:
        graph.add(ResetNode)
        peer, _, controller = with_controller(graph)
        controller.stop()
        graph.spin_for(0.4)
        _, result, said = ask(graph, peer)
        graph.spin_until(lambda: len(said) >= 2, what="words to the person")
        assert "controller of arm arm is silent" in said[-1].phase
        assert not controller.targets
        controller.go_on()
        graph.spin_until(result.done, what="the end of the reset", timeout_s=20.0)
        assert result.result().result.success


def with_controller(graph):
    """(peer, publisher of the device's buttons, a controller that follows), all connected to the node."""
    peer = graph.peer()
    controller = Controller(peer, taught_matrix(TaughtPose(**TAUGHT)))
    joy = peer.create_publisher(Joy, topics.JOY, qos.TELEOP)
    graph.spin_until(joy.get_subscription_count, what="the node")
    graph.spin_until(lambda: peer.count_publishers(topics.controller_target("arm")), what="its targets")
    return peer, joy, controller


def test_a_second_device_does_not_turn_a_held_button_into_presses(task_file):
    with RosGraph(task=str(task_file), overrides=["reset.kind=human"]) as graph:
        graph.add(ResetNode)
        peer = graph.peer()
        held = peer.create_publisher(Joy, topics.JOY, qos.TELEOP)
        still = peer.create_publisher(Joy, topics.joy("arm"), qos.TELEOP)
        for device in (held, still):
            graph.spin_until(device.get_subscription_count, what="the node")
        held.publish(Joy(buttons=[1, 0]))
        graph.spin_for(0.2)
        _, result, _ = ask(graph, peer)
        for _ in range(5):
            still.publish(Joy(buttons=[0, 0]))
            held.publish(Joy(buttons=[1, 0]))
            graph.spin_for(0.05)
        assert not result.done(), "held since the episode before: confirms nothing"
        still.publish(Joy(buttons=[1, 0]))
        graph.spin_until(result.done, what="the other hand's press")
        assert result.result().result.success


@pytest.mark.parametrize("held_before", [False, True])
def test_a_person_who_resets_says_so_with_the_success_button(task_file, held_before):
    with RosGraph(task=str(task_file), overrides=["reset.kind=human"]) as graph:
        graph.add(ResetNode)
        peer = graph.peer()
        joy = peer.create_publisher(Joy, topics.JOY, qos.TELEOP)
        graph.spin_until(joy.get_subscription_count, what="the node")
        if held_before:
            joy.publish(Joy(buttons=[1, 0]))
            graph.spin_for(0.2)
        _, result, said = ask(graph, peer)
        joy.publish(Joy(buttons=[int(held_before), 0]))
        graph.spin_until(lambda: said, what="a word to the person")
        assert "press the success button" in said[0].phase
        assert not result.done(), "a button still held from before confirms nothing"
        joy.publish(Joy(buttons=[0, 0]))
        joy.publish(Joy(buttons=[1, 0]))
        graph.spin_until(result.done, what="the end of the reset")
        assert result.result().result.success


def test_starts_outside_of_the_workspace_are_refused_before_anything_moves(task_file):
    overrides = ["reset.offset_m=[0,0,0.5]"]
    refusal = r"starts are drawn up to .* outside of controller\.workspace .*reset\.offset_m"
    with RosGraph(task=str(task_file), overrides=overrides) as graph, pytest.raises(TaskError, match=refusal):
        graph.add(ResetNode)


def test_what_is_not_taught_or_simulated_is_refused(task_file):
    text = task_file.read_text()
    task_file.write_text(yaml.safe_dump(yaml.safe_load(text) | {"reset": {}}))
    with RosGraph(task=str(task_file)) as graph, pytest.raises(TaskError, match=r"teach --task .* --arm arm"):
        graph.add(ResetNode)
    with (
        RosGraph(task=str(TASK_FILE)) as graph,
        pytest.raises(TaskError, match="simulated task resets itself"),
    ):
        graph.add(ResetNode)


# -- teach --------------------------------------------------------------------------------------------


def test_teach_writes_where_the_arm_is(task_file, capsys):
    pose = taught_matrix(TaughtPose(position_m=(0.41, -0.02, 0.2), rotation_rad=(3.0, 0.1, 0.0)))
    with RosGraph(task=str(task_file)) as graph:
        peer = graph.peer()
        Controller(peer, pose)
        done = []
        thread = threading.Thread(target=lambda: done.append(_in_process(["--task", str(task_file)])))
        thread.start()
        graph.spin_until(lambda: done, what="teach", timeout_s=30.0)
        thread.join()
    assert done[0].returncode == 0, done[0].stderr
    taught = load_task(str(task_file)).reset.taught_poses["arm"]
    np.testing.assert_allclose(taught.position_m, [0.41, -0.02, 0.2], atol=1e-5)
    assert off_by(taught_matrix(taught), pose)[1] < 1e-4


def test_teach_without_a_controller_changes_nothing(task_file, capsys, monkeypatch):
    monkeypatch.setattr(teach, "PATIENCE_S", 0.5)
    before = task_file.read_bytes()
    assert teach.main(["--task", str(task_file)]) == 2
    assert "is the controller of arm 'arm' active?" in capsys.readouterr().err
    assert teach.main(["--task", str(task_file), "--arm", "left"]) == 2
    assert "'left' is not one of the arms ['arm']" in capsys.readouterr().err
    assert task_file.read_bytes() == before


def _in_process(arguments):
    command = [sys.executable, "-m", "hilserl_intervention.teach", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
