# SPDX-License-Identifier: Apache-2.0
import json

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch

from hilserl_learning.resnet10 import ResNet10
from hilserl_reward import train_classifier
from hilserl_reward.labels import EpisodeLabels, write_labels
from hilserl_reward.model import MODEL_FILE, load_classifier
from hilserl_task import TaskError

ORIGINAL = ("--set", "learner.profile=original", "--set", "learner.store_images=true")


@pytest.fixture
def run(tmp_path, kit, monkeypatch):
    """Runs the command line on tmp_path; gives the exit code."""
    config = train_classifier.classifier_config
    monkeypatch.setattr(train_classifier, "classifier_config", lambda *a: kit.quick(config(*a)))

    def run(*arguments):
        line = ["--run-dir", str(tmp_path), "--task", str(kit.TASK_FILE)]
        line += [part for override in kit.SMALL for part in ("--set", override)]
        try:
            train_classifier.main([*line, *arguments])
        except SystemExit as stop:
            return stop.code
        return 0

    return run


def test_trains_on_labels_and_reports(tmp_path, run, kit, capsys):
    kit.write_label_folder(tmp_path / "labels")
    assert run("--seed", "1") == 0
    report = json.loads((tmp_path / "classifier" / "report.json").read_text())
    assert report["accuracy"] == 1.0
    assert (report["positives"], report["negatives"], report["episodes"]) == (32, 64, 8)
    assert sum(report["confusion"].values()) == 12 * report["held_out_episodes"]
    assert report["cameras"] == list(kit.CAMERAS)
    assert "resnet10" in report["trunk"]
    assert cv2.imread(str(tmp_path / "classifier" / "mistakes.png")) is not None
    assert "100.0% (required 95.0%)" in capsys.readouterr().out

    classifier = load_classifier(tmp_path / MODEL_FILE, kit.small_task())
    generator = np.random.default_rng(99)
    assert classifier.predict(kit.pictures(True, generator))[0] > 0.85
    assert classifier.predict(kit.pictures(False, generator))[0] < 0.5


def test_labels_that_cannot_be_learned_are_exit_3(tmp_path, run, kit, capsys):
    for seed in range(8):
        good = kit.labelled_episode(seed)
        labels = np.random.default_rng(100 + seed).random(12) < 0.5
        episode = EpisodeLabels(good.images, labels, good.states, good.base_T_tcp, kit.CAMERAS)
        write_labels(tmp_path / "labels" / f"episode_{seed:04d}.npz", episode)
    assert run() == train_classifier.EXIT_TOO_INACCURATE
    error = capsys.readouterr().err
    assert "below reward.minimum_accuracy 95.0%" in error
    assert "collect more labels" in error


def test_no_labels_is_one_line_and_exit_2(run, capsys):
    assert run() == train_classifier.EXIT_USAGE
    error = capsys.readouterr().err
    assert "run collect_labels first" in error
    assert len(error.strip().splitlines()) == 1


def test_labels_of_one_kind_only_are_refused(tmp_path, run, kit, capsys):
    write_labels(tmp_path / "labels" / "episode_0000.npz", kit.labelled_episode(0, success_from=99))
    assert run() == train_classifier.EXIT_USAGE
    assert "none of them positive" in capsys.readouterr().err


def test_a_missing_model_says_what_to_run(tmp_path, kit):
    with pytest.raises(TaskError, match="run train_classifier first"):
        load_classifier(tmp_path / MODEL_FILE, kit.small_task())


def test_a_damaged_model_is_refused(tmp_path, kit):
    (tmp_path / "model.safetensors").write_bytes(b"not a model")
    with pytest.raises(TaskError, match="train again"):
        load_classifier(tmp_path / "model.safetensors", kit.small_task())


@pytest.mark.parametrize(
    ("override", "text"),
    [("reward.cameras=[wrist_1]", "wrist_2"), ("observation.image_size=96", "image_size: 96")],
)
def test_a_model_for_other_pictures_is_refused(trained_run, kit, override, text):
    with pytest.raises(TaskError, match=text):
        load_classifier(trained_run / MODEL_FILE, kit.small_task(override))


def test_the_task_and_its_profile_decide_the_numbers(kit):
    fast = train_classifier.classifier_config(kit.small_task("reward.threshold=0.7"), 5)
    assert (fast.threshold, fast.image_size, fast.seed, fast.cameras) == (0.7, kit.SIZE, 5, kit.CAMERAS)
    overrides = ("learner.profile=original", "learner.trunk_weights=random", "learner.store_images=true")
    original = train_classifier.classifier_config(kit.small_task(*overrides), 0)
    assert (original.trunk_width, original.steps) == (1.0, 150)


def test_profile_original_asks_for_the_published_trunk(tmp_path, run, kit, capsys):
    kit.write_label_folder(tmp_path / "labels")
    assert run(*ORIGINAL) == train_classifier.EXIT_USAGE
    assert "learner.trunk_weights: missing" in capsys.readouterr().err
    absent = tmp_path / "resnet10_params.pkl"
    assert run(*ORIGINAL, "--set", f"learner.trunk_weights={absent}") == train_classifier.EXIT_USAGE
    error = capsys.readouterr().err
    assert f"no file at {absent}" in error
    assert len(error.strip().splitlines()) == 1


def test_the_published_trunk_is_used_kept_and_reported(tmp_path, run, kit):
    kit.write_label_folder(tmp_path / "labels")
    file, published = tmp_path / "published.safetensors", ResNet10(1.0, seed=5)
    safetensors.torch.save_file({k: v.contiguous() for k, v in published.state_dict().items()}, file)
    chosen = ("--set", f"learner.trunk_weights={file}", "--set", "reward.minimum_accuracy=0")
    assert run(*ORIGINAL, *chosen) == 0
    report = json.loads((tmp_path / "classifier" / "report.json").read_text())
    assert report["trunk"] == f"resnet10, 4 stages, width 1.0, {file}"
    classifier = load_classifier(tmp_path / MODEL_FILE, kit.small_task())
    assert all(map(torch.equal, classifier.trunk.trunk.parameters(), published.parameters()))
