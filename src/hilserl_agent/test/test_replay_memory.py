# SPDX-License-Identifier: Apache-2.0
"""The learner's memory is checked before anything starts, and its crops are computed between updates."""

import shutil

import pytest
import torch

from hilserl_agent import replay_memory
from hilserl_agent.fit_perception import fit_perception
from hilserl_agent.intake import InsertRefused
from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.sender import Sender
from hilserl_task import TaskError

DEFAULT = (
    "learner.profile=default",
    "learner.trunk_weights=random",
    "learner.store_images=true",
    "learner.feature_copies=3",
)


@pytest.fixture
def default_core(kit, run_dir):
    task = kit.small_task(*DEFAULT)
    (run_dir / "perception").unlink()
    fit_perception(task, run_dir)
    return LearnerCore(task, run_dir, 0)


def give_machine(monkeypatch, memory: int, disk: int = 10**15) -> None:
    monkeypatch.setattr(replay_memory, "free_memory", lambda: memory)
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(replay_memory.shutil, "disk_usage", lambda _: usage._replace(free=disk))


def test_crops_are_computed_between_updates_and_never_in_one(kit, default_core, monkeypatch):
    core = default_core
    store = core.online.frames
    assert store is core.demonstrations.frames
    assert store.features.dtype == torch.uint8
    messages = kit.episode_messages(core.task, core.run_dir, 0, 1)
    core.insert(Sender("robot", "session", "outbox"), messages)
    frames = len(store)
    waiting = len(store.unfinished)
    assert waiting == frames == 14 + len(messages) + 1  # two demonstrations of 6 steps, one online episode

    def encoding(*_):
        raise AssertionError("the trunk ran inside an update")

    with monkeypatch.context() as patched:
        patched.setattr(core._perception, "features", encoding)
        core.agent.update(core._sampler)
    core.cycle()
    assert len(store.unfinished) == waiting - replay_memory.FRAMES_PER_CYCLE
    for _ in range(waiting):
        core.cycle()
    assert (store.copies[store.live_slots()] == 3).all()


def test_copies_survive_a_restart(kit, default_core):
    core = default_core
    core.insert(Sender("robot", "s", "o"), kit.episode_messages(core.task, core.run_dir, 0, 1))
    core.cycle()
    core.save()
    core.close()
    again = LearnerCore(core.task, core.run_dir, 0)
    mine, theirs = core.online.frames, again.online.frames
    assert len(theirs) == len(mine)
    assert len(theirs.unfinished) == len(mine.unfinished)
    for one in (core, again):
        for _ in range(10):
            one.memory.fill_copies()
    ours, same = (c.online.sample(50, torch.Generator().manual_seed(0)) for c in (core, again))
    torch.testing.assert_close(ours.features, same.features)
    again.close()


@pytest.mark.parametrize("index", [4, 9])
def test_features_that_cannot_be_stored_are_refused_before_they_are_logged(kit, default_core, index):
    """In the log they would stop every later start of the learner."""
    core = default_core
    messages = kit.episode_messages(core.task, core.run_dir, 0, 1)
    getattr(messages[index], "features" if index == 4 else "next_features")[0] = -1.0
    with pytest.raises(InsertRefused, match=rf"sequence {index + 1}: features: -1 is negative"):
        core.insert(Sender("robot", "s", "o"), messages)
    core.close()
    again = LearnerCore(core.task, core.run_dir, 0)
    assert (again.inserted, len(again.online)) == (0, 0)
    again.close()


@pytest.mark.parametrize(("memory", "form"), [(10**12, "png"), (10**6, "disk")])
def test_pictures_go_where_there_is_room(kit, run_dir, monkeypatch, memory, form):
    give_machine(monkeypatch, memory)
    task = kit.small_task("learner.store_images=true", "learner.capacity=1000")
    core = LearnerCore(task, run_dir, 0)
    assert core.memory.pictures == form
    core.insert(Sender("robot", "s", "o"), kit.episode_messages(task, run_dir, 0, 1))
    assert len(core.online) == 10
    core.close()


@pytest.mark.parametrize(("memory", "disk"), [(10**5, 10**12), (10**6, 10**5)])
def test_a_machine_that_is_too_small_is_told_before_the_start(kit, run_dir, monkeypatch, memory, disk):
    give_machine(monkeypatch, memory, disk)
    task = kit.small_task("learner.store_images=true", "learner.capacity=1000")
    with pytest.raises(
        TaskError, match=r"learner.capacity: .*2000 transitions.*is enough for \d+ transitions"
    ):
        LearnerCore(task, run_dir, 0)
