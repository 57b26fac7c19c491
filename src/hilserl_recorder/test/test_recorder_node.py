# SPDX-License-Identifier: Apache-2.0
"""The recorder as a real node that writes real bags."""

import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from rclpy.node import Node
from std_srvs.srv import SetBool

from hilserl_msgs.msg import (
    Action,
    CartesianControllerState,
    EpisodeSummary,
    Observation,
    RecorderStatus,
    Reward,
)
from hilserl_recorder.episode_buffer import Recorded
from hilserl_recorder.gate import refusal
from hilserl_recorder.numbering import remove_leftovers
from hilserl_recorder.recorder_node import RecorderNode
from hilserl_ros import qos, topics
from hilserl_ros.bags import EpisodeBagWriter, read_bag, read_episode, read_episodes
from hilserl_ros.testing import RosGraph
from hilserl_task import load_task

_spec = importlib.util.spec_from_file_location("episodes", Path(__file__).with_name("episodes.py"))
episodes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(episodes)

STEPS = 4
FAILURE = EpisodeSummary.OUTCOME_FAILURE


class Robot:
    """Everyone the recorder listens to."""

    def __init__(self, graph, recorders=1):
        self.graph, self.peer = graph, graph.peer()
        state_topic = topics.controller_state("arm")
        self.publishers = {
            "observation": self.peer.create_publisher(Observation, topics.OBSERVATION, qos.OBSERVATION),
            "executed_action": self.peer.create_publisher(
                Action, topics.EXECUTED_ACTION, qos.EXECUTED_ACTION
            ),
            "reward": self.peer.create_publisher(Reward, topics.REWARD, qos.REWARD),
            "state": self.peer.create_publisher(
                CartesianControllerState, state_topic, qos.sensor("lockstep")
            ),
            "episode": self.peer.create_publisher(EpisodeSummary, topics.EPISODE, qos.EPISODE),
        }
        self.statuses = self.peer.collect(RecorderStatus, topics.RECORDER_STATUS, qos.STATUS)
        names = [topics.OBSERVATION, topics.EXECUTED_ACTION, topics.REWARD, topics.EPISODE, state_topic]
        graph.connect(self.peer, dict.fromkeys(names, "subscriber"), timeout_s=30)
        graph.connect(self.peer, {topics.RECORDER_STATUS: "publisher"}, timeout_s=30)

    def play(self, number, steps=STEPS, skip=lambda kind, message: False, **ending):
        """Publishes an episode at a pace the recorder's peers could have."""
        for kind, message in episodes.whole(number, steps):
            if not skip(kind, message):
                self.publishers[kind].publish(message)
                self.graph.spin_for(0.002)
        self.publishers["episode"].publish(episodes.summary(number, steps, **ending))

    def wait(self, what, **values):
        def reached():
            newest = self.statuses[-1] if self.statuses else None
            return newest is not None and all(getattr(newest, k) == v for k, v in values.items()) and newest

        return self.graph.spin_until(reached, 20, what)


def test_records_successes_until_the_target(tmp_path):
    with RosGraph(task="ram_insertion", run_dir=str(tmp_path), target=2) as graph:
        node = graph.add(RecorderNode)
        robot = Robot(graph)
        robot.play(0)
        status = robot.wait("first bag", saved=1, state="idle")
        assert (status.target, status.last_bag) == (2, str(tmp_path / "demos" / "episode_0000"))
        robot.play(1, outcome=FAILURE)
        robot.wait("failure not kept", discarded=1)
        robot.play(2, discarded=True)
        robot.wait("discarded episode not kept", discarded=2)
        assert not node.ended.done()
        robot.play(3, steps=6)
        robot.wait("done", saved=2, state="done")
        assert node.ended.result() == 0
    recorded = read_episodes(tmp_path / "demos")
    assert [episode.steps for episode in recorded] == [STEPS, 6]
    assert sorted(path.name for path in (tmp_path / "demos").iterdir()) == ["episode_0000", "episode_0001"]


