# SPDX-License-Identifier: Apache-2.0
"""The trained classifier of a run: where it lies, and whether it fits the task."""

from __future__ import annotations

from pathlib import Path

from hilserl_learning.classifier import RewardClassifier
from hilserl_learning.errors import LearningError
from hilserl_task import Task, TaskError

MODEL_FILE = Path("classifier") / "model.safetensors"  # in the run folder


def load_classifier(path: Path, task: Task) -> RewardClassifier:
    """Reads a model and checks that it was trained for this task's cameras and picture size.

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
    return classifier
