# SPDX-License-Identifier: Apache-2.0
"""A bag played into the live graph gives the transitions of the recording.

To the recorder, to what the learner takes in as demonstrations, and to what the actor makes of the messages.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from hilserl_agent.demonstrations import load_demonstrations
from hilserl_agent.episode_book import EpisodeBook, Event, Executed, Rules
from hilserl_agent.observations import ObservationReader
from hilserl_learning.replay import ReplayBuffer
from hilserl_msgs.msg import Action, Observation, Reward
from hilserl_recorder.recorder_node import RecorderNode
from hilserl_recorder.replay import Replay
from hilserl_ros import qos, topics
from hilserl_ros.bags import BagError, read_bag, read_episode
from hilserl_ros.testing import RosGraph
from hilserl_task import load_task

SHIPPED = Path(__file__).resolve().parents[1] / "rosbags" / "ram_insertion"
BAGS = sorted(SHIPPED.glob("episode_*"))[:2]
GAP_S = 0.2  # for the graph to see a publisher come and go


def play(graph, bag):
    """Plays a bag to the nodes of `graph`, which run in the same executor, message by message."""
    node = graph.add(lambda: Replay(bag))
    graph.spin_until(lambda: any(node.listeners().values()), timeout_s=30, what="a listener")
    graph.spin_for(GAP_S)
    node.check_alone()
    for entry in bag.messages:
        node.play(1, [entry])
        graph.spin_for(0.003)


def stored(run_dir, task, episodes):
    """The transitions that the learner holds after taking in the demonstrations of a run."""
    size = task.observation.image_size
    buffer = ReplayBuffer(1000, 18, 0, 6, image_shape=(len(task.cameras), size, size, 3))
    count = load_demonstrations(task, run_dir, None, buffer, with_features=False)
    assert count == sum(episode.steps for episode in episodes)
    return buffer


def in_order(messages):
    return sorted(((m.topic, m.stamp_ns, m.message) for m in messages), key=lambda entry: entry[:2])


def test_the_recorder_and_the_learner_take_in_the_same_again(tmp_path):
    original = tmp_path / "original"
    for bag in BAGS:
        shutil.copytree(bag, original / "demos" / bag.name)
    with RosGraph(task="ram_insertion", run_dir=str(tmp_path / "again"), target=len(BAGS)) as graph:
        recorder = graph.add(RecorderNode)
        for number, bag in enumerate(BAGS):
            play(graph, read_bag(bag))
            target = tmp_path / "again" / "demos" / f"episode_{number:04d}"
            graph.spin_until(target.is_dir, 20, "the bag")
        assert recorder.ended.result() == 0
    again = sorted((tmp_path / "again" / "demos").iterdir())
    for first, second in zip(BAGS, again, strict=True):
        played, recorded = read_bag(first).messages, read_bag(second).messages
        # Field by field: the padding between fields of serialized messages is whatever was in memory.
        assert in_order(played) == in_order(recorded)
    task = load_task("ram_insertion")
    episodes = [read_episode(bag) for bag in BAGS]
    one, two = (stored(run_dir, task, episodes) for run_dir in (original, tmp_path / "again"))
    assert len(one) == len(two) == sum(episode.steps for episode in episodes)
    first, second = (buffer.sample(500, torch.Generator().manual_seed(1)) for buffer in (one, two))
    for name, values in first._asdict().items():
        assert values is None or torch.equal(values, getattr(second, name)), name


@pytest.mark.parametrize("bag", BAGS, ids=lambda bag: bag.name)
def test_the_actors_own_books_close_the_same_steps(bag):
    episode = read_episode(bag)
    task = load_task("ram_insertion")
    book, reader, closed = EpisodeBook(Rules(task.episode.max_steps)), ObservationReader(task), []
    with RosGraph() as graph:
        peer = graph.peer()

        def executed(message):
            values = np.array(message.values, np.float32)
            closed.extend(
                book.add_executed(message.step, Executed(values, message.source, Event(message.event)))
            )

        peer.create_subscription(
            Observation,
            topics.OBSERVATION,
            lambda m: closed.extend(book.add_frame(reader.frame(m))),
            qos.OBSERVATION,
        )
        peer.create_subscription(Action, topics.EXECUTED_ACTION, executed, qos.EXECUTED_ACTION)
        peer.create_subscription(
            Reward, topics.REWARD, lambda m: closed.extend(book.add_reward(m.step, m.success)), qos.REWARD
        )
        play(graph, read_bag(bag))
        graph.spin_until(lambda: len(closed) == episode.steps, 30, what="all steps")
    for k, step in enumerate(closed):
        np.testing.assert_array_equal(step.frame.state, episode.states[k])
        np.testing.assert_array_equal(step.next_frame.state, episode.states[k + 1])
        np.testing.assert_array_equal(step.frame.images, episode.images[k])
        np.testing.assert_array_equal(step.next_frame.images, episode.images[k + 1])
        np.testing.assert_array_equal(step.executed.values, episode.actions[k])
        assert (step.executed.source, step.reward) == (episode.sources[k], episode.rewards[k])
        assert step.terminated == (k == episode.steps - 1)


def test_a_live_graph_is_not_talked_into(tmp_path):
    with RosGraph() as graph:
        peer = graph.peer("observation")
        peer.create_publisher(Observation, topics.OBSERVATION, qos.OBSERVATION)
        node = graph.add(lambda: Replay(read_bag(BAGS[0])))
        graph.spin_until(lambda: peer.count_publishers(topics.OBSERVATION) == 2, what="both publishers")
        with pytest.raises(BagError, match="/observation has another publisher, /observation"):
            node.check_alone()
