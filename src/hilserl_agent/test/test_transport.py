# SPDX-License-Identifier: Apache-2.0
"""The uploader against a real service that drops, repeats, forgets and dies."""

import contextlib
import json
import time

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor

from hilserl_agent.episode_book import ClosedStep, Executed, Frame
from hilserl_agent.messages import TransitionShape, transition_message
from hilserl_agent.outbox import Outbox
from hilserl_agent.transport import MAX_BATCH, Identity, TransitionUploader
from hilserl_msgs.srv import InsertTransitions

Response = InsertTransitions.Response
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


class LostAnswer(Exception):
    pass


class Learner:
    """Idempotent insert; `answers` maps the number of a call to how it misbehaves."""

    def __init__(self, node, misbehave=None):
        self.node, self.misbehave = node, misbehave or {}
        self.held, self.calls, self.outbox = [], 0, ""
        self.batches = []
        self.refusal = {}  # fields of an answer that takes nothing
        self.service = node.create_service(InsertTransitions, "insert", self.insert)

    def insert(self, request, response):
        self.calls += 1
        how = self.misbehave.get(self.calls)
        if how == "lose_request":
            raise LostAnswer
        self.batches.append(len(request.transitions))
        sequences = [message.sequence for message in request.transitions]
        response.last_sequence, response.last_outbox, response.last_episode = len(self.held), self.outbox, 3
        if self.refusal:
            for name, value in self.refusal.items():
                setattr(response, name, value)
            return response
        if sequences and sequences[0] > len(self.held) + 1:
            response.message = "gap"
            return response
        fresh = [m for m in request.transitions if m.sequence > len(self.held)]
        self.held += [m.step for m in fresh]
        self.outbox = request.outbox if fresh else self.outbox
        if how == "lose_answer":
            raise LostAnswer
        response.accepted, response.last_sequence, response.policy_version = True, len(self.held), 7
        response.last_outbox = self.outbox
        return response