def test_the_bag_holds_what_was_published(tmp_path):
    with RosGraph(task="ram_insertion", run_dir=str(tmp_path), target=1) as graph:
        graph.add(RecorderNode)
        robot = Robot(graph)
        robot.play(5)
        robot.wait("done", state="done")
    episode = read_episode(tmp_path / "demos" / "episode_0000")
    for step in range(STEPS + 1):
        sent = episodes.observation(5, step)
        np.testing.assert_array_equal(episode.states[step], np.array(sent.state, np.float32))
        for camera, image in enumerate(sent.images):
            assert episode.images[step, camera].tobytes() == bytes(image.data)
    sent_actions = [episodes.action(5, step).values for step in range(STEPS)]
    np.testing.assert_array_equal(episode.actions, np.array(sent_actions, np.float32))
    assert episode.rewards.tolist() == [0, 0, 0, 1]
    assert episode.terminated
    assert episode.metadata["actor_id"] == "actor-1"
    assert episode.metadata["config_hash"] == load_task("ram_insertion").config_hash()
    info = (tmp_path / "demos" / "episode_0000" / "metadata.yaml").read_text()
    for topic in ("/observation", "/executed_action", "/reward", "/episode", "/arm/cartesian_controller"):
        assert f"name: {topic}" in info


def test_an_episode_with_a_gap_is_not_kept_and_named(tmp_path):
    with RosGraph(task="ram_insertion", run_dir=str(tmp_path), target=1) as graph:
        graph.add(RecorderNode)
        robot = Robot(graph)
        robot.play(0, skip=lambda kind, message: kind == "reward" and message.step == 2)
        robot.wait("gap", discarded=1, saved=0)
        robot.play(1)
        robot.wait("done", state="done", saved=1)
    assert len(read_episodes(tmp_path / "demos")) == 1


def test_keep_all(tmp_path):
    folder = tmp_path / "elsewhere"
    with RosGraph(task="ram_insertion", folder=str(folder), target=3, keep="all") as graph:
        graph.add(RecorderNode)
        robot = Robot(graph)
        robot.play(0, outcome=FAILURE)
        robot.play(1)
        robot.play(2, discarded=True)
        robot.wait("done", state="done", saved=3)
    outcomes = [(episode.outcome, episode.discarded) for episode in read_episodes(folder)]
    assert outcomes == [("failure", False), ("success", False), ("success", True)]


def test_resume_goes_on_after_the_highest_number(tmp_path):
    for _ in range(2):
        with RosGraph(task="ram_insertion", run_dir=str(tmp_path), target=2 + _) as graph:
            graph.add(RecorderNode)
            robot = Robot(graph)
            for number in range(2 if _ == 0 else 1):
                robot.play(number)
                robot.wait("saved", last_bag=str(tmp_path / "demos" / f"episode_{number + 2 * _:04d}"))
    names = sorted(path.name for path in (tmp_path / "demos").iterdir())
    assert names == ["episode_0000", "episode_0001", "episode_0002"]
    with RosGraph(task="ram_insertion", run_dir=str(tmp_path), target=3) as graph:
        assert graph.add(RecorderNode).ended.result() == 0  # nothing left to do


def test_leftovers_of_a_dead_recorder_are_removed(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / f".partial-{dead.pid}-episode_0000" / "episode_0000").mkdir(parents=True)
    alive = tmp_path / f".partial-{os.getppid()}-episode_0001"
    alive.mkdir()
    assert [path.name for path in remove_leftovers(tmp_path)] == [f".partial-{dead.pid}-episode_0000"]
    assert list(tmp_path.iterdir()) == [alive]


@pytest.fixture
def recorder_process(tmp_path):
    """Starts the recorder as its own process; what it starts is ended."""
    processes = []

    def start(limit_bytes=None, **parameters):
        limit = (
            (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes,) * 2)) if limit_bytes else None
        )
        command = [sys.executable, "-m", "hilserl_recorder.recorder_node", "--ros-args"]
        for name, value in {"run_dir": str(tmp_path), **parameters}.items():
            command += ["-p", f"{name}:={json.dumps(value)}"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=limit)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stderr.close()


