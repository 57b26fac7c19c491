# SPDX-License-Identifier: Apache-2.0
"""The monitor as a process of its own, over real ROS 2."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time

import cv2
import pytest
import rclpy

from hilserl_agent.metrics import append_row
from hilserl_agent.seeds import reset_seed
from hilserl_msgs.msg import (
    Action,
    EpisodeSummary,
    Observation,
    RecorderStatus,
    SimGroundTruth,
    TrainingStatus,
)
from hilserl_ros import qos, topics
from hilserl_ros.codec import stamp_from_ns

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def context():
    rclpy.init()
    yield
    rclpy.shutdown()


class Peer:
    """Stands for the rest of the graph. Queues are long, because nothing paces a test."""

    def __init__(self, kit) -> None:
        self._kit = kit
        self.node = rclpy.create_node("peer")
        publish = self.node.create_publisher
        self.episodes = publish(EpisodeSummary, topics.EPISODE, qos.EPISODE)
        self.actions = publish(Action, topics.EXECUTED_ACTION, qos.RECORDER)
        self.statuses = publish(TrainingStatus, topics.LEARNER_STATUS, qos.STATUS)
        self.saved = publish(RecorderStatus, topics.RECORDER_STATUS, qos.STATUS)
        self.truths = publish(SimGroundTruth, topics.SIM_GROUND_TRUTH, qos.RECORDER)
        self.observations = publish(Observation, topics.OBSERVATION, qos.RECORDER)

    def wait(self, condition, what) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"no {what} within {DEADLINE_S} s"
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def wait_connected(self, *publishers) -> None:
        self.wait(lambda: all(p.get_subscription_count() for p in publishers), "monitor")

    def summarize(self, episode: int, **changes) -> None:
        values = {"steps": 10, "duration_s": 1.0, "outcome": 1, "termination_reason": 1, "actor_id": "actor"}
        message = EpisodeSummary(episode=episode, **{**values, **changes})
        message.header.stamp = stamp_from_ns(episode + 1)
        self.episodes.publish(message)

    def see(self, episode: int, step: int, stamp_ns: int) -> None:
        message = self._kit.observation(episode, step)
        message.header.stamp = stamp_from_ns(stamp_ns)
        self.observations.publish(message)

    def know(self, episode: int, stamp_ns: int, success: bool, events=()) -> None:
        message = SimGroundTruth(episode=episode, success=success, events=events)
        message.header.stamp = stamp_from_ns(stamp_ns)
        self.truths.publish(message)


@pytest.fixture
def peer(context, kit):
    peer = Peer(kit)
    yield peer
    peer.node.destroy_node()


@pytest.fixture
def start(kit, tmp_path):
    """Starts a monitor on tmp_path; whatever still runs at the end is killed."""
    processes = []

    def start(phase, stdout=subprocess.PIPE, **more):
        overrides = json.dumps(["observation.image_size=32"])
        parameters = {
            "task": kit.task_file,
            "run_dir": tmp_path,
            "phase": phase,
            "overrides": overrides,
            **more,
        }
        arguments = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
        process = subprocess.Popen(
            [sys.executable, "-m", "hilserl_agent.monitor", "--ros-args", *arguments],
            stdout=stdout,
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


def stop(process) -> str:
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, error
    return output


def rows(folder, name):
    path = folder / "metrics" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_training_is_written_down_and_goes_on_after_a_restart(peer, start, tmp_path):
    earlier = {
        "phase": "train",
        "wall_s": 100.0,
        "actor_id": "actor",
        "episode": 0,
        "stamp_ns": 1,
        "steps": 7,
    }
    earlier |= {"outcome": "failure", "discarded": False, "intervention_steps": 7, "duration_s": 0.7}
    append_row(tmp_path / "metrics" / "episodes.jsonl", {**earlier, "truth_success": None})
    monitor = start("train")
    peer.wait_connected(peer.episodes, peer.actions, peer.statuses)
    for step in range(10):
        peer.actions.publish(Action(episode=1, step=step))
    status = TrainingStatus(state="training", gradient_steps=500, policy_version=9, online_size=17)
    status.metric_names, status.metric_values = ["critic_loss", "q"], [0.25, float("nan")]
    peer.statuses.publish(status)
    peer.summarize(0)  # latched by the actor, written down before the restart
    peer.summarize(1, intervention_steps=3, interventions=1, total_steps=17)
    peer.wait(lambda: len(rows(tmp_path, "episodes")) == 2, "row of the episode")
    peer.wait(lambda: rows(tmp_path, "status"), "row of the status")
    output = stop(monitor)

    episode = rows(tmp_path, "episodes")[1]
    assert (episode["phase"], episode["episode"], episode["outcome"]) == ("train", 1, "success")
    assert (episode["termination_reason"], episode["intervention_steps"]) == ("reward", 3)
    assert 100.0 < episode["wall_s"] < 100.0 + DEADLINE_S
    assert episode["truth_success"] is None  # training does not look at the simulator's truth
    status = rows(tmp_path, "status")[-1]
    assert (status["gradient_steps"], status["policy_version"], status["online_size"]) == (500, 9, 17)
    assert status["metrics"] == {"critic_loss": 0.25, "q": None}
    assert "train episode 1: success (reward), 10 steps, 3 by the operator" in output
    assert "episodes 2" in output
    assert "success 50% (last 2)" in output
    assert "environment steps 17" in output


def test_the_last_episodes_count_when_the_end_comes_right_behind_them(peer, start, tmp_path):
    monitor = start("train")
    peer.wait_connected(peer.episodes)
    monitor.send_signal(signal.SIGSTOP)  # when it goes on, the request to end is there as early as they are
    for episode in range(10):
        peer.summarize(episode)
    monitor.send_signal(signal.SIGINT)
    monitor.send_signal(signal.SIGCONT)
    stop(monitor)
    assert [row["episode"] for row in rows(tmp_path, "episodes")] == list(range(10))


def test_evaluation_knows_the_truth_of_each_last_step_and_draws_it(peer, start, tmp_path):
    monitor = start("evaluate")
    peer.wait_connected(peer.episodes, peer.truths, peer.observations)
    for episode, truth in [(0, True), (1, False)]:
        for step in range(4):
            stamp_ns = 10**9 * (10 * episode + step + 1)
            peer.know(episode, stamp_ns, success=truth and step == 3)
            peer.see(episode, step, stamp_ns)
        peer.summarize(episode, steps=3, duration_s=0.3)
    peer.summarize(2, steps=3)  # nothing was seen of it: the truth stays unknown
    peer.wait(lambda: len(rows(tmp_path, "evaluation")) == 3, "rows of the evaluation")
    output = stop(monitor)
    evaluation = rows(tmp_path, "evaluation")
    assert [row["truth_success"] for row in evaluation] == [True, False, None]
    assert {row["phase"] for row in evaluation} == {"evaluate"}
    assert len({row["started"] for row in evaluation}) == 1
    assert len(rows(tmp_path, "episodes")) == 3
    assert "episodes 3/50" in output
    assert "success, simulator 50% (last 3)" in output
    for episode in (0, 1):
        strip = cv2.imread(str(tmp_path / "figures" / f"evaluation_{episode:04d}.png"))
        assert strip.shape[1] > 4 * 32
        video = cv2.VideoCapture(str(tmp_path / "figures" / f"evaluation_{episode:04d}.mp4"))
        assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 4


def test_a_trial_says_what_disturbed_it_and_when(peer, start, tmp_path):
    overrides = json.dumps(["observation.image_size=32", "evaluation.events=[arm_pushed, board_shifts]"])
    monitor = start("evaluate", overrides=overrides)
    peer.wait_connected(peer.episodes, peer.truths, peer.observations)
    happened = {0: [[], [], ["board_shifts"], ["board_shifts", "arm_pushed"]], 1: [[], [], [], []]}
    for episode, events in happened.items():
        for step in range(4):
            stamp_ns = 10**10 * (episode + 1) + 10**8 * step
            peer.know(episode, stamp_ns, success=step == 3, events=events[step])
            peer.see(episode, step, stamp_ns)
        peer.know(episode, stamp_ns + 10**8, success=True, events=["arm_pushed"])  # the episode is over
        peer.summarize(episode, steps=3, duration_s=0.3)
    peer.wait(lambda: len(rows(tmp_path, "evaluation")) == 2, "rows of the evaluation")
    stop(monitor)
    evaluation = rows(tmp_path, "evaluation")
    assert [row["events_asked"] for row in evaluation] == [["board_shifts", "arm_pushed"]] * 2
    assert evaluation[0]["events"] == [
        {"kind": "board_shifts", "time_s": 0.2},
        {"kind": "arm_pushed", "time_s": 0.3},
    ]
    assert evaluation[1]["events"] == []


def test_trials_are_kept_apart_with_seed_and_start_and_a_discarded_one_is_repeated(peer, start, tmp_path):
    results = tmp_path / "results"
    monitor = start("evaluate", results=results, first_trial=5, pictured=6)
    peer.wait_connected(peer.episodes, peer.truths, peer.observations)
    for episode in range(3):
        for step in range(2):
            stamp_ns = 10**9 * (10 * episode + step + 1)
            peer.know(episode, stamp_ns, success=True)
            peer.see(episode, step, stamp_ns)
        peer.summarize(episode, steps=1, discarded=episode == 0)
    written = results / "trials.jsonl"
    peer.wait(lambda: written.exists() and len(written.read_text().splitlines()) == 3, "rows of the trials")
    stop(monitor)
    trials = [json.loads(line) for line in written.read_text().splitlines()]
    assert [(row["trial"], row["discarded"]) for row in trials] == [(5, True), (5, False), (6, False)]
    assert [row["seed"] for row in trials] == [reset_seed(0, "evaluate", trial) for trial in (5, 5, 6)]
    assert all(len(row["base_T_start"]["arm"]) == len(row["base_T_goal"]) == 7 for row in trials)
    assert not (tmp_path / "metrics").exists()
    assert [path.name for path in sorted((results / "videos").iterdir())] == [
        "trial_0005.mp4",
        "trial_0005.png",
    ]


def test_an_evaluation_within_training_is_no_training(peer, start, tmp_path):
    monitor = start("train")
    peer.wait_connected(peer.episodes)
    peer.summarize(0, phase="train")
    peer.summarize(1, phase="evaluate")
    peer.wait(lambda: rows(tmp_path, "evaluations_in_training"), "row of the evaluation")
    output = stop(monitor)
    assert [row["episode"] for row in rows(tmp_path, "episodes")] == [0]
    assert [row["phase"] for row in rows(tmp_path, "evaluations_in_training")] == ["evaluate"]
    assert "episodes 1;" in output


def test_a_terminal_gets_a_table_that_is_redrawn(peer, start):
    leader, follower = pty.openpty()
    monitor = start("demos", stdout=follower)
    os.close(follower)
    os.set_blocking(leader, False)
    shown = ""

    def read() -> str:
        nonlocal shown
        with contextlib.suppress(OSError):  # nothing there yet, or the other end is closed
            shown += os.read(leader, 65536).decode(errors="replace")
        return shown

    peer.wait_connected(peer.saved)
    peer.saved.publish(RecorderStatus(state="recording", saved=4, target=20, message="bag 4 of 20"))
    peer.wait(lambda: "4/20 (bag 4 of 20)" in read(), "number of demonstrations")
    assert "recording demonstrations" in shown
    monitor.send_signal(signal.SIGINT)
    peer.wait(lambda: read() is not None and monitor.poll() is not None, "end")
    os.close(leader)
    assert monitor.returncode == 0


@pytest.mark.parametrize("damaged", [False, True])
def test_an_unusable_phase_or_file_is_one_line_and_exit_2(peer, start, tmp_path, damaged):
    if damaged:
        (tmp_path / "metrics").mkdir()
        (tmp_path / "metrics" / "episodes.jsonl").write_text("not\njson\n")
    monitor = start("train" if damaged else "training")
    _, error = monitor.communicate(timeout=DEADLINE_S)
    assert monitor.returncode == 2
    assert ("episodes.jsonl" if damaged else "phase: 'training' must be one of labels") in error
    assert "Traceback" not in error
