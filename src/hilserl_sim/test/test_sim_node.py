# SPDX-License-Identifier: Apache-2.0
"""The node as a process of its own, seen over real topics and actions."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient
from sensor_msgs.msg import Image, JointState

from hilserl_msgs.action import Reset
from hilserl_msgs.msg import CartesianControllerState, CartesianTarget, SimGroundTruth
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import own_domain
from hilserl_task import Task

PERIOD_NS = 100_000_000
DEADLINE_S = 20.0


class Client:
    """Collects everything the simulated robot says, by topic."""

    def __init__(self, context: rclpy.Context, task: Task, pacing: str) -> None:
        self.node = rclpy.create_node("test_sim_client", context=context, namespace=pacing)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.received: dict[str, list] = {}
        sensor = qos.sensor(pacing)
        self.state_topic = topics.controller_state("arm")
        self.image_topics = [camera.topic for camera in task.cameras]
        self._listen(CartesianControllerState, self.state_topic, sensor)
        self._listen(JointState, topics.gripper_state("arm"), sensor)
        self._listen(SimGroundTruth, topics.SIM_GROUND_TRUTH, qos.SIM_GROUND_TRUTH)
        self._listen(DiagnosticArray, topics.DIAGNOSTICS, qos.DIAGNOSTICS)
        for topic in self.image_topics:
            self._listen(Image, topic, sensor)
        self.targets = self.node.create_publisher(
            CartesianTarget, topics.controller_target("arm"), qos.CONTROLLER_TARGET
        )
        self.resets = ActionClient(self.node, Reset, topics.RESET)

    def _listen(self, kind: type, topic: str, profile: object) -> None:
        self.received[topic] = []
        self.node.create_subscription(kind, topic, self.received[topic].append, profile)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"no {what} within {DEADLINE_S} s"
            self.executor.spin_once(timeout_sec=0.02)

    def connect(self) -> None:
        """Until the node's publishers and ours are matched."""
        self.wait(self.resets.server_is_ready, "reset server")
        self.wait(lambda: self.targets.get_subscription_count() > 0, "subscriber of the target")
        topics_needed = [self.state_topic, topics.SIM_GROUND_TRUTH, *self.image_topics]
        self.wait(lambda: all(self.node.count_publishers(topic) for topic in topics_needed), "publishers")
        settled = time.monotonic() + 0.5  # the other side may match later than ours
        self.wait(lambda: time.monotonic() > settled, "settling")

    def reset(self, seed: int, episode: int = 1, evaluation: bool = False) -> Reset.Result:
        for messages in self.received.values():
            messages.clear()
        goal = Reset.Goal(episode=episode, seed=seed, evaluation=evaluation)
        sent = self.resets.send_goal_async(goal)
        self.wait(sent.done, "answer to the reset goal")
        result = sent.result().get_result_async()
        self.wait(result.done, "result of the reset")
        return result.result().result

    def stamps(self, topic: str) -> list[int]:
        return [codec.ns_from_stamp(message.header.stamp) for message in self.received[topic]]

    def newest(self) -> CartesianControllerState:
        return self.received[self.state_topic][-1]

    def send_target(self, stamp_ns: int, down_m: float = 0.0, **position: float) -> None:
        target = CartesianTarget(header=codec.header(stamp_ns, "panda_link0"))
        state = self.newest().pose
        target.pose.orientation = state.orientation
        target.pose.position.x, target.pose.position.y = state.position.x, state.position.y
        target.pose.position.z = state.position.z - down_m
        for axis, value in position.items():
            setattr(target.pose.position, axis, value)
        self.targets.publish(target)

    def said(self, text: str) -> bool:
        statuses = [s for array in self.received[topics.DIAGNOSTICS] for s in array.status]
        return any(text in status.message for status in statuses)

    def wait_for_set(self, stamp_ns: int) -> None:
        wanted = [self.state_topic, topics.SIM_GROUND_TRUTH, topics.gripper_state("arm"), *self.image_topics]
        self.wait(lambda: all(stamp_ns in self.stamps(topic) for topic in wanted), f"set of {stamp_ns} ns")


def launch(task_file: Path, run_dir: Path, namespace: str, overrides: list[str]) -> subprocess.Popen:
    """The node in a process of its own; what it says goes to `stderr.log` in its run folder."""
    own_domain()
    arguments = ["-r", f"__ns:=/{namespace}", "-p", f"task:={task_file}", "-p", f"run_dir:={run_dir}"]
    if overrides:
        arguments += ["-p", "overrides:=[" + ",".join(f"'{item}'" for item in overrides) + "]"]
    command = [
        sys.executable,
        "-c",
        "from hilserl_sim.sim_node import main; main()",
        "--ros-args",
        *arguments,
    ]
    with (run_dir / "stderr.log").open("w") as log:
        return subprocess.Popen(command, stderr=log)