def test_full_disk_ends_the_recorder_with_a_clear_error(tmp_path, recorder_process):
    """A file size limit: writing fails as on a full disk."""
    with RosGraph() as graph:
        process = recorder_process(limit_bytes=50_000, target=5)
        robot = Robot(graph)
        robot.play(0, steps=30)
        status = robot.wait("error", state="error")
        assert "episode_0000: not writable" in status.message
        graph.spin_until(lambda: process.poll() is not None, 10, "end")
    assert process.returncode == 1
    assert "not writable" in process.stderr.read()
    assert list((tmp_path / "demos").iterdir()) == []


def test_process_ends_with_zero_at_the_target(tmp_path, recorder_process):
    with RosGraph() as graph:
        process = recorder_process(target=1)
        robot = Robot(graph)
        robot.play(0)
        robot.wait("done", state="done", saved=1)
        graph.spin_until(lambda: process.poll() is not None, 10, "end")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("keep", "some", "keep: 'some' must be one of"), ("target", -1, "target: -1 must not be negative")],
)
def test_a_wrong_parameter_ends_with_one_clear_line(recorder_process, name, value, text):
    process = recorder_process(**{name: value})
    assert process.wait(timeout=60) == 2
    error = process.stderr.read()
    assert text in error
    assert "Traceback" not in error


def test_pause_keeps_the_running_episode_and_no_later_one(tmp_path):
    asked = []

    def actor(request, response):
        asked.append(request.data)
        response.success = True
        return response

    with RosGraph(task="ram_insertion", run_dir=str(tmp_path), target=3) as graph:
        node = graph.add(RecorderNode)
        robot = Robot(graph)
        robot.peer.create_service(SetBool, "actor/pause", actor)
        pause = robot.peer.create_client(SetBool, "recorder/pause")
        graph.spin_until(node._actor_pause.service_is_ready, 20, "the actor's service")

        parts = list(episodes.whole(0, STEPS))
        for kind, message in parts[:5]:
            robot.publishers[kind].publish(message)
        graph.spin_until(lambda: node._buffer.recording, 10, "the first episode")
        answer = graph.call(pause, SetBool.Request(data=True))
        assert "running episode is recorded to its end" in answer.message
        for kind, message in parts[5:]:
            robot.publishers[kind].publish(message)
        robot.publishers["episode"].publish(episodes.summary(0, STEPS))
        robot.wait("the running episode", saved=1, state="paused")

        robot.play(1)
        graph.spin_for(1.5)
        robot.wait("the paused one is not kept", saved=1, state="paused", discarded=0)
        graph.call(pause, SetBool.Request(data=False))
        graph.spin_until(lambda: asked == [True, False], 10, "the actor is asked, too")
        robot.play(2)
        robot.wait("the next", saved=2, state="idle")
    assert [episode.metadata["summary"]["episode"] for episode in read_episodes(tmp_path / "demos")] == [0, 2]


@pytest.mark.parametrize(
    ("gate", "by_button", "classifier_agrees", "reason"),
    [
        ("either", True, False, ""),
        ("either", False, True, ""),
        ("classifier", False, True, ""),
        ("classifier", True, True, "success said by 'operator', but the gate is 'classifier'"),
        ("person", True, False, ""),
        ("person", False, True, "success said by 'reward', but the gate is 'person'"),
        ("both", True, True, ""),
        ("both", True, False, "the person says success, the classifier does not"),
        ("both", False, True, "success said by 'reward', but the gate is 'both'"),
    ],
)
def test_gates(gate, by_button, classifier_agrees, reason):
    summary = episodes.summary(0, STEPS)
    if by_button:
        summary.termination_reason = EpisodeSummary.TERMINATION_OPERATOR
    judged = episodes.reward(0, STEPS, success=classifier_agrees)
    said = refusal([Recorded("/reward", 0, judged)], summary, gate)
    assert said.startswith(reason)
    assert bool(said) == bool(reason)


def test_a_bag_is_played_to_a_recorder_in_another_process(tmp_path, recorded, recorder_process):
    with RosGraph():
        process = recorder_process(target=1, run_dir=str(tmp_path / "again"))
        played = demos("replay", str(recorded / "episode_0000"), "--rate", "4", "--wait", "40")
        assert played.returncode == 0, played.stderr
        count = len(read_bag(recorded / "episode_0000").messages)
        assert f"1 episodes, {count} messages played" in played.stdout
        assert process.wait(timeout=20) == 0
    before, after = (
        read_episode(recorded / "episode_0000"),
        read_episode(tmp_path / "again" / "demos" / "episode_0000"),
    )
    for field in ("states", "images", "actions", "sources", "rewards", "base_T_tcp"):
        np.testing.assert_array_equal(getattr(after, field), getattr(before, field))


