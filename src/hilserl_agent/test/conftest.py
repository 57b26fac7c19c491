# SPDX-License-Identifier: Apache-2.0
"""A small task, a run folder with perception and demonstrations, transitions as an actor sends them, and a
robot side that speaks the real messages."""

import threading
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
import torch
from builtin_interfaces.msg import Time
from rclpy.action import ActionServer
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image

from hilserl_agent.config import PERCEPTION_FILE, load_perception
from hilserl_agent.episode_book import ClosedStep, Executed, Frame
from hilserl_agent.messages import transition_message
from hilserl_learning.perception import Perception
from hilserl_msgs.action import Reset
from hilserl_msgs.msg import (
    Action,
    ArmState,
    CartesianControllerState,
    CartesianTarget,
    EpisodeSummary,
    Observation,
    Reward,
)
from hilserl_msgs.srv import BeginEpisode
from hilserl_ros import qos, topics
from hilserl_ros.bags import EpisodeBagWriter
from hilserl_ros.codec import floats32, image_from_array
from hilserl_ros.testing import own_domain
from hilserl_task import Task, load_task

TASK_FILE = Path(__file__).parents[3] / "config" / "tasks" / "ram_insertion.yaml"
SMALL = (
    "learner.store_images=true",
    "observation.image_size=32",
    "learner.batch_size=16",
    "learner.capacity=500",
    "learner.training_starts=4",
    "learner.publish_every=5",
    "learner.checkpoint_every=1000",
    "learner.demonstration_count=2",
    "episode.max_steps=10",
)

own_domain()
torch.set_num_threads(1)


def small_task(*overrides: str) -> Task:
    return load_task(str(TASK_FILE), [*SMALL, *overrides])


def images(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)


def observation(episode: int, step: int) -> Observation:
    message = Observation(episode=episode, step=step, camera_names=["wrist_1", "wrist_2"])
    message.images = [image_from_array(picture, 0) for picture in images(100 * episode + step)]
    message.state = floats32(np.full(18, 0.01 * step, np.float32))
    message.arms = [ArmState(name="arm", joint_position=[0.0] * 7, joint_velocity=[0.0] * 7)]
    message.arms[0].pose.position.z = 0.1 - 0.01 * step
    message.arms[0].pose.orientation.w = 1.0
    return message


def write_demonstration(
    folder: Path, task: Task, episode: int, steps: int = 6, success: bool = True, actions=None
) -> None:
    """A bag; action k is row k of `actions`, by default 0.1 k."""
    outcome = EpisodeSummary.OUTCOME_SUCCESS if success else EpisodeSummary.OUTCOME_FAILURE
    with EpisodeBagWriter(folder / f"episode_{episode:04d}", task) as bag:
        for k in range(steps + 1):
            bag.write("observation", observation(episode, k), 10**9 + k)
            bag.write("reward", Reward(episode=episode, step=k, success=success and k == steps), 10**9 + k)
            if k < steps:
                values = np.full(6, 0.1 * k) if actions is None else actions[k]
                action = Action(episode=episode, step=k, source=1, values=floats32(values))
                bag.write("executed_action", action, 10**9 + k)
        reason = EpisodeSummary.TERMINATION_REWARD if success else EpisodeSummary.TERMINATION_TIMEOUT
        summary = EpisodeSummary(episode=episode, steps=steps, outcome=outcome, termination_reason=reason)
        bag.write("episode", summary, 10**9 + steps)


