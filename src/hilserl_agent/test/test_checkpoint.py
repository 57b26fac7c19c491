# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of a real learner: what stays, what goes, and what a failure leaves."""

import errno
import json
import os
import shutil

import numpy as np
import pytest
import torch
from builtin_interfaces.msg import Time

from hilserl_agent.checkpoint import checkpoint_names, find_checkpoint, newest_checkpoint, size_bytes
from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.policy_file import read_policy_file
from hilserl_agent.training_episodes import TrainingEpisodes
from hilserl_learning.actor_policy import ActorPolicy
from hilserl_msgs.msg import EpisodeSummary
from hilserl_task import TaskError

SUCCESS, FAILURE = EpisodeSummary.OUTCOME_SUCCESS, EpisodeSummary.OUTCOME_FAILURE


@pytest.fixture
def core(task, run_dir):
    return LearnerCore(task, run_dir, 0)


@pytest.fixture
def folder(run_dir):
    return run_dir / "checkpoints"


def save(core):
    """A checkpoint of the next cycle."""
    core.cycles += 1
    return core.save()


def play(core, successes, failures=0):
    """Training episodes; those heard before are not played again."""
    first = core.episodes.statistics.episodes
    for number in range(first, first + successes + failures):
        outcome = SUCCESS if number < first + successes else FAILURE
        core.episodes.add(summary(number, outcome))


def summary(number, outcome=SUCCESS, **changes):
    fields = {"actor_id": "robot", "phase": "train", "steps": 10, "duration_s": 1.0, **changes}
    message = EpisodeSummary(episode=number, outcome=outcome, **fields)
    message.header.stamp = Time(sec=number)
    return message


def folders(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.is_symlink())


def test_the_newest_stay_and_only_the_newest_has_buffers(core, folder):
    paths = [save(core) for _ in range(5)]
    assert folders(folder) == [path.name for path in paths[2:]]
    assert [(path / "buffers").is_dir() for path in paths[2:]] == [False, False, True]
    for path in paths[2:]:
        assert (path / "state.pt").is_file()
        policy = read_policy_file(path / "policy.safetensors", core.config_hash)
        action = ActorPolicy.from_safetensors(policy.blob).act(
            np.zeros(core.config.feature_dim), np.zeros(18)
        )
        assert action.shape == (6,)
    assert size_bytes(paths[4]) > size_bytes(paths[3]) > 0


def test_how_many_stay_is_a_key_of_the_task(kit, run_dir, folder):
    core = LearnerCore(kit.small_task("learner.keep_checkpoints=1"), run_dir, 0)
    save(core)
    newest = save(core)
    assert folders(folder) == [newest.name]


def test_links_are_relative_and_a_moved_run_folder_keeps_them(core, run_dir, folder, tmp_path_factory):
    play(core, 20)
    path = save(core)
    for name in ("latest", "best"):
        assert os.readlink(folder / name) == path.name
    moved = tmp_path_factory.mktemp("elsewhere") / "run"
    shutil.copytree(run_dir, moved, symlinks=True)
    assert (moved / "checkpoints" / "best").resolve() == moved / "checkpoints" / path.name


def test_best_has_the_highest_running_success_and_is_never_deleted(core, folder):
    play(core, successes=15, failures=5)
    first = save(core)
    play(core, successes=3, failures=0)  # three successes leave the window, three come: still 75 %
    tie = save(core)
    assert (folder / "best").resolve() == tie, "of equals the newer"
    play(core, successes=0, failures=4)
    worse = [save(core) for _ in range(4)]
    assert (folder / "best").resolve() == tie
    assert folders(folder) == sorted([tie.name, *(path.name for path in worse[1:])])
    assert not first.exists()
    play(core, successes=20)
    best = save(core)
    assert (folder / "best").resolve() == best
    play(core, successes=0, failures=1)
    save(core)
    save(core)
    save(core)
    assert not tie.exists(), "a best one of the past has no privilege"
    assert best.exists()


def test_there_is_no_best_before_enough_episodes(core, folder):
    play(core, 19)
    save(core)
    assert not (folder / "best").exists()
    play(core, 1)
    save(core)
    assert json.loads((folder / "best" / "about.json").read_text())["success_rate"] == 1.0


