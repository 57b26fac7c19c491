# SPDX-License-Identifier: Apache-2.0
"""Any interleaving of steps, answers, lost answers and deaths: each closed step arrives exactly once.

Outbox, intake and log are the real ones, on a real disk; only the middleware between them is a function call.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from hilserl_agent.episode_book import ClosedStep, Executed, Frame
from hilserl_agent.intake import TransitionIntake
from hilserl_agent.messages import TransitionShape, transition_message
from hilserl_agent.outbox import Outbox
from hilserl_agent.sender import Sender
from hilserl_agent.transition_files import read_log
from hilserl_agent.transition_log import TransitionLog
from hilserl_learning.replay import ReplayBuffer

SHAPE = TransitionShape(state=2, action=3, features=1, image=(1, 2, 2, 3))
IDENTITY = {"config_hash": "abc"}


def frame(episode, step):
    return Frame(step, np.array([episode, step], np.float32), np.zeros(0, np.uint8), np.zeros(1, np.float32))


class ExactlyOnce(RuleBasedStateMachine):
    """One actor, one learner; `closed` and `discarded` are what the actor knows it did."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="exactly_once_"))
        self.closed, self.discarded = [], set()
        self.episode, self.step, self.sessions = 0, 0, 0
        self.checkpoint = None
        self.outbox = self.log = None
        self.start_actor()
        self.start_learner()

    def start_actor(self):
        self.sessions += 1
        self.outbox = Outbox(self.folder / "outbox", segment_bytes=600)
        self.outbox.close_cut_episode()
        self.connected = False

    def start_learner(self):
        """As LearnerCore resumes: what the checkpoint holds, then the log behind it."""
        buffers = [ReplayBuffer(10_000, 2, 1, 3) for _ in range(2)]
        self.intake = TransitionIntake(*buffers)
        first = 0
        if self.checkpoint is not None:
            state, first = self.checkpoint
            self.intake.restore(state)
        self.log = TransitionLog(self.folder / "transitions", IDENTITY, compress=False)
        self.log.repair()
        for sender, message in self.log.read(first):
            self.intake.store(sender, self.intake.fresh(sender, [SHAPE.record(message)]))

    @rule(count=st.integers(1, 5), last=st.booleans(), human=st.booleans())
    def close_steps(self, count, last, human):
        for number in range(count):
            self.close_step(last and number == count - 1, human)

    def close_step(self, last, human):
        executed = Executed(np.zeros(3, np.float32), int(human))
        frames = frame(self.episode, self.step), frame(self.episode, self.step + 1)
        step = ClosedStep(frames[0], executed, frames[1], 0.0, last, False)
        self.outbox.put(transition_message(step, self.episode, with_images=False))
        self.closed.append((self.episode, self.step))
        self.step += 1
        if last:
            self.outbox.release(durable=False)
            self.next_episode()

    @rule()
    def release_early(self):
        """As synchronous updates do."""
        self.outbox.release(durable=False)

    @precondition(lambda self: len(self.outbox._held) == self.step)
    @rule()
    def discard(self):
        self.outbox.discard()
        self.discarded.add(self.episode)
        self.next_episode()

    def next_episode(self):
        self.episode, self.step = self.episode + 1, 0

    @rule(count=st.integers(1, 7), answer=st.sampled_from(["comes", "is lost", "learner dies before it"]))
    def send(self, count, answer):
        sender = Sender("robot", str(self.sessions), self.outbox.outbox_id)
        if not self.connected:  # the first request is empty
            self.outbox.reconcile(self.intake.ledger("robot").sequence, may_jump=True)
            self.connected = True
        messages = self.outbox.head(count)
        records = [SHAPE.record(message) for message in messages]
        fresh = self.intake.fresh(sender, records)
        self.log.append(sender, messages[len(messages) - len(fresh) :])
        if answer == "learner dies before it":
            self.kill_learner()
            return
        self.intake.store(sender, fresh)
        if answer == "comes":
            self.outbox.reconcile(self.intake.ledger("robot").sequence)

    @rule()
    def save(self):
        self.checkpoint = (self.intake.state(), self.log.rotate())

    @rule()
    def kill_learner(self):
        self.log._lock and self.log._lock.close()  # the kernel does that much, nobody finishes a file
        self.start_learner()

    @rule(torn=st.integers(0, 60))
    def kill_learner_while_it_writes(self, torn):
        """The beginning of a batch is in the file; it was not acknowledged."""
        files = sorted((self.folder / "transitions").glob("*.mcap"))
        if files and self.log._segment is not None:
            with files[-1].open("ab") as file:
                file.write(b"\x06\xff\x01\x00\x00\x00\x00\x00\x00" + bytes(torn))
        self.kill_learner()

    @rule(torn=st.integers(0, 60))
    def kill_actor(self, torn):
        with self.outbox._file.path.open("ab") as file:
            file.write(b"\xff\x01\x00\x00\x12\x34\x56\x78\x02"[:torn] + bytes(max(0, torn - 9)))
        self.outbox.close()
        self.start_actor()
        self.next_episode()

    def teardown(self):
        """In the end all is delivered: what was closed and not discarded, and nothing else."""
        self.outbox.close()
        self.start_actor()
        while self.outbox.pending:
            self.send(50, "comes")
        self.log.close()
        entries = list(read_log(self.folder / "transitions", 0, IDENTITY))
        held = [(e.message.episode, e.message.step) for e in entries]
        expected = [step for step in self.closed if step[0] not in self.discarded]
        assert held == expected
        assert [e.message.sequence for e in entries] == list(range(1, len(entries) + 1))
        assert all(e.message.state.tolist() == [e.message.episode, e.message.step] for e in entries)
        assert self.intake.ledger("robot").sequence == len(expected)
        self.outbox.close()
        shutil.rmtree(self.folder)


TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnce.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