def fitted_perception() -> Perception:
    rng = np.random.default_rng(0)
    perception = Perception(n_cameras=2, width=0.125, components=8, image_size=32)
    pictures = np.stack([images(seed) for seed in range(24)])
    perception.fit_readout(pictures, rng.normal(0, 0.01, (24, 6)), np.arange(24) // 6)
    return perception


@pytest.fixture
def task() -> Task:
    return small_task()


@pytest.fixture(scope="session")
def run_template(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    fitted_perception().save(folder / PERCEPTION_FILE)
    for episode, success in enumerate([True, False, True, True]):
        write_demonstration(folder / "demos", small_task(), episode, success=success)
    return folder


@pytest.fixture
def run_dir(run_template, tmp_path) -> Path:
    """Fresh run folder; perception and demonstrations are links."""
    for name in ("perception", "demos"):
        (tmp_path / name).symlink_to(run_template / name)
    return tmp_path


def episode_messages(task: Task, run_dir: Path, episode: int, first: int, human=(), steps: int = 10) -> list:
    """Transitions of an episode that runs into the step limit; sequence numbers from `first`."""
    perception = load_perception(task, run_dir)
    frames = []
    for k in range(steps + 1):
        pictures = images(1000 * episode + k)
        features = np.zeros(0, np.float32) if perception is None else perception.encode(pictures)[0]
        frames.append(Frame(k, np.full(18, 0.1 * k, np.float32), pictures, features))
    messages = []
    for k in range(steps):
        executed = Executed(np.full(6, 0.05 * k, np.float32), int(k in human))
        last = k == steps - 1
        closed = ClosedStep(frames[k], executed, frames[k + 1], 0.0, False, last)
        message = transition_message(closed, episode, task.learner.store_images)
        message.sequence = first + k
        messages.append(message)
    return messages


@pytest.fixture
def kit() -> SimpleNamespace:
    """The makers above: test files of several packages share no import path."""
    return SimpleNamespace(
        task_file=TASK_FILE,
        small=SMALL,
        small_task=small_task,
        episode_messages=episode_messages,
        observation=observation,
        images=images,
        write_demonstration=write_demonstration,
        fitted_perception=fitted_perception,
    )


class RobotSide:
    """Answers every action at once with its execution, the next observation and its reward."""

    def __init__(self, context, kit, task):
        self.kit, self.task = kit, task
        self.success_step = 4  # observation that counts as success; 0: never
        self.dies_after = None  # step after which nothing is answered
        self.nan_step = None
        self.human_steps = ()
        self.discards = ()  # (episode, step) at which the operator discards
        self.events = {}  # button edges by (episode, step)
        self.same_pictures = False  # in every episode
        self.answered, self.allowed = 0, 10**9  # actions answered, and how many may be by now
        self.seeds, self.evaluations, self.summaries = [], [], []
        self.actions = defaultdict(dict)
        self.node = node = rclpy.create_node("robot_side", context=context)
        self.observations = node.create_publisher(Observation, topics.OBSERVATION, qos.OBSERVATION)
        self.executed = node.create_publisher(Action, topics.EXECUTED_ACTION, qos.EXECUTED_ACTION)
        self.rewards = node.create_publisher(Reward, topics.REWARD, qos.REWARD)
        node.create_subscription(Action, topics.POLICY_ACTION, self.act, qos.POLICY_ACTION)
        node.create_subscription(EpisodeSummary, topics.EPISODE, self.summaries.append, qos.EPISODE)
        node.create_service(BeginEpisode, topics.BEGIN_EPISODE, self.begin)
        self.reset_server = ActionServer(node, Reset, topics.RESET, self.reset)
        self.endpoints(CartesianTarget, topics.controller_target("arm"))
        self.endpoints(CartesianControllerState, topics.controller_state("arm"))
        for camera in task.cameras:
            self.endpoints(Image, camera.topic)

    def endpoints(self, kind, topic):
        """Both ends of a topic that only has to be there."""
        self.node.create_publisher(kind, topic, 1)
        self.node.create_subscription(kind, topic, lambda _: None, 1)

    def reset(self, goal):
        self.seeds.append(goal.request.seed)
        self.evaluations.append(goal.request.evaluation)
        goal.succeed()
        return Reset.Result(success=True, stamp=Time(sec=1))

    def begin(self, request, response):
        self.observe(request.episode, 0)
        response.accepted = True
        return response

    def act(self, action):
        self.actions[action.episode][action.step] = list(action.values)
        while self.answered >= self.allowed:
            time.sleep(0.01)
        self.answered += 1
        if self.dies_after is not None and action.step >= self.dies_after:
            return
        action.source = Action.SOURCE_HUMAN if action.step in self.human_steps else Action.SOURCE_POLICY
        if (action.episode, action.step) in self.discards:
            action.event = Action.EVENT_DISCARD
        action.event = self.events.get((action.episode, action.step), action.event)
        self.observe(action.episode, action.step + 1)
        self.executed.publish(action)

    def observe(self, episode, step):
        message = self.kit.observation(0 if self.same_pictures else episode, step)
        message.episode = episode
        if step == self.nan_step:
            message.state[3] = float("nan")
        self.observations.publish(message)
        success = bool(self.success_step) and step == self.success_step
        self.rewards.publish(Reward(episode=episode, step=step, success=success, threshold=0.5))


@pytest.fixture
def robot(kit, task):
    """A living robot side, in a thread of its own."""
    context = rclpy.Context()
    rclpy.init(context=context)
    robot = RobotSide(context, kit, task)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(robot.node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    yield robot
    executor.shutdown()
    thread.join(timeout=10)
    robot.reset_server.destroy()
    robot.node.destroy_node()
    rclpy.shutdown(context=context)