def spin_until(executor, condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        with contextlib.suppress(LostAnswer):  # raised where a dying process would give no answer
            executor.spin_once(timeout_sec=0.05)


class Listener:
    def __init__(self):
        self.versions, self.refusals, self.warnings, self.newest_episode = [], [], [], None

    def on_connected(self, newest_episode):
        self.newest_episode = newest_episode

    def on_acknowledged(self, policy_version, learner_session):
        self.versions.append(policy_version)

    def on_refused(self, reason):
        self.refusals.append(reason)

    def on_warning(self, text):
        self.warnings.append(text)


def make_uploader(node, path, shared_config=None):
    identity = Identity("abc", "perception", shared_config or {})
    outbox = Outbox(path / "outbox")
    return TransitionUploader(node, "insert", "robot", identity, outbox, Listener(), reply_timeout_s=0.5)


def upload(uploader, steps):
    for step in steps:
        uploader.outbox.put(transition(step))
    uploader.outbox.release()
    uploader.send()


def test_lost_requests_and_answers_neither_lose_nor_double(graph, tmp_path):
    node, executor = graph
    learner = Learner(node, {1: "lose_request", 3: "lose_answer", 4: "lose_request", 6: "lose_answer"})
    uploader = make_uploader(node, tmp_path)
    for first in range(0, 40, 10):
        upload(uploader, range(first, first + 10))
        calls = learner.calls
        spin_until(executor, lambda calls=calls: learner.calls > calls)
    spin_until(executor, lambda: uploader.idle)
    assert learner.held == list(range(40))
    assert 7 in uploader._listener.versions
    assert any("did not answer" in text for text in uploader._listener.warnings)


def test_a_long_episode_at_once_leaves_in_batches_one_at_a_time(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    uploader = make_uploader(node, tmp_path)
    spin_until(executor, lambda: uploader.connected)
    upload(uploader, range(120))  # nothing is spun meanwhile: this only hands over the first batch
    assert uploader.outbox.pending == 120
    spin_until(executor, lambda: uploader.idle)
    assert learner.held == list(range(120))
    assert max(learner.batches) <= MAX_BATCH


def test_held_steps_do_not_leave(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    uploader = make_uploader(node, tmp_path)
    spin_until(executor, lambda: uploader.connected)
    uploader.outbox.put(transition(0))
    uploader.send()
    calls = learner.calls
    spin_until(executor, lambda: learner.calls > calls)  # a sign of life
    assert learner.held == []
    assert uploader.idle


def test_learner_that_starts_late_gets_everything(graph, tmp_path):
    node, executor = graph
    uploader = make_uploader(node, tmp_path)
    upload(uploader, range(60))
    executor.spin_once(timeout_sec=0.1)
    assert not uploader.idle
    learner = Learner(node)
    spin_until(executor, lambda: uploader.idle)
    assert learner.held == list(range(60))
    assert uploader._listener.newest_episode == 3


def test_learner_whose_folder_was_taken_away_is_continued(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    uploader = make_uploader(node, tmp_path)
    upload(uploader, range(20))
    spin_until(executor, lambda: uploader.idle)
    node.destroy_service(learner.service)
    again = Learner(node)
    again.held, again.outbox = learner.held[:15], learner.outbox
    upload(uploader, range(20, 30))
    spin_until(executor, lambda: uploader.idle)
    assert again.held == [*range(15), *range(20, 30)]
    assert any("without its newest 5" in text for text in uploader._listener.warnings)


def test_restarted_actor_resends_what_is_not_acknowledged(graph, tmp_path):
    node, executor = graph
    uploader = make_uploader(node, tmp_path)
    upload(uploader, range(7))
    uploader.outbox.put(transition(7))
    uploader.close()
    again = make_uploader(node, tmp_path)
    assert again.outbox.close_cut_episode() == 1
    learner = Learner(node, {2: "lose_answer"})
    spin_until(executor, lambda: again.idle)
    assert learner.held == list(range(8))


def test_actor_whose_outbox_was_lost_continues_after_what_the_learner_holds(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    learner.held, learner.outbox = list(range(12)), "lost"
    uploader = make_uploader(node, tmp_path)
    spin_until(executor, lambda: uploader.connected)
    upload(uploader, [12])
    spin_until(executor, lambda: uploader.idle)
    assert learner.held == list(range(13))
    assert learner.outbox == uploader.outbox.outbox_id


def test_outbox_that_was_overtaken_by_another_says_so_and_keeps_its_transitions(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    learner.held, learner.outbox = list(range(12)), "other"
    uploader = make_uploader(node, tmp_path)
    upload(uploader, range(3))
    spin_until(executor, lambda: uploader._listener.refusals)
    assert "3 transitions" in uploader._listener.refusals[0]
    assert "overtaken" in uploader._listener.refusals[0]
    assert len(uploader.outbox) == 3
    assert len(learner.held) == 12


def test_refusal_says_which_keys_differ_once_and_ends_sending(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    theirs = json.dumps({"learner": {"discount": 0.9}, "name": "ram"})
    learner.refusal = {"reason": Response.REFUSED, "message": "config_hash differs", "configuration": theirs}
    uploader = make_uploader(node, tmp_path, {"learner": {"discount": 0.97}, "name": "ram"})
    upload(uploader, range(3))
    spin_until(executor, lambda: uploader._listener.refusals)
    (text,) = uploader._listener.refusals
    assert text.endswith("learner.discount: 0.97 here, 0.9 there")
    calls = learner.calls
    deadline = time.monotonic() + 0.6  # three retry periods
    while time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.05)
    assert learner.calls == calls
    assert len(uploader.outbox) == 3


def test_replaced_actor_gives_up_and_a_busy_name_is_waited_for(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    learner.refusal = {"reason": Response.BUSY, "message": "another process was heard"}
    uploader = make_uploader(node, tmp_path)
    upload(uploader, range(3))
    spin_until(executor, lambda: learner.calls >= 3)
    assert not uploader._listener.refusals
    learner.refusal = {}
    spin_until(executor, lambda: uploader.idle)
    assert learner.held == list(range(3))
    learner.refusal = {"reason": Response.REPLACED, "message": "replaced by another one"}
    upload(uploader, range(3, 5))
    spin_until(executor, lambda: uploader._listener.refusals)
    assert uploader._listener.refusals == ["replaced by another one"]
    assert len(uploader.outbox) == 2


def test_a_learner_that_cannot_store_gets_them_again(graph, tmp_path):
    node, executor = graph
    learner = Learner(node)
    learner.refusal = {"reason": Response.NOT_STORED, "message": "no space left"}
    uploader = make_uploader(node, tmp_path)
    upload(uploader, range(3))
    spin_until(executor, lambda: learner.calls >= 2)
    assert any("no space left; 3 transitions wait" in text for text in uploader._listener.warnings)
    learner.refusal = {}
    spin_until(executor, lambda: uploader.idle)
    assert learner.held == list(range(3))
    assert not uploader._listener.refusals


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