def test_nothing_is_played_to_nobody(recorded):
    with RosGraph():
        played = demos("replay", str(recorded), "--wait", "1")
        assert (played.returncode, "nobody listens to observation" in played.stderr) == (1, True)
        assert demos("replay", str(recorded), "--rate", "0").returncode == 2


def test_ctrl_c_ends_a_command(recorded):
    with RosGraph() as graph:
        line = [sys.executable, "-m", "hilserl_recorder.demos", "replay", str(recorded), "--wait", "60"]
        waiting = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
        peer = graph.peer()
        graph.spin_until(lambda: "replay" in peer.get_node_names(), 40, "the command")
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(timeout=20) == 130
        assert waiting.stderr.read() == "demos: stopped; no half bag was left\n"


def test_a_person_alone_needs_no_classifier(tmp_path):
    with RosGraph(
        task="ram_insertion", run_dir=str(tmp_path), target=1, overrides=["demonstrations.gate=person"]
    ) as graph:
        graph.add(RecorderNode)
        robot = Robot(graph)
        for kind, message in episodes.whole(0, STEPS):
            if kind != "reward":
                robot.publishers[kind].publish(message)
                graph.spin_for(0.002)
        ended = episodes.summary(0, STEPS)
        ended.termination_reason = EpisodeSummary.TERMINATION_OPERATOR
        robot.publishers["episode"].publish(ended)
        robot.wait("done", state="done", saved=1)
    episode = read_episode(tmp_path / "demos" / "episode_0000")
    assert episode.rewards.tolist() == [0, 0, 0, 1]
    assert episode.metadata["gate"] == "person"


def test_the_bag_says_what_the_controller_and_the_software_were(tmp_path):
    """A real controller node answers; its parameters at the start of the episode are in the metadata."""
    robot_task = {"pacing": "realtime", "scene": "null"}
    overrides = [f"{key}={value}" for key, value in robot_task.items()]
    with RosGraph(run_dir=str(tmp_path), target=1, task="ram_insertion", overrides=overrides) as graph:
        node = graph.add(RecorderNode)
        controller = graph.add(lambda: Node("cartesian_controller", namespace="/arm"))
        controller.declare_parameter("gains.translational_stiffness", [2000.0, 2000.0, 1500.0])
        controller.declare_parameter("mode", "pose")
        controller.create_publisher(CartesianControllerState, "cartesian_controller/controller_state", 10)
        robot = Robot(graph)

        def answered():
            node._controllers.refresh()
            graph.spin_for(0.1)
            return "node /arm/cartesian_controller" in node._controllers.text()

        graph.spin_until(answered, 20, "the controller's answer")
        robot.play(0)
        robot.wait("done", state="done", saved=1)
    metadata = read_episode(tmp_path / "demos" / "episode_0000").metadata
    arm = yaml.safe_load(metadata["controllers"])["arm"]
    assert arm["parameters"]["gains.translational_stiffness"] == [2000.0, 2000.0, 1500.0]
    assert arm["parameters"]["mode"] == "pose"
    software = yaml.safe_load(metadata["software"])
    assert software["ros_distro"] == "jazzy"
    assert software[metadata["written_with"]] != "unknown"


def test_a_simulated_arm_runs_on_the_numbers_of_the_task_file(tmp_path):
    with RosGraph(task="ram_insertion", run_dir=str(tmp_path), target=1) as graph:
        node = graph.add(RecorderNode)
        arm = yaml.safe_load(node._controllers.text())["arm"]
    assert arm["source"] == "task file, simulated arm"
    assert arm["parameters"]["gains"]["translational_stiffness"] == 2000.0


