# SPDX-License-Identifier: Apache-2.0
"""Trains the reward classifier on the labels of a run and says how good it is on episodes it never saw.

Usage: train_classifier --run-dir runs/<run> [--task NAME] [--seed N] [--set key=value]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hilserl_learning.classifier import (
    ClassifierConfig,
    ClassifierReport,
    RewardClassifier,
    original_classifier,
)
from hilserl_learning.errors import LearningError
from hilserl_learning.perception import Perception
from hilserl_reward import assessment
from hilserl_reward.contact_sheet import mistake_rows, write_sheet
from hilserl_reward.label_set import LabelSet, load_label_set, new_frames
from hilserl_reward.labels import LabelError
from hilserl_reward.model import MODEL_FILE, REJECTED_FILE, model_id
from hilserl_reward.options import add_run_options, task_of
from hilserl_reward.report_page import write_page
from hilserl_reward.sheet_numbers import remember_numbers
from hilserl_task import Task, TaskError
from hilserl_task.completion import complete_with_shell

EXIT_USAGE = 2
EXIT_TOO_INACCURATE = 3
_PREDICT_CHUNK = 32
REPORT_FILE = MODEL_FILE.with_name("report.json")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line entry point: exit 0, 2 for unusable input, 3 for a classifier that is not good enough."""
    options = _parse(arguments)
    torch.set_num_threads(1)
    try:
        report = train(options.run_dir, task_of(options), options.seed)
    except (TaskError, LabelError, LearningError, OSError) as error:
        print(f"train_classifier: {error}", file=sys.stderr)
        raise SystemExit(EXIT_USAGE) from None
    except KeyboardInterrupt:
        print(
            "train_classifier: interrupted; the model is the old or the new one, never half", file=sys.stderr
        )
        raise SystemExit(130) from None
    _print(report, options.run_dir)
    if report["accuracy"] < report["minimum_accuracy"]:
        print(_too_inaccurate(report, options.run_dir), file=sys.stderr)
        raise SystemExit(EXIT_TOO_INACCURATE)


