# SPDX-License-Identifier: Apache-2.0
"""The whole story with real nodes and processes: what a finished run must have left behind."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from hilserl_ros.bags import read_episodes
from hilserl_task import load_task

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SUMMARY_KEYS = {
    "success_rate", "eval_episodes", "cycle_time_s", "train_wall_s", "env_steps", "gradient_steps",
    "intervention_rate_last20", "classifier_accuracy", "operator_seconds", "seed",
}  # fmt: skip


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_summary_says_everything_and_agrees_with_the_log(short_run):
    summary = json.loads((short_run.folder / "summary.json").read_text())
    assert set(summary) >= SUMMARY_KEYS
    assert summary["eval_episodes"] == 2
    assert summary["seed"] == 3
    training = [
        row for row in rows(short_run.folder / "metrics" / "episodes.jsonl") if row["phase"] == "train"
    ]
    assert summary["env_steps"] == sum(row["steps"] for row in training) >= 120
    assert summary["gradient_steps"] > 0
    assert 0.6 <= summary["classifier_accuracy"] <= 1.0
    assert summary["operator_seconds"] > 0


def test_labels_reach_their_targets(short_run):
    task = load_task(str(short_run.folder / "task.yaml"))
    labels = [np.load(path) for path in sorted((short_run.folder / "labels").glob("*.npz"))]
    marked = np.concatenate([episode["labels"] for episode in labels])
    assert marked.sum() >= task.reward.positive_labels
    assert (~marked).sum() >= task.reward.negative_labels


def test_demonstrations_are_bags_that_read_back(short_run):
    episodes = read_episodes(short_run.folder / "demos")
    assert len(episodes) == 2
    for episode in episodes:
        steps = len(episode.actions)
        assert episode.states.shape == (steps + 1, 18)
        assert episode.images.shape == (steps + 1, 2, 128, 128, 3)
        assert episode.terminated
        assert episode.rewards[-1] == 1
        assert episode.rewards[:-1].sum() == 0
        assert np.abs(episode.actions).max() <= 1
        assert np.isfinite(episode.states).all()
        assert episode.images[0].std() > 10, "pictures show something"


def test_learner_holds_what_the_actor_did_once(short_run):
    newest = short_run.folder / "checkpoints" / "latest" / "buffers" / "online.npz"
    summary = json.loads((short_run.folder / "summary.json").read_text())
    with np.load(newest) as buffer:
        assert len(buffer["ready"]) == summary["env_steps"]


def test_policy_and_figures_are_there(short_run):
    policy = load_file(short_run.folder / "policy" / "policy.safetensors")
    assert all(np.isfinite(value).all() for value in policy.values())
    for name in ("training.png",):
        assert (short_run.folder / "figures" / name).stat().st_size > 10_000
    assert short_run.folder.parent.joinpath("latest").resolve() == short_run.folder


def test_nothing_of_the_run_is_left_running(short_run):
    from pathlib import Path

    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes().decode(errors="replace")
        except OSError:
            continue
        assert str(short_run.folder) not in command, command
