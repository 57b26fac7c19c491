# SPDX-License-Identifier: Apache-2.0
"""The uploader against a real service that drops, repeats, forgets and dies."""

import contextlib
import time

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor

from hilserl_agent.episode_book import ClosedStep, Executed, Frame
from hilserl_agent.messages import TransitionShape, transition_message
from hilserl_agent.outbox import Outbox
from hilserl_agent.transport import MAX_BATCH, TransitionUploader
from hilserl_msgs.srv import InsertTransitions

SHAPE = TransitionShape(state=2, action=6, features=3, image=(1, 4, 4, 3))


def transition(step: int, last: bool = False, with_images: bool = True):
    frames = [
        Frame(k, np.full(2, k, np.float32), np.full((1, 4, 4, 3), k % 256, np.uint8), np.ones(3, np.float32))
        for k in (step, step + 1)
    ]
    closed = ClosedStep(frames[0], Executed(np.zeros(6, np.float32), 0), frames[1], 0.0, False, last)
    return transition_message(closed, 0, with_images)


@pytest.fixture
def graph():
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("uploader_test", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield node, executor
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


class Learner:
    """Idempotent insert; `answers` maps the number of a call to how it misbehaves."""

    def __init__(self, node, misbehave=None):
        self.node, self.misbehave = node, misbehave or {}
        self.held, self.calls, self.config_hash = [], 0, "abc"
        self.batches = []
        self.service = node.create_service(InsertTransitions, "insert", self.insert)

    def insert(self, request, response):
        self.calls += 1
        how = self.misbehave.get(self.calls)
        if how == "lose_request":
            raise LostAnswer
        self.batches.append(len(request.transitions))
        sequences = [message.sequence for message in request.transitions]
        response.last_sequence = len(self.held)
        if request.config_hash != self.config_hash:
            response.message = f"config_hash {request.config_hash} differs from {self.config_hash}"
            return response
        if sequences and sequences[0] > len(self.held) + 1:
            response.message = "gap"
            return response
        fresh = [m for m in request.transitions if m.sequence > len(self.held)]
        self.held += [m.step for m in fresh]
        if how == "lose_answer":
            raise LostAnswer
        response.accepted, response.last_sequence, response.policy_version = True, len(self.held), 7
        return response


class LostAnswer(Exception):
    pass


def spin_until(executor, condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        with contextlib.suppress(LostAnswer):  # raised where a dying process would give no answer
            executor.spin_once(timeout_sec=0.05)


def make_uploader(node, path, log, memory_bytes=10**9, config_hash="abc"):
    return TransitionUploader(
        node,
        "insert",
        "robot",
        config_hash,
        "perception",
        Outbox(path / "outbox.spill", memory_bytes),
        on_acknowledged=log.append,
        on_refused=log.append,
        on_warning=log.append,
        reply_timeout_s=0.5,
    )


def test_lost_requests_and_answers_neither_lose_nor_double(graph, tmp_path):
    node, executor = graph
    learner = Learner(node, {1: "lose_request", 3: "lose_answer", 4: "lose_request", 6: "lose_answer"})
    log = []
    uploader = make_uploader(node, tmp_path, log)
    for step in range(37):
        uploader.put(transition(step))
    uploader.flush()
    spin_until(executor, lambda: uploader.idle)
    assert learner.held == list(range(37))
    assert 7 in log
    assert any("did not answer" in str(entry) for entry in log)


def test_a_long_episode_at_once_leaves_in_batches_one_at_a_time(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    uploader = make_uploader(node, tmp_path, [])
    spin_until(executor, lambda: uploader.connected)
    for step in range(100):
        uploader.put(transition(step))
    uploader.flush()  # nothing has been spun: put and flush only hand the first batch to the middleware
    assert len(uploader.outbox) == 100
    spin_until(executor, lambda: uploader.idle)
    assert learner.held == list(range(100))
    assert max(learner.batches) <= MAX_BATCH


def test_learner_that_starts_late_gets_everything(graph, tmp_path):
    node, executor = graph
    log = []
    uploader = make_uploader(node, tmp_path, log, memory_bytes=2000)
    for step in range(60):
        uploader.put(transition(step))
    assert uploader.outbox.spilled > 0
    assert any("disk" in entry for entry in log)
    executor.spin_once(timeout_sec=0.1)
    assert not uploader.idle
    learner = Learner(node)
    uploader.flush()
    spin_until(executor, lambda: uploader.idle)
    assert learner.held == list(range(60))
    assert uploader.outbox.spilled == 0


def test_learner_that_dies_and_comes_back_from_a_checkpoint_is_continued(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    log = []
    uploader = make_uploader(node, tmp_path, log)
    for step in range(20):
        uploader.put(transition(step))
    uploader.flush()
    spin_until(executor, lambda: uploader.idle)
    node.destroy_service(learner.service)
    again = Learner(node)
    again.held = learner.held[:15]
    for step in range(20, 30):
        uploader.put(transition(step))
    uploader.flush()
    spin_until(executor, lambda: uploader.idle)
    assert again.held == [*range(15), *range(20, 30)]
    assert any("without its newest 5" in str(entry) for entry in log)


def test_restarted_actor_continues_the_learners_numbers(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    learner.held = list(range(12))
    uploader = make_uploader(node, tmp_path, [])
    uploader.put(transition(12))
    uploader.flush()
    spin_until(executor, lambda: uploader.idle)
    assert learner.held == list(range(13))


def test_refusal_is_reported_once_and_ends_sending(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    log = []
    uploader = make_uploader(node, tmp_path, log, config_hash="other")
    spin_until(executor, lambda: log)
    assert log == ["config_hash other differs from abc"]
    uploader.put(transition(0))
    uploader.flush()
    calls = learner.calls
    deadline = time.monotonic() + 0.6  # three retry periods
    while time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.05)
    assert learner.calls == calls


def test_spill_keeps_order_and_content(tmp_path):
    path = tmp_path / "outbox.spill"
    outbox = Outbox(path, memory_bytes=1500)
    taken = []
    for step in range(200):
        outbox.put(transition(step))
        if step % 3 == 0:  # slower out than in
            taken += outbox.head(2)
            outbox.reconcile(len(taken))
    assert outbox.spilled > 50
    while len(outbox):
        taken += outbox.head(7)
        outbox.reconcile(len(taken))
    assert [m.step for m in taken] == list(range(200))
    assert [m.sequence for m in taken] == list(range(1, 201))
    assert all(bytes(m.images) == bytes([m.step]) * 48 for m in taken)
    outbox.close()
    assert not path.exists()


def test_learner_with_more_than_was_sent_means_a_shared_name(tmp_path):
    outbox = Outbox(tmp_path / "outbox.spill")
    outbox.put(transition(0))
    with pytest.raises(ValueError, match="must not share an actor_id"):
        outbox.reconcile(2)


def test_messages_become_checked_records():
    message = transition(4, last=True)
    message.source, message.sequence = 1, 9
    record = SHAPE.record(message)
    assert (record.sequence, record.step, record.human, record.last) == (9, 4, True, True)
    assert record.images is not None
    assert record.images.shape == (1, 4, 4, 3)
    assert record.next_state is not None
    np.testing.assert_array_equal(record.next_state, [5, 5])
    assert SHAPE.record(transition(0, with_images=False)).images is None


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("state", [1.0], "state: 1 values, must be 2"),
        ("state", [1.0, float("nan")], r"state: entries \[1\] are not finite"),
        ("features", [], "features: 0 values, must be 3"),
        ("action", [float("inf")] * 6, "action"),
        ("images", [0] * 5, "images: 5 bytes"),
        ("reward", float("nan"), "reward"),
    ],
)
def test_bad_transitions_are_named(field, value, text):
    message = transition(0)
    setattr(message, field, value)
    with pytest.raises(ValueError, match=text):
        SHAPE.record(message)
