# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch

from hilserl_learning.resnet10 import ResNet10
from hilserl_reward import measure_classifier, relabel, train_classifier
from hilserl_reward.label_set import load_label_set
from hilserl_reward.labels import UNDECIDED, EpisodeLabels, label_files, read_labels, write_labels
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
    for picture in ("mistakes.png", "report.png"):
        assert cv2.imread(str(tmp_path / "classifier" / picture)) is not None
    assert sum(part["frames"] for part in report["calibration"]["bins"]) == 12 * report["held_out_episodes"]
    assert report["recommended_threshold"]["precision"] == 1.0
    assert report["threshold"] == 0.85  # a recommendation changes nothing by itself
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


def test_a_worse_model_never_replaces_a_good_one(tmp_path, run, kit, capsys):
    kit.write_label_folder(tmp_path / "labels")
    assert run() == 0
    good = (tmp_path / MODEL_FILE).read_bytes()
    assert run("--set", "reward.minimum_accuracy=1.0", "--set", "reward.threshold=0.999999") == 3
    assert (tmp_path / MODEL_FILE).read_bytes() == good
    assert (tmp_path / "classifier" / "rejected.safetensors").exists()
    assert "the earlier model stays in use" in capsys.readouterr().err
    assert run() == 0
    assert not (tmp_path / "classifier" / "rejected.safetensors").exists()


CLASSES = ("--set", "reward.classes=[dark, bright, red]", "--set", "reward.success_class=bright")


def write_class_folder(folder, kit, episodes=8):
    for seed in range(episodes):
        plain, kinds = kit.labelled_episode(seed, success_from=99), np.arange(12) // 4
        images = plain.images.copy()
        images[4:8, :, 16:48, 16:48] += 120
        images[8:, :, :, :, 0] += 150
        labelled = replace(
            plain,
            images=images,
            labels=kinds == 1,
            classes=kinds.astype(np.int16),
            class_names=("dark", "bright", "red"),
        )
        write_labels(folder / f"episode_{seed:04d}.npz", labelled)


def test_classes_are_learned_and_reported(tmp_path, run, kit, capsys):
    write_class_folder(tmp_path / "labels", kit)
    assert run(*CLASSES) == 0
    report = json.loads((tmp_path / "classifier" / "report.json").read_text())
    assert report["labels_of_class"] == {"dark": 32, "bright": 32, "red": 32}
    assert np.array(report["confusion_matrix"]).shape == (3, 3)
    assert np.trace(report["confusion_matrix"]) == 12 * report["held_out_episodes"]
    assert cv2.imread(str(tmp_path / "classifier" / "report.png")) is not None
    assert "as bright" in capsys.readouterr().out
    with pytest.raises(TaskError, match=r"reward\.classes"):
        load_classifier(tmp_path / MODEL_FILE, kit.small_task())


def test_a_class_without_labels_is_named(tmp_path, run, kit, capsys):
    write_class_folder(tmp_path / "labels", kit, 3)
    assert (
        run("--set", "reward.classes=[dark, bright, red, lost]", "--set", "reward.success_class=bright") == 2
    )
    assert "no frame of class 'lost'" in capsys.readouterr().err


def relabel_at(tmp_path, kit, *arguments):
    line = ["--run-dir", str(tmp_path), "--task", str(kit.TASK_FILE)]
    line += [part for override in kit.SMALL for part in ("--set", override)]
    try:
        relabel.main([*line, *arguments])
    except SystemExit as stop:
        return stop.code
    return 0


def test_labels_are_flipped_and_dropped_by_the_numbers_on_the_sheet(tmp_path, kit, capsys):
    kit.write_label_folder(tmp_path / "labels", 2)
    assert relabel_at(tmp_path, kit, "--flip", "3") == 2
    assert "look first" in capsys.readouterr().err
    assert relabel_at(tmp_path, kit, "--show", "all") == 0
    assert cv2.imread(str(tmp_path / "classifier" / "labels.png")) is not None
    assert relabel_at(tmp_path, kit, "--flip", "0,20", "--drop", "13") == 0
    first, second = (read_labels(path) for path in label_files(tmp_path / "labels"))
    assert first.labels.tolist() == [True] + [False] * 7 + [True] * 4
    assert first.why[0] == "relabelled"
    assert second.labels.tolist() == [False] * 7 + [False] + [True] * 3  # without frame 13, 20 is no success
    assert relabel_at(tmp_path, kit, "--flip", "14") == 2  # the second file is not what the sheet showed
    assert "draw it again" in capsys.readouterr().err
    assert relabel_at(tmp_path, kit, "--flip", "0") == 0  # the first one still is
    assert not read_labels(label_files(tmp_path / "labels")[0]).labels[0]