@pytest.mark.slow
def test_after_ctrl_c_the_same_command_goes_on(tmp_path, recorder_process):
    with RosGraph() as graph:
        first = recorder_process(target=2)
        robot = Robot(graph)
        robot.play(0)
        robot.wait("the first bag", saved=1)
        for kind, message in list(episodes.whole(1, STEPS))[:6]:
            robot.publishers[kind].publish(message)
        robot.wait("half an episode", state="recording")
        first.send_signal(signal.SIGINT)
        graph.spin_until(lambda: first.poll() is not None, 20, "end")
        assert first.returncode == 0
        assert [path.name for path in (tmp_path / "demos").iterdir()] == ["episode_0000"]
    with RosGraph() as graph:
        second = recorder_process(target=2)
        robot = Robot(graph)
        robot.play(2)
        robot.wait("done", state="done", saved=2)
        graph.spin_until(lambda: second.poll() is not None, 20, "end")
        assert second.returncode == 0
    assert [episode.metadata["summary"]["episode"] for episode in read_episodes(tmp_path / "demos")] == [0, 2]


def test_pause_from_another_terminal(tmp_path):
    with RosGraph(task="ram_insertion", run_dir=str(tmp_path), target=3) as graph:
        node = graph.add(RecorderNode)
        (tmp_path / "graph.json").write_text(json.dumps({"ros_domain_id": int(os.environ["ROS_DOMAIN_ID"])}))
        for command, paused in (("pause", True), ("resume", False)):
            line = [sys.executable, "-m", "hilserl_recorder.demos", command, str(tmp_path)]
            other = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
            graph.spin_until(lambda process=other: process.poll() is not None, 40, command)
            assert other.returncode == 0
            assert f"recorder (no actor here) {command}d" in other.stdout.read()
            assert node._paused == paused
    nowhere = demos("pause", str(tmp_path / "nowhere"))
    assert nowhere.returncode == 1
    assert "no graph is running there" in nowhere.stderr


def demos(*arguments):
    command = [sys.executable, "-m", "hilserl_recorder.demos", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def recorded_folder(tmp_path):
    """Two bags without a graph."""
    task = load_task("ram_insertion")
    for number, steps in enumerate((4, 12)):
        with EpisodeBagWriter(tmp_path / "demos" / f"episode_{number:04d}", task) as bag:
            for kind, message in episodes.whole(number, steps):
                bag.write(f"/{kind}", message, episodes.stamp_of(number, 0))
            bag.write("/episode", episodes.summary(number, steps), episodes.stamp_of(number, steps))
    return tmp_path / "demos"


def test_list_and_show(recorded_folder, tmp_path):
    listed = demos("list", str(recorded_folder))
    assert listed.returncode == 0, listed.stderr
    assert "episode_0001" in listed.stdout
    assert "2 episodes, 8 steps in the median" in listed.stdout
    assert "100%      0%" in listed.stdout  # all by the person, none held

    picture = tmp_path / "new" / "strip.png"
    shown = demos("show", str(recorded_folder), "--out", str(picture), "--frames", "6")
    assert shown.returncode == 0, shown.stderr
    import cv2

    sheet = cv2.imread(str(picture))
    tile = episodes.SIZE + 8
    assert sheet.shape == (2 * (18 + 2 * tile), 6 * tile, 3)
    first = episodes.observation(0, 0).images[0]
    corner = sheet[18 + 4 : 18 + 4 + episodes.SIZE, 4 : 4 + episodes.SIZE, ::-1]
    sent = np.frombuffer(first.data, np.uint8).reshape(corner.shape)
    np.testing.assert_array_equal(corner[16:], sent[16:])  # below the step number


def test_list_names_a_damaged_bag_and_goes_on(recorded_folder):
    next((recorded_folder / "episode_0000").glob("*.mcap")).write_bytes(b"")
    listed = demos("list", str(recorded_folder))
    assert listed.returncode == 1
    assert "episode_0000: unreadable" in listed.stderr
    assert "1 episodes, 12 steps in the median, 1 unreadable" in listed.stdout


def test_a_missing_folder_is_named(tmp_path):
    listed = demos("list", str(tmp_path / "nowhere"))
    assert listed.returncode == 1
    assert "nowhere does not exist" in listed.stderr
    assert "Traceback" not in listed.stderr
