# SPDX-License-Identifier: Apache-2.0
"""Actor and learner of the whole lockstep graph are killed in the middle: both come back, nothing is lost."""

import itertools
import os
import signal

import pytest

from hilserl_agent.transition_files import read_log
from hilserl_task import load_task

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_killed_learner_and_actor_come_back_and_training_goes_on(training):
    for victim in ("learner", "actor"):
        training.wait_for(lambda: training.episodes() >= 2)
        (killed,) = training.nodes(victim)
        os.kill(killed, signal.SIGKILL)
        training.wait_for(
            lambda v=victim: f"{v} ended: signal SIGKILL; starts again in 1 s" in training.output()
        )
        training.wait_for(lambda v=victim, k=killed: training.nodes(v) not in ([], [k]))
        episodes = training.episodes()
        training.wait_for(lambda e=episodes: training.episodes() >= e + 3)
    os.killpg(training.process.pid, signal.SIGINT)
    assert training.process.wait(timeout=120) == 130
    assert not training.nodes()
    assert "resumed at update cycle" in (training.folder / "logs" / "learner.log").read_text()
    check_log(training.folder)


def check_log(folder):
    """Numbers without a gap, steps in order and each once, every episode from its first step to an end."""
    config_hash = load_task(str(folder / "task.yaml")).config_hash()
    entries = list(read_log(folder / "transitions", 0, {"config_hash": config_hash}))
    messages = [entry.message for entry in entries]
    assert {entry.sender.actor_id for entry in entries} == {"actor"}
    assert len({entry.sender.session for entry in entries}) == 2, "two processes of one actor"
    assert [m.sequence for m in messages] == list(range(1, len(messages) + 1))
    for before, after in itertools.pairwise(messages):
        if before.terminated or before.truncated:
            assert (after.episode > before.episode, after.step) == (True, 0)
        else:
            assert (after.episode, after.step) == (before.episode, before.step + 1)