def test_doubtful_labels_come_first(tmp_path, run, kit, capsys):
    kit.write_label_folder(tmp_path / "labels")
    assert run() == 0
    wrong = kit.labelled_episode(50)
    labels = wrong.labels.copy()
    labels[2] = True
    write_labels(tmp_path / "labels" / "episode_0008.npz", replace(wrong, labels=labels))
    task = kit.small_task()
    known = load_label_set(tmp_path / "labels", task)
    probabilities = relabel._probabilities(tmp_path, task, known)
    assert relabel._choose("doubtful", known, probabilities)[0] == 8 * 12 + 2


def test_the_undecided_wait_for_a_person(tmp_path, run, kit):
    write_class_folder(tmp_path / "labels", kit)
    kept = read_labels(tmp_path / "labels" / "episode_0007.npz")
    kinds = np.full(12, UNDECIDED, np.int16)
    undecided = replace(
        kept, classes=kinds, labels=np.zeros(12, bool), why=np.full(12, "false_positive"),
        origin={"session": "s", "episode": 1},
    )  # fmt: skip
    write_labels(tmp_path / "labels" / "episode_0008.npz", undecided)
    assert run(*CLASSES) == 0
    report = json.loads((tmp_path / "classifier" / "report.json").read_text())
    assert (report["frames"], report["undecided"]) == (96, 12)
    assert relabel_at(tmp_path, kit, *CLASSES) == 0
    assert relabel_at(tmp_path, kit, *CLASSES, "--set-class", "96=bright", "--set-class", "97=red") == 0
    read = read_labels(tmp_path / "labels" / "episode_0008.npz")
    assert read.classes.tolist() == [1, 2] + [UNDECIDED] * 10
    assert read.labels.tolist() == [True] + [False] * 11
    assert read.why[:3].tolist() == ["relabelled", "relabelled", "false_positive"]
    assert run(*CLASSES) == 0
    report = json.loads((tmp_path / "classifier" / "report.json").read_text())
    assert (report["frames"], report["new_frames"]) == (98, 2)


def test_episodes_are_never_on_both_sides_of_the_split(tmp_path, kit):
    """Two files kept in one episode of training are one episode."""
    kit.write_label_folder(tmp_path, 6)
    for number in range(6, 16):
        origin = {"session": "s", "episode": number // 2}
        write_labels(
            tmp_path / f"episode_{number:04d}.npz", replace(kit.labelled_episode(number), origin=origin)
        )
    labels = load_label_set(tmp_path, kit.small_task())
    for seed in range(20):
        held_out = labels.held_out(0.2, seed)
        assert not set(labels.groups[held_out]) & set(labels.groups[~held_out])
        assert len(set(labels.groups[held_out])) == 1 + 1  # a fifth of six collected, of five kept


def test_false_positives_are_counted_by_episode_with_and_without_the_gate(tmp_path, run, kit, capsys):
    kit.write_label_folder(tmp_path / "labels")
    assert run() == 0
    folder, generator = tmp_path / "judged", np.random.default_rng(0)
    kinds = {"good": [0, 0, 1, 1], "fooled": [0, 1, 1, 1], "quiet": [0, 0, 0, 0], "missed": [0, 0, 0, 0]}
    truths = {"good": [0, 0, 1, 1], "fooled": [0, 0, 0, 1], "quiet": [0] * 4, "missed": [0, 0, 0, 1]}
    for number, name in enumerate(kinds):
        images = np.stack([kit.pictures(bool(looks), generator) for looks in kinds[name]])
        states = np.zeros((4, 18), np.float32)
        states[:, 2] = [0, 0, 0.05, 0.05] if name == "good" else [0, 0, 0, 0.05]
        write_labels(
            folder / f"episode_{number:04d}.npz",
            EpisodeLabels(
                images, np.array(truths[name], bool), states, np.tile(np.eye(4), (4, 1, 1)), kit.CAMERAS
            ),
        )
    line = ["--run-dir", str(tmp_path), "--task", str(kit.TASK_FILE), "--episodes", str(folder)]
    line += [part for override in kit.SMALL for part in ("--set", override)]
    measure_classifier.main([*line, "--set", "reward.minimum_travel_m=0.04"])
    report = json.loads((tmp_path / "classifier" / "measured.json").read_text())
    assert report["without_gate"]["false_positive_files"] == {"episode_0001.npz": 1}
    assert report["without_gate"]["false_positive_rate"] == 0.25
    assert report["with_gate"]["false_positives"] == 0
    assert (report["with_gate"]["missed"], report["with_gate"]["episodes_with_success"]) == (1, 3)
    assert cv2.imread(str(tmp_path / "classifier" / "false_positives.png")) is not None
    assert "25.00%" in capsys.readouterr().out


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
