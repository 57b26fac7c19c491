# SPDX-License-Identifier: Apache-2.0
"""The nodes as processes of their own, over real ROS 2."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from hilserl_msgs.msg import Action, ArmState, EpisodeSummary, Observation, RecorderStatus, Reward
from hilserl_reward.labels import label_files, read_labels
from hilserl_reward.model import MODEL_FILE
from hilserl_ros import qos, topics
from hilserl_ros.codec import floats32, image_from_array

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def context():
    rclpy.init()
    yield
    rclpy.shutdown()


class Peer:
    """Stands for the rest of the graph: sends observations and actions, keeps what comes back."""

    def __init__(self, kit) -> None:
        self._kit = kit
        self.node = rclpy.create_node("peer")
        publish, subscribe = self.node.create_publisher, self.node.create_subscription
        # The graph is paced by answers; here a long queue keeps what is sent in one go.
        self.observations = publish(Observation, topics.OBSERVATION, qos.RECORDER)
        self.actions = publish(Action, topics.EXECUTED_ACTION, qos.RECORDER)
        self.episodes = publish(EpisodeSummary, topics.EPISODE, qos.EPISODE)
        self.rewards: dict[tuple[int, int], Reward] = {}
        self.statuses: list[RecorderStatus] = []
        self.errors: list[str] = []
        subscribe(Reward, topics.REWARD, self._on_reward, qos.REWARD)
        subscribe(RecorderStatus, topics.RECORDER_STATUS, self.statuses.append, qos.STATUS)
        subscribe(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, qos.DIAGNOSTICS)

    def wait(self, condition, what) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"no {what} within {DEADLINE_S} s"
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def observe(self, episode: int, step: int, success: bool = False, **changes) -> None:
        size, cameras = changes.get("size", self._kit.SIZE), changes.get("cameras", self._kit.CAMERAS)
        pixels = self._kit.pictures(success, np.random.default_rng(1000 * episode + step))
        if size != self._kit.SIZE:
            pixels = np.zeros((2, size, size, 3), np.uint8)
        message = Observation(episode=episode, step=step, camera_names=list(cameras))
        message.header.stamp.sec = 1 + step
        message.images = [image_from_array(picture, 0) for picture in pixels[: len(cameras)]]
        message.state = floats32(np.full(18, step, np.float32))
        message.arms = [ArmState(name="arm")]
        message.arms[0].pose.position.z = 0.01 * step
        message.arms[0].pose.orientation.w = 1.0
        self.observations.publish(message)

    def answer(self, episode: int, step: int, pressed: bool) -> None:
        self.actions.publish(Action(episode=episode, step=step, success_pressed=pressed))

    def end(self, episode: int, steps: int) -> None:
        self.episodes.publish(EpisodeSummary(episode=episode, steps=steps, discarded=True))

    def _on_reward(self, message: Reward) -> None:
        self.rewards[message.episode, message.step] = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.level == DiagnosticStatus.ERROR:
                self.errors.append(status.message)


@pytest.fixture
def make_peer(context, kit):
    """Makes the rest of the graph, anew when a node is started anew: a publisher of Fast DDS hands what it
    still holds in its queue to a new subscriber, although durability is volatile.
    """
    peers = []

    def make() -> Peer:
        while peers:
            peers.pop().node.destroy_node()
        peers.append(Peer(kit))
        return peers[0]

    yield make
    for peer in peers:
        peer.node.destroy_node()


@pytest.fixture
def peer(make_peer):
    return make_peer()


@pytest.fixture
def start(kit):
    """Starts a node of this package; whatever still runs at the end is killed."""
    processes = []

    def start(module, run_dir, *overrides, **parameters):
        values = {
            "task": kit.TASK_FILE,
            "run_dir": run_dir,
            "overrides": json.dumps([*kit.SMALL, *overrides]),
            **parameters,
        }
        arguments = [part for name, value in values.items() for part in ("-p", f"{name}:={value}")]
        process = subprocess.Popen(
            [sys.executable, "-m", f"hilserl_reward.{module}", "--ros-args", *arguments],
            env={**os.environ},
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(peer, process) -> int:
    peer.wait(lambda: process.poll() is not None, "end of the node")
    return process.returncode


LABELS = ("reward.positive_labels=10", "reward.negative_labels=12")


def connected(peer):
    publishers = (peer.observations, peer.actions, peer.episodes)
    return lambda: all(publisher.get_subscription_count() for publisher in publishers)


def test_collect_labels_pairs_frames_keeps_them_on_ctrl_c_and_resumes(make_peer, start, tmp_path, kit):
    folder, peer = tmp_path / "labels", make_peer()
    node = start("collect_labels", tmp_path, *LABELS)
    peer.wait(connected(peer), "collect_labels")
    for step in range(8):
        peer.observe(0, step, success=step >= 4)
        peer.answer(0, step, pressed=step >= 4)
    peer.observe(0, 8)  # the last observation gets no action
    peer.end(0, 8)
    peer.wait(lambda: len(label_files(folder)) == 1, "file of the finished episode")
    first = read_labels(label_files(folder)[0])
    assert first.labels.tolist() == [False] * 4 + [True] * 4
    assert first.images.shape == (8, 2, kit.SIZE, kit.SIZE, 3)
    assert first.states[:, 0].tolist() == list(range(8))
    np.testing.assert_allclose(first.base_T_tcp[:, 0, 2, 3], 0.01 * np.arange(8))
    assert first.steps.tolist() == list(range(8))

    for step in range(3):
        peer.observe(1, step)
        peer.answer(1, step, pressed=False)
    peer.wait(lambda: peer.statuses and "7/12 negative" in peer.statuses[-1].message, "progress")
    assert peer.statuses[-1].target == 22
    node.send_signal(signal.SIGINT)
    assert ended(peer, node) == 0
    assert [len(read_labels(path).labels) for path in label_files(folder)] == [8, 3]

    peer = make_peer()
    node = start("collect_labels", tmp_path, *LABELS)
    peer.wait(connected(peer), "collect_labels")
    for step in range(12):
        peer.observe(2, step, success=step >= 6)
        peer.answer(2, step, pressed=step >= 6)
    assert ended(peer, node) == 0
    assert [len(read_labels(path).labels) for path in label_files(folder)] == [8, 3, 12]
    peer.wait(lambda: peer.statuses[-1].state == "done", "last status")


def test_collect_labels_closes_an_episode_when_the_next_begins(peer, start, tmp_path):
    start("collect_labels", tmp_path, *LABELS)
    peer.wait(connected(peer), "collect_labels")
    for step in range(2):
        peer.observe(5, step)
        peer.answer(5, step, pressed=False)
    peer.wait(lambda: peer.statuses and "2/12 negative" in peer.statuses[-1].message, "progress")
    peer.observe(6, 0)
    peer.wait(lambda: len(label_files(tmp_path / "labels")) == 1, "file of the episode before")


def test_collect_labels_refuses_a_folder_of_another_size(peer, start, tmp_path, kit):
    kit.write_label_folder(tmp_path / "labels", 1)
    node = start("collect_labels", tmp_path, "observation.image_size=96")
    assert ended(peer, node) == 2
    assert "image_size: 96" in node.stderr.read()


def test_reward_judges_each_observation(peer, start, trained_run):
    start("reward", trained_run)
    peer.wait(peer.observations.get_subscription_count, "reward")
    wanted = {(3, 0): False, (3, 1): True, (3, 2): False, (4, 0): True}
    for (episode, step), success in wanted.items():
        peer.observe(episode, step, success)
    peer.wait(lambda: wanted.keys() <= peer.rewards.keys(), "rewards")
    assert {key: reward.success for key, reward in peer.rewards.items()} == wanted
    reward = peer.rewards[3, 1]
    assert reward.probability > 0.85
    assert reward.threshold == pytest.approx(0.85)
    assert reward.header.stamp.sec == 2
    assert len(reward.model_id) == 16


def test_reward_debounces(peer, start, trained_run):
    start("reward", trained_run, "reward.debounce_frames=2")
    peer.wait(peer.observations.get_subscription_count, "reward")
    for step in range(3):
        peer.observe(0, step, success=step > 0)
    peer.wait(lambda: len(peer.rewards) == 3, "rewards")
    assert [peer.rewards[0, step].success for step in range(3)] == [False, False, True]


def test_reward_needs_travel_along_the_tool(peer, start, trained_run):
    start("reward", trained_run, "reward.minimum_travel_m=1.5")  # the peer's state vector is the step number
    peer.wait(peer.observations.get_subscription_count, "reward")
    for step in range(3):
        peer.observe(0, step, success=True)
    peer.wait(lambda: len(peer.rewards) == 3, "rewards")
    assert [peer.rewards[0, step].success for step in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("changes", "text"),
    [({"cameras": ("wrist_1",)}, "camera 'wrist_2' is not in the observation"), ({"size": 48}, "48x48")],
)
def test_an_observation_that_cannot_be_judged_is_no_success(peer, start, trained_run, changes, text):
    start("reward", trained_run)
    peer.wait(peer.observations.get_subscription_count, "reward")
    peer.wait(lambda: peer.node.count_publishers(topics.DIAGNOSTICS), "diagnostics")
    peer.observe(1, 0, **changes)
    peer.wait(lambda: (1, 0) in peer.rewards, "reward")
    assert not peer.rewards[1, 0].success
    peer.wait(lambda: any(text in error for error in peer.errors), f"diagnostic '{text}'")


def test_a_model_that_gives_nan_is_no_success(peer, start, trained_run, tmp_path):
    from hilserl_learning.classifier import RewardClassifier

    classifier = RewardClassifier.load(trained_run / MODEL_FILE)
    for parameter in classifier.head.logit.parameters():
        parameter.data.fill_(float("nan"))
    classifier.save(tmp_path / "nan.safetensors")
    start("reward", tmp_path, model=tmp_path / "nan.safetensors")
    peer.wait(peer.observations.get_subscription_count, "reward")
    peer.wait(lambda: peer.node.count_publishers(topics.DIAGNOSTICS), "diagnostics")
    peer.observe(1, 0, success=True)
    peer.wait(lambda: (1, 0) in peer.rewards, "reward")
    assert (peer.rewards[1, 0].success, peer.rewards[1, 0].probability) == (False, 0.0)
    peer.wait(lambda: any("nan" in error for error in peer.errors), "diagnostic")


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["reward.cameras=[wrist_1]"], "wrist_2"),
        (["observation.image_size=96"], "image_size: 96"),
        (["reward.threshold=2"], "reward.threshold"),
    ],
)
def test_reward_refuses_what_does_not_fit(peer, start, trained_run, overrides, text):
    node = start("reward", trained_run, *overrides)
    assert ended(peer, node) == 2
    error = node.stderr.read()
    assert text in error
    assert "Traceback" not in error


def test_reward_without_a_model_says_what_to_run(peer, start, tmp_path):
    node = start("reward", tmp_path)
    assert ended(peer, node) == 2
    assert "run train_classifier first" in node.stderr.read()
