# SPDX-License-Identifier: Apache-2.0
"""The trained classifier of a run: where it lies, and whether it fits the task."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hilserl_learning.classifier import RewardClassifier
from hilserl_learning.errors import LearningError
from hilserl_task import Task, TaskError

MODEL_FILE = Path("classifier") / "model.safetensors"  # in the run folder
REJECTED_FILE = MODEL_FILE.with_name("rejected.safetensors")  # newer, but below reward.minimum_accuracy


def model_id(path: Path) -> str:
    """What names a model in messages and labels: the beginning of the file's sha256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def load_classifier(path: Path, task: Task) -> RewardClassifier:
    """Reads a model and checks that it was trained for this task's cameras, picture size and classes.

    Raises:
        TaskError: missing, damaged, or made for something else; says what to do.
    """
    if not path.is_file():
        raise TaskError(f"reward classifier: no file at {path}; run train_classifier first")
    try:
        classifier = RewardClassifier.load(path, task.reward_cameras)
    except LearningError as error:
        raise TaskError(f"{error}; train again with train_classifier, or give model:=FILE") from error
    size = task.observation.image_size
    if classifier.cfg.image_size != size:
        raise TaskError(
            f"reward classifier {path}: trained on {classifier.cfg.image_size}x{classifier.cfg.image_size} "
            f"pictures, the task has observation.image_size: {size}; train again with train_classifier"
        )
    if classifier.cfg.classes != task.reward.classes:
        raise TaskError(
            f"reward classifier {path}: trained for the classes {list(classifier.cfg.classes)}, the task has "
            f"reward.classes: {list(task.reward.classes)}; train again with train_classifier"
        )
    return classifier