def train(run_dir: Path, task: Task, seed: int) -> dict[str, Any]:
    """Trains on run_dir/labels; writes classifier/{model.safetensors, report.json, report.png, mistakes.png}.

    A model below reward.minimum_accuracy goes to rejected.safetensors where there is an earlier one, so that
    a running reward node keeps the good one.

    Args:
        run_dir: run folder.
        task: names cameras, size, threshold, classes and the profile.
        seed: of split, initial weights and batches.

    Returns:
        What report.json holds.

    Raises:
        LabelError: no or unusable labels.
        LearningError: labels that cannot be split or learned from.
    """
    begun_s = time.perf_counter()
    labels = load_label_set(run_dir / "labels", task)
    _check_kinds(labels, task, run_dir / "labels")
    config = classifier_config(task, seed)
    held_out = labels.held_out(config.validation_share, config.seed)
    with _steps() as progress:
        steps = progress.add_task(f"training on {int(labels.decided.sum())} frames", total=3)
        classifier = RewardClassifier(config, _trunk(task, config))
        chosen = labels.decided
        result = classifier.fit(
            labels.images[chosen], _targets(labels, task)[chosen], labels.groups[chosen], held_out[chosen]
        )
        progress.update(steps, advance=1, description="judging the held-out episodes")
        probabilities = predict_all(classifier, labels.images[held_out])
        progress.update(steps, advance=1, description="drawing")
        model_file = _save(classifier, result.accuracy >= task.reward.minimum_accuracy, run_dir)
        report = _report(task, config, labels, result, run_dir)
        report |= _assess(probabilities, labels.kinds[held_out], task)
        report |= {"model": model_file.name, "model_id": model_id(model_file)}
        report["seconds"] = round(time.perf_counter() - begun_s, 2)
        _draw(run_dir, report, labels, held_out, probabilities)
        progress.update(steps, advance=1, description="done")
    (run_dir / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def classifier_config(task: Task, seed: int) -> ClassifierConfig:
    """Numbers of the classifier for a task; the learner profile decides which."""
    make = original_classifier if task.learner.profile == "original" else ClassifierConfig
    return make(
        cameras=task.reward_cameras,
        threshold=task.reward.threshold,
        image_size=task.observation.image_size,
        seed=seed,
        classes=task.reward.classes,
    )


def class_names(task: Task) -> tuple[str, ...]:
    """Names of what is told apart, for people."""
    return task.reward.classes or ("no success", "success")


def predict_all(classifier: RewardClassifier, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities of many frames, [N] or [N, C], some at a time."""
    chunks = [images[start : start + _PREDICT_CHUNK] for start in range(0, len(images), _PREDICT_CHUNK)]
    return np.concatenate([classifier.predict(chunk) for chunk in chunks])


def _check_kinds(labels: LabelSet, task: Task, folder: Path) -> None:
    """Raises LabelError when a kind of label is missing altogether."""
    for number, name in enumerate(class_names(task)):
        if (labels.kinds == number).any():
            continue
        if task.reward.classes:
            raise LabelError(f"labels folder {folder}: no frame of class '{name}'; collect labels of it too")
        kind = ("negative", "positive")[number]
        raise LabelError(
            f"labels folder {folder}: {len(labels.kinds)} frames, none of them {kind}; "
            "hold the success button while the task is done, release it while it is not"
        )


def _targets(labels: LabelSet, task: Task) -> NDArray[Any]:
    return labels.kinds if task.reward.classes else labels.kinds == 1


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


def _save(classifier: RewardClassifier, good_enough: bool, run_dir: Path) -> Path:
    """Writes the model; one that is not good enough never replaces an earlier one."""
    path = run_dir / MODEL_FILE
    if not good_enough and path.exists():
        path = run_dir / REJECTED_FILE
    else:
        (run_dir / REJECTED_FILE).unlink(missing_ok=True)
    classifier.save(path)
    return path


def _report(
    task: Task, config: ClassifierConfig, labels: LabelSet, result: ClassifierReport, run_dir: Path
) -> dict[str, Any]:
    """The part of report.json about labels and training."""
    learned = labels.signature()
    report: dict[str, Any] = {
        "accuracy": result.accuracy,
        "accuracy_at_half": result.accuracy_at_half,
        "train_accuracy": result.train_accuracy,
        "minimum_accuracy": task.reward.minimum_accuracy,
        "threshold": result.threshold,
        "classes": list(task.reward.classes),
        "confusion_matrix": result.confusion_matrix,
        "frames": result.frames,
        "labels_of_class": dict(zip(class_names(task), result.counts, strict=True)),
        "labels_by_origin": dict(Counter(labels.why.tolist())),
        "undecided": int((~labels.decided).sum()),
        "new_frames": new_frames(learned, _learned_before(run_dir)),
        "episodes": result.episodes,
        "held_out_episodes": result.validation_episodes,
        "cameras": list(config.cameras),
        "trunk": f"resnet10, {config.trunk_stages} stages, width {config.trunk_width}, "
        + (task.trunk_file or f"random weights of seed {config.trunk_seed}"),
        "seed": config.seed,
        "encode_seconds": round(result.encode_s, 2),
        "losses": result.losses,
        "learned": learned,
    }
    if not task.reward.classes:
        (true_negative, false_positive), (false_negative, true_positive) = result.confusion_matrix
        report["confusion"] = {
            "true_positive": true_positive,
            "false_positive": false_positive,
            "true_negative": true_negative,
            "false_negative": false_negative,
        }
        report["negatives"], report["positives"] = result.counts
    return report


def _learned_before(run_dir: Path) -> dict[str, str] | None:
    """What the model before was taught; None when there is none or it does not say."""
    try:
        before = json.loads((run_dir / REPORT_FILE).read_text(encoding="utf-8"))["learned"]
        return {str(name): str(kinds) for name, kinds in before.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _assess(probabilities: NDArray[np.floating], kinds: NDArray[np.integer], task: Task) -> dict[str, Any]:
    """The part of report.json about held-out frames: calibration, thresholds, a recommendation."""
    if task.reward.classes:
        sure, right = assessment.confident_and_right(probabilities, kinds)
    else:
        sure, right = probabilities, kinds == 1
    table = assessment.threshold_table(sure, right)
    return {
        "calibration": assessment.calibration(sure, right),
        "recommended_threshold": assessment.recommend_threshold(table),
        "thresholds": table,
    }


def _draw(
    run_dir: Path,
    report: dict[str, Any],
    labels: LabelSet,
    held_out: NDArray[np.bool_],
    probabilities: NDArray[np.floating],
) -> None:
    """report.png, and mistakes.png with the numbers that `relabel --flip` takes."""
    folder = (run_dir / MODEL_FILE).parent
    kinds = labels.kinds[held_out]
    write_page(folder / "report.png", report, probabilities, kinds)
    rows = mistake_rows(
        np.flatnonzero(held_out), kinds, probabilities, report["threshold"], report["classes"]
    )
    write_sheet(folder / "mistakes.png", labels.images[held_out], rows)
    remember_numbers(run_dir, labels)


def _steps() -> Progress:
    """Progress on standard error, so that the summary can be piped."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _too_inaccurate(report: dict[str, Any], run_dir: Path) -> str:
    kept = "; the earlier model stays in use" if report["model"] == REJECTED_FILE.name else ""
    return (
        f"train_classifier: held-out accuracy {report['accuracy']:.1%} is below reward.minimum_accuracy "
        f"{report['minimum_accuracy']:.1%}{kept}; look at {run_dir / 'classifier' / 'mistakes.png'}, "
        "correct wrong labels with relabel --flip, collect more labels of what is confused (raise "
        "reward.positive_labels and reward.negative_labels), then train again"
    )


def _print(report: dict[str, Any], run_dir: Path) -> None:
    recommended = report["recommended_threshold"]
    table = Table(title="Reward classifier, held-out episodes", title_justify="left", show_header=False)
    table.add_row("accuracy", f"{report['accuracy']:.1%} (required {report['minimum_accuracy']:.1%})")
    for name, row in zip(report["labels_of_class"], report["confusion_matrix"], strict=True):
        judged = ", ".join(
            f"{count} as {other}" for other, count in zip(report["labels_of_class"], row, strict=True)
        )
        table.add_row(f"{name}, judged", judged)
    table.add_row("threshold", f"{report['threshold']:g}, recommended {recommended['threshold']:g}")
    counts = ", ".join(f"{count} {name}" for name, count in report["labels_of_class"].items())
    table.add_row(
        "frames", f"{counts}, {report['episodes']} episodes ({report['held_out_episodes']} held out)"
    )
    table.add_row("new frames", f"{report['new_frames']} since the model before")
    origins = ", ".join(f"{count} {why}" for why, count in report["labels_by_origin"].items())
    table.add_row("labels", origins + (f", {report['undecided']} undecided" if report["undecided"] else ""))
    table.add_row("trunk", report["trunk"])
    table.add_row("time", f"{report['seconds']:.0f} s")
    console = Console()
    console.print(table)
    folder = (run_dir / MODEL_FILE).parent.resolve()
    for name in (report["model"], "report.png", "mistakes.png"):
        console.print(str(folder / name), soft_wrap=True, markup=False, highlight=False)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="train_classifier", description="Train the reward classifier.")
    add_run_options(parser)
    parser.add_argument("--seed", type=int, default=0, help="of split, initial weights and batches")
    complete_with_shell(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
