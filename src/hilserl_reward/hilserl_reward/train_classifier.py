# SPDX-License-Identifier: Apache-2.0
"""Trains the reward classifier on the labels of a run and says how good it is on episodes it never saw.

Usage: train_classifier --run-dir runs/<run> [--task NAME] [--seed N] [--set key=value]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from hilserl_learning.classifier import (
    ClassifierConfig,
    RewardClassifier,
    original_classifier,
    split_episodes,
)
from hilserl_learning.errors import LearningError
from hilserl_learning.perception import Perception
from hilserl_reward.contact_sheet import write_contact_sheet
from hilserl_reward.labels import LabelError, read_all_labels
from hilserl_reward.model import MODEL_FILE
from hilserl_task import Task, TaskError, load_task

EXIT_USAGE = 2
EXIT_TOO_INACCURATE = 3
_PREDICT_CHUNK = 32


@dataclass(frozen=True)
class LabelledFrames:
    """All labelled frames: images [N, n_cam, H, W, 3] uint8, labels [N] bool, episode [N] int."""

    images: NDArray[np.uint8]
    labels: NDArray[np.bool_]
    episode: NDArray[np.int64]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line entry point: exit 0, 2 for unusable input, 3 for a classifier that is not good enough."""
    options = _parse(arguments)
    torch.set_num_threads(1)
    try:
        task = load_task(options.task or str(options.run_dir / "task.yaml"), options.set)
        report = train(options.run_dir, task, options.seed)
    except (TaskError, LabelError, LearningError) as error:
        print(f"train_classifier: {error}", file=sys.stderr)
        raise SystemExit(EXIT_USAGE) from None
    _print(report, options.run_dir)
    if report["accuracy"] < report["minimum_accuracy"]:
        print(
            f"train_classifier: held-out accuracy {report['accuracy']:.1%} is below reward.minimum_accuracy "
            f"{report['minimum_accuracy']:.1%}; look at {options.run_dir / 'classifier' / 'mistakes.png'}, "
            "collect more labels of what is confused (raise reward.positive_labels and "
            "reward.negative_labels), then train again",
            file=sys.stderr,
        )
        raise SystemExit(EXIT_TOO_INACCURATE)


def train(run_dir: Path, task: Task, seed: int) -> dict[str, Any]:
    """Trains on run_dir/labels; writes classifier/model.safetensors, report.json and mistakes.png.

    Args:
        run_dir: run folder.
        task: names cameras, size, threshold and the profile.
        seed: of split, initial weights and batches.

    Returns:
        What report.json holds.

    Raises:
        LabelError: no or unusable labels.
        LearningError: labels that cannot be split or learned from.
    """
    begun_s = time.perf_counter()
    frames = _load_frames(run_dir / "labels", task)
    config = classifier_config(task, seed)
    classifier = RewardClassifier(config, _trunk(task, config))
    print(f"training the reward classifier on {len(frames.labels)} frames", flush=True)
    result = classifier.fit(frames.images, frames.labels, frames.episode)
    classifier.save(run_dir / MODEL_FILE)
    report = {
        "accuracy": result.accuracy,
        "accuracy_at_half": result.accuracy_at_half,
        "train_accuracy": result.train_accuracy,
        "minimum_accuracy": task.reward.minimum_accuracy,
        "threshold": result.threshold,
        "confusion": result.confusion,
        "frames": result.frames,
        "positives": result.positives,
        "negatives": result.frames - result.positives,
        "episodes": result.episodes,
        "held_out_episodes": result.validation_episodes,
        "cameras": list(config.cameras),
        "trunk": f"resnet10, {config.trunk_stages} stages, width {config.trunk_width}, "
        + (task.trunk_file or f"random weights of seed {config.trunk_seed}"),
        "seed": seed,
        "seconds": round(time.perf_counter() - begun_s, 2),
        "encode_seconds": round(result.encode_s, 2),
        "losses": result.losses,
    }
    text = json.dumps(report, indent=2) + "\n"
    (run_dir / "classifier" / "report.json").write_text(text, encoding="utf-8")
    _draw_mistakes(run_dir / "classifier" / "mistakes.png", classifier, frames)
    return report


def _trunk(task: Task, config: ClassifierConfig) -> Perception:
    """The frozen trunk: pretrained where the task names a file."""
    return Perception(
        len(config.cameras),
        "maps",
        config.trunk_width,
        config.trunk_seed,
        config.trunk_stages,
        config.map_size,
        weights=task.trunk_file,
        image_size=config.image_size,
    )


def classifier_config(task: Task, seed: int) -> ClassifierConfig:
    """Numbers of the classifier for a task; the learner profile decides which."""
    make = original_classifier if task.learner.profile == "original" else ClassifierConfig
    return make(
        cameras=task.reward_cameras,
        threshold=task.reward.threshold,
        image_size=task.observation.image_size,
        seed=seed,
    )


def _load_frames(folder: Path, task: Task) -> LabelledFrames:
    """All frames of a labels folder. Raises LabelError when one kind of label is missing altogether."""
    episodes = read_all_labels(folder, task.reward_cameras, task.observation.image_size)
    labels = np.concatenate([episode.labels for episode in episodes])
    for kind, count in (("positive", int(labels.sum())), ("negative", int((~labels).sum()))):
        if not count:
            raise LabelError(
                f"labels folder {folder}: {len(labels)} frames, none of them {kind}; "
                "hold the success button while the task is done, release it while it is not"
            )
    numbers = np.concatenate([np.full(len(episode.labels), n) for n, episode in enumerate(episodes)])
    return LabelledFrames(np.concatenate([episode.images for episode in episodes]), labels, numbers)


def _draw_mistakes(path: Path, classifier: RewardClassifier, frames: LabelledFrames) -> None:
    """Contact sheet of the frames that were held out, the same split as in training."""
    config = classifier.cfg
    held_out = split_episodes(frames.labels, frames.episode, config.validation_share, config.seed)
    images, labels = frames.images[held_out], frames.labels[held_out]
    chunks = [images[start : start + _PREDICT_CHUNK] for start in range(0, len(images), _PREDICT_CHUNK)]
    probabilities = np.concatenate([classifier.predict(chunk) for chunk in chunks])
    write_contact_sheet(path, images, labels, probabilities, config.threshold)


def _print(report: dict[str, Any], run_dir: Path) -> None:
    confusion = report["confusion"]
    table = Table(title="Reward classifier, held-out episodes", title_justify="left", show_header=False)
    table.add_row("accuracy", f"{report['accuracy']:.1%} (required {report['minimum_accuracy']:.1%})")
    table.add_row("success seen", f"{confusion['true_positive']}, missed {confusion['false_negative']}")
    table.add_row(
        "no success seen", f"{confusion['true_negative']}, taken for success {confusion['false_positive']}"
    )
    table.add_row("threshold", f"{report['threshold']:g}")
    table.add_row(
        "frames",
        f"{report['positives']} success, {report['negatives']} no success, "
        f"{report['episodes']} episodes ({report['held_out_episodes']} held out)",
    )
    table.add_row("trunk", report["trunk"])
    table.add_row("time", f"{report['seconds']:.0f} s")
    console = Console()
    console.print(table)
    console.print(f"model: {(run_dir / MODEL_FILE).resolve()}", soft_wrap=True, markup=False, highlight=False)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="train_classifier", description="Train the reward classifier.")
    parser.add_argument("--run-dir", type=Path, required=True, help="run folder, for example runs/latest")
    parser.add_argument("--task", help="task name or file (default: task.yaml of the run)")
    parser.add_argument("--seed", type=int, default=0, help="of split, initial weights and batches")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a task value")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
