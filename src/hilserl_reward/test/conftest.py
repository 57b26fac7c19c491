# SPDX-License-Identifier: Apache-2.0
"""A task with small pictures, labels that can be told apart, and a classifier really trained on them."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hilserl_learning.classifier import ClassifierConfig, RewardClassifier
from hilserl_reward.labels import EpisodeLabels, next_label_file, write_labels
from hilserl_reward.model import MODEL_FILE
from hilserl_reward.train_classifier import classifier_config
from hilserl_ros.testing import own_domain
from hilserl_task import Task, load_task

TASK_FILE = Path(__file__).parents[3] / "config" / "tasks" / "ram_insertion.yaml"
CAMERAS = ("wrist_1", "wrist_2")
SIZE = 64
# The task's own threshold and debounce are tuned on its real pictures.
SMALL = (
    "reward.minimum_travel_m=0",
    f"observation.image_size={SIZE}",
    "reward.threshold=0.85",
    "reward.debounce_frames=1",
)

own_domain()
torch.set_num_threads(1)


def small_task(*overrides: str) -> Task:
    return load_task(str(TASK_FILE), [*SMALL, *overrides])


def pictures(success: bool, generator: np.random.Generator) -> np.ndarray:
    """Noise; on success with a bright patch in the middle of both cameras."""
    images = generator.integers(40, 90, (2, SIZE, SIZE, 3)).astype(np.uint8)
    if success:
        images[:, 16:48, 16:48] += 120
    return images


def labelled_episode(seed: int, frames: int = 12, success_from: int = 8) -> EpisodeLabels:
    generator = np.random.default_rng(seed)
    labels = np.arange(frames) >= success_from
    return EpisodeLabels(
        np.stack([pictures(bool(label), generator) for label in labels]),
        labels,
        np.zeros((frames, 18), np.float32),
        np.tile(np.eye(4), (frames, 1, 1, 1)),
        CAMERAS,
    )


def write_label_folder(folder: Path, episodes: int = 8) -> None:
    for seed in range(episodes):
        write_labels(next_label_file(folder), labelled_episode(seed))


def quick(config: ClassifierConfig) -> ClassifierConfig:
    """Fewer, larger steps: enough for pictures that differ this much, and a tenth of the time."""
    return replace(config, steps=30, copies=1, learning_rate=1e-3, batch_size=32)


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory) -> Path:
    """Run folder with a classifier of small_task()."""
    run_dir = tmp_path_factory.mktemp("run")
    episodes = [labelled_episode(seed) for seed in range(8)]
    classifier = RewardClassifier(quick(classifier_config(small_task(), 0)))
    report = classifier.fit(
        np.concatenate([episode.images for episode in episodes]),
        np.concatenate([episode.labels for episode in episodes]),
        np.repeat(np.arange(8), 12),
    )
    assert report.accuracy == 1.0
    classifier.save(run_dir / MODEL_FILE)
    return run_dir


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """What tests build things with: test files are imported on their own, so helpers come as a fixture."""
    return SimpleNamespace(
        CAMERAS=CAMERAS,
        SIZE=SIZE,
        SMALL=SMALL,
        TASK_FILE=TASK_FILE,
        quick=quick,
        small_task=small_task,
        pictures=pictures,
        labelled_episode=labelled_episode,
        write_label_folder=write_label_folder,
    )