def running(task: Task, task_file: Path, run_dir: Path, pacing: str) -> Iterator[Client]:
    """Process and connected client; afterwards the process must end by SIGINT with exit code 0."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=own_domain())
    client = Client(context, task, pacing)
    process = launch(task_file, run_dir, pacing, [f"pacing={pacing}"])
    try:
        client.connect()
        yield client
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=DEADLINE_S) == 0, (run_dir / "stderr.log").read_text()
    finally:
        process.kill()
        process.wait()
        client.node.destroy_node()
        rclpy.shutdown(context=context)


@pytest.fixture(scope="module")
def lockstep(task, task_file, tmp_path_factory):
    yield from running(task, task_file, tmp_path_factory.mktemp("run"), "lockstep")


@pytest.fixture(scope="module")
def realtime(task, task_file, tmp_path_factory):
    yield from running(task, task_file, tmp_path_factory.mktemp("run"), "realtime")


def test_reset_gives_state_and_pictures_of_one_stamp(lockstep):
    result = lockstep.reset(seed=3, episode=7)
    assert result.success
    stamp = codec.ns_from_stamp(result.stamp)
    assert stamp > 1_000_000_000
    lockstep.wait_for_set(stamp)
    assert lockstep.received[topics.SIM_GROUND_TRUTH][-1].episode == 7
    pictures = [codec.array_from_image(lockstep.received[t][-1]) for t in lockstep.image_topics]
    assert [picture.shape for picture in pictures] == [(128, 128, 3)] * 2
    assert all(picture.std() > 10 for picture in pictures)
    assert len(lockstep.newest().joint_position) == 7


def test_target_advances_exactly_one_period(lockstep):
    stamp = codec.ns_from_stamp(lockstep.reset(seed=3).stamp)
    lockstep.wait_for_set(stamp)
    before = lockstep.newest().pose.position.z
    for _ in range(3):
        lockstep.send_target(stamp, down_m=0.01)
        stamp += PERIOD_NS
        lockstep.wait_for_set(stamp)
    assert lockstep.stamps(lockstep.state_topic)[-1] == stamp
    assert len(lockstep.stamps(lockstep.state_topic)) == 4
    assert 0.008 < before - lockstep.newest().pose.position.z < 0.03


def test_state_says_how_hard_the_arm_may_push(lockstep, task):
    lockstep.wait_for_set(codec.ns_from_stamp(lockstep.reset(seed=3).stamp))
    gains, state = task.arms[0].controller.gains, lockstep.newest()
    for push, clip in (
        (state.push_negative, gains.translational_clip_m.negative),
        (state.push_positive, gains.translational_clip_m.positive),
    ):
        np.testing.assert_allclose(push[:3], gains.translational_stiffness * np.array(clip))
    assert state.mode == CartesianTarget.MODE_POSE


def test_wrong_stamp_is_ignored_and_said(lockstep):
    stamp = codec.ns_from_stamp(lockstep.reset(seed=3).stamp)
    lockstep.wait_for_set(stamp)
    lockstep.send_target(stamp - PERIOD_NS)
    lockstep.send_target(stamp + 1)
    lockstep.wait(lambda: lockstep.said("ignored"), "diagnostic about the wrong stamp")
    assert lockstep.stamps(lockstep.state_topic) == [stamp]


def test_invalid_target_is_refused_and_the_next_one_works(lockstep):
    stamp = codec.ns_from_stamp(lockstep.reset(seed=3).stamp)
    lockstep.wait_for_set(stamp)
    lockstep.send_target(stamp, x=float("nan"))
    lockstep.wait(lambda: lockstep.said("finite"), "diagnostic about the NaN")
    assert lockstep.stamps(lockstep.state_topic) == [stamp]
    lockstep.send_target(stamp)
    lockstep.wait_for_set(stamp + PERIOD_NS)


def test_a_volatile_publisher_of_poses_moves_the_arm(lockstep):
    """What `ros2 topic pub` and most ROS tools are."""
    poses = lockstep.node.create_publisher(
        PoseStamped, topics.arm_topic("arm", "cartesian_controller/target_pose"), 1
    )
    lockstep.wait(lambda: poses.get_subscription_count() > 0, "subscriber of target_pose")
    stamp = codec.ns_from_stamp(lockstep.reset(seed=3).stamp)
    lockstep.wait_for_set(stamp)
    poses.publish(PoseStamped(header=codec.header(stamp, "panda_link0"), pose=lockstep.newest().pose))
    lockstep.wait_for_set(stamp + PERIOD_NS)
    lockstep.node.destroy_publisher(poses)


def test_same_seed_gives_the_same_messages(lockstep):
    def episode() -> list[bytes]:
        stamp = codec.ns_from_stamp(lockstep.reset(seed=11).stamp)
        lockstep.wait_for_set(stamp)
        seen = []
        for _ in range(5):
            lockstep.send_target(stamp, down_m=0.01)
            stamp += PERIOD_NS
            lockstep.wait_for_set(stamp)
            seen += [bytes(lockstep.received[topic][-1].data) for topic in lockstep.image_topics]
            seen.append(np.array(lockstep.newest().joint_position).tobytes())
        return seen

    first = episode()
    assert episode() == first
    assert len(set(first)) == len(first)


def test_evaluation_reset_moves_the_board(lockstep):
    boards = []
    for evaluation in (False, True):
        stamp = codec.ns_from_stamp(lockstep.reset(seed=5, evaluation=evaluation).stamp)
        lockstep.wait_for_set(stamp)
        boards.append(codec.matrix_from_pose(lockstep.received[topics.SIM_GROUND_TRUTH][-1].base_t_board))
    assert np.abs(boards[0] - boards[1]).max() > 0.005


def test_realtime_runs_by_itself_and_follows(realtime):
    result = realtime.reset(seed=3)
    assert result.success
    stamp = codec.ns_from_stamp(result.stamp)
    for topic in (realtime.state_topic, *realtime.image_topics):
        realtime.wait(
            lambda topic=topic: sum(s >= stamp for s in realtime.stamps(topic)) >= 10,
            f"10 messages on {topic}",
        )
    start = realtime.newest().pose.position.z
    deadline = time.monotonic() + DEADLINE_S
    while start - realtime.newest().pose.position.z < 0.01:
        assert time.monotonic() < deadline, "the arm did not follow"
        realtime.send_target(realtime.node.get_clock().now().nanoseconds, down_m=0.01)
        wait_until = time.monotonic() + 0.05
        realtime.wait(lambda until=wait_until: time.monotonic() > until, "next target")


def test_realtime_holds_without_targets(realtime):
    realtime.wait(lambda: bool(realtime.received[realtime.state_topic]), "state")
    realtime.wait(lambda: realtime.newest().holding, "hold after the last target")
    realtime.wait(lambda: max(abs(realtime.newest().twist.linear.z), 0) < 1e-3, "standstill")


def test_realtime_ignores_old_targets(realtime):
    realtime.wait(lambda: bool(realtime.received[realtime.state_topic]), "state")
    realtime.send_target(realtime.node.get_clock().now().nanoseconds - 5_000_000_000, down_m=0.01)
    realtime.wait(lambda: realtime.said("older than target_timeout_s"), "diagnostic about the old target")


def test_realtime_ignores_targets_from_the_future(realtime):
    realtime.wait(lambda: bool(realtime.received[realtime.state_topic]), "state")
    realtime.send_target(realtime.node.get_clock().now().nanoseconds + 5_000_000_000, down_m=0.01)
    realtime.wait(lambda: realtime.said("further ahead than target_timeout_s"), "diagnostic about the stamp")


def test_realtime_ignores_targets_of_before_the_reset(realtime):
    deadline = time.monotonic() + DEADLINE_S
    while not realtime.said(
        "stamped before the last reset"
    ):  # again, should the answer take target_timeout_s
        assert time.monotonic() < deadline, "no diagnostic about the stamp"
        stamp = codec.ns_from_stamp(realtime.reset(seed=3).stamp)
        realtime.wait(lambda: bool(realtime.received[realtime.state_topic]), "state")
        realtime.send_target(stamp - 1, down_m=0.01)
        wait_until = time.monotonic() + 0.5
        realtime.wait(lambda until=wait_until: time.monotonic() > until, "the node's answer")


def test_realtime_counts_the_age_from_the_targets_own_stamp(realtime):
    realtime.reset(seed=3)
    states = realtime.received[realtime.state_topic]
    realtime.wait(lambda: bool(states) and realtime.newest().target_age > 1.0, "an old target")
    stamp = realtime.node.get_clock().now().nanoseconds - 200_000_000
    realtime.send_target(stamp)
    realtime.wait(lambda: realtime.newest().target_age < 1.0, "the new target in the state")
    old = max(index for index, state in enumerate(states) if state.target_age > 1.0)
    first = states[old + 1]
    wall_s = (codec.ns_from_stamp(first.header.stamp) - stamp) * 1e-9
    assert 0.199 < first.target_age < wall_s + 0.1


@pytest.mark.parametrize(
    ("override", "message"),
    [("scene.name=nowhere", "known scenes"), ("cameras.0.name=top_1", "does not exist")],
)
def test_wrong_scene_ends_with_one_line_and_exit_code_2(task_file, tmp_path, override, message):
    assert launch(task_file, tmp_path, "wrong", [override]).wait(timeout=DEADLINE_S) == 2
    error = (tmp_path / "stderr.log").read_text()
    assert message in error
    assert "Traceback" not in error