def test_best_survives_a_restart(core, kit, task, run_dir, folder):
    play(core, successes=18, failures=2)
    best = save(core)
    again = LearnerCore(task, run_dir, 0)
    play(again, successes=0, failures=5)
    save(again)
    assert (folder / "best").resolve() == best


def test_a_checkpoint_is_found_by_link_name_or_path(core, folder, tmp_path, monkeypatch):
    first, second = save(core), save(core)
    assert find_checkpoint(folder, "latest") == second
    assert find_checkpoint(folder, first.name) == first
    monkeypatch.chdir(folder.parent)
    assert find_checkpoint(tmp_path / "absent", f"checkpoints/{first.name}") == first
    assert checkpoint_names(folder) == ["latest", first.name, second.name]
    with pytest.raises(TaskError, match=rf"'best' is not .*episodes were judged.*latest, {first.name}"):
        find_checkpoint(folder, "best")
    with pytest.raises(TaskError, match=r"'bset' is not a checkpoint.*none; example: latest"):
        find_checkpoint(tmp_path / "absent", "bset")


def test_there_is_a_checkpoint_at_every_moment(core, folder, monkeypatch):
    core.save()
    present, replace = [], os.replace

    def watched(source, target):
        replace(source, target)
        newest = newest_checkpoint(folder)
        present.append(newest is not None and (newest / "buffers" / "online.npz").is_file())

    monkeypatch.setattr(os, "replace", watched)
    for number in range(1, 12):  # also beyond where names sort otherwise than numbers
        path = core.save()
        assert newest_checkpoint(folder) == path == folder / f"learner_000000000_{number}"
    assert len(present) >= 33
    assert all(present)


def test_what_a_killed_learner_left_is_swept_at_start(core, task, run_dir, folder):
    path = core.save()
    stale = path.with_name(".partial_1")
    stale.mkdir()
    (stale / "online.npz").write_bytes(b"half")
    path.with_name(".partial_2").symlink_to(path.name)
    assert LearnerCore(task, run_dir, 0).resumed
    assert {entry.name for entry in folder.iterdir()} == {path.name, "latest"}


@pytest.mark.parametrize("where", ["torch.save", "os.fsync", "os.replace"])
def test_a_full_disk_keeps_the_checkpoints_before(core, task, run_dir, folder, monkeypatch, where):
    before = core.save()
    core.cycles = 1

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(
            *{"torch.save": (torch, "save"), "os.fsync": (os, "fsync")}.get(where, (os, "replace")), full
        )
        with pytest.raises(OSError, match="No space left"):
            core.save()
    assert folders(folder) == [before.name]
    assert (folder / "latest").resolve() == before
    assert LearnerCore(task, run_dir, 0).cycles == 0


def test_older_checkpoints_alone_are_not_taken_for_a_fresh_start(core, task, run_dir, folder):
    save(core)
    newest = save(core)
    shutil.rmtree(newest)
    with pytest.raises(TaskError, match=r"learner_000000001 .*hold no buffers.*new run folder"):
        LearnerCore(task, run_dir, 0)


def test_a_folder_in_place_of_a_link_is_named(core, folder):
    folder.mkdir(exist_ok=True)
    (folder / "latest").mkdir()
    with pytest.raises(OSError, match="latest must be a link"):
        core.save()
    assert newest_checkpoint(folder) is not None


def test_training_episodes_count_once_over_restarts(tmp_path):
    path = tmp_path / "episodes.jsonl"
    episodes = TrainingEpisodes(path)
    assert episodes.add(summary(0)) is not None
    assert episodes.add(summary(0)) is None
    assert episodes.add(summary(1, FAILURE, actor_id="left")) is not None
    assert episodes.add(summary(2, phase="evaluate")) is None
    assert episodes.add(summary(3, discarded=True)) is not None
    again = TrainingEpisodes(path)
    assert again.add(summary(0)) is None  # the topic is latched
    assert (again.statistics.episodes, again.statistics.judged) == (3, 2)
    assert again.statistics.success_rate == 0.5
    assert again.success_rate is None


def test_an_unreadable_file_of_episodes_is_named(tmp_path):
    path = tmp_path / "episodes.jsonl"
    path.write_text("no json\nnot at all\n")
    with pytest.raises(TaskError, match=r"episodes\.jsonl.*move the file away"):
        TrainingEpisodes(path)
