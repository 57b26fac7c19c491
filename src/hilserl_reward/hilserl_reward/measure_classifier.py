# SPDX-License-Identifier: Apache-2.0
"""How often a classifier pays for nothing: whole episodes judged as the reward node would.

Usage: measure_classifier --run-dir runs/<run> --episodes DIR [--model FILE]

DIR holds episodes of which every frame is labelled (label files of another run: collect_labels while a
policy or a person moves the arm). An episode is a false positive when the first frame that pays is labelled
as no success, whatever comes after: there it would have ended.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hilserl_learning.errors import LearningError
from hilserl_learning.evaluation import wilson_interval
from hilserl_reward.contact_sheet import Row, Tile, write_sheet
from hilserl_reward.gate import Gate
from hilserl_reward.judge import Judge
from hilserl_reward.labels import LabelError, label_files, read_labels, select_cameras
from hilserl_reward.meaning import meaning_of
from hilserl_reward.model import MODEL_FILE, load_classifier, model_id
from hilserl_reward.options import add_run_options, task_of
from hilserl_reward.train_classifier import predict_all
from hilserl_task import Task, TaskError
from hilserl_task.completion import complete_with_shell

MEASURED_FILE = MODEL_FILE.with_name("measured.json")
SHEET_FILE = MODEL_FILE.with_name("false_positives.png")
_SHOWN = 32


@dataclass(frozen=True)
class Judged:
    """One episode.

    Attributes:
        path: its file.
        frame: that paid first; None: none did.
        right: whether it was labelled success.
        possible: whether any frame of the episode was.
        probability: at that frame.
        image: [n_cam, H, W, 3] of that frame.
    """

    path: Path
    frame: int | None
    right: bool
    possible: bool
    probability: float = 0.0
    image: NDArray[np.uint8] | None = None


class _Replayed:
    """Hands out probabilities that were computed for all frames at once."""

    def __init__(self) -> None:
        self.next: NDArray[np.float32] = np.zeros(1, np.float32)

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Those of the present frame, whatever the images."""
        return self.next[None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the executable `measure_classifier`: exit 0, or 2 and what is wrong."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    model = options.model or options.run_dir / MODEL_FILE
    try:
        report = measure(task_of(options), model, options.episodes, options.run_dir)
    except (TaskError, LabelError, LearningError, OSError) as error:
        print(f"measure_classifier: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("measure_classifier: interrupted; nothing was changed", file=sys.stderr)
        raise SystemExit(130) from None
    _print(report, options.run_dir)


def measure(task: Task, model: Path, folder: Path, run_dir: Path) -> dict[str, Any]:
    """Judges all episodes of a folder with and without the gate; writes measured.json and a contact sheet.

    Raises:
        TaskError, LabelError: a model or episodes that do not fit the task.
        OSError: not writable.
    """
    classifier, gate = load_classifier(model, task), Gate(task)
    files = label_files(folder)
    if not files:
        raise LabelError(f"episodes folder {folder}: holds no episode_XXXX.npz")
    gated, ungated = [], []
    for path in track(files, "judging", console=Console(stderr=True), transient=True):
        episode = select_cameras(path, read_labels(path), task.reward_cameras, task.observation.image_size)
        if not len(episode.labels):
            raise LabelError(f"episodes file {path}: holds no frame; move it away")
        probabilities = predict_all(classifier, episode.images).reshape(len(episode.labels), -1)
        possible = gate.holds(episode.states)
        gated.append(_judge(task, path, episode.images, episode.labels, probabilities, possible))
        always = np.ones(len(possible), bool)
        ungated.append(_judge(task, path, episode.images, episode.labels, probabilities, always))
    report = {
        "model": str(model),
        "model_id": model_id(model),
        "episodes_folder": str(folder),
        "threshold": task.reward.threshold,
        "debounce_frames": task.reward.debounce_frames,
        "gate": str(gate),
        "with_gate": _rates(gated),
        "without_gate": _rates(ungated),
    }
    (run_dir / MEASURED_FILE).parent.mkdir(parents=True, exist_ok=True)  # --model may be of another run
    (run_dir / MEASURED_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _draw(run_dir / SHEET_FILE, gated, ungated)
    return report


def _judge(
    task: Task,
    path: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.bool_],
    probabilities: NDArray[np.floating],
    possible: NDArray[np.bool_],
) -> Judged:
    """The first frame that pays, by the reward node's own judge."""
    spec, replayed = task.reward, _Replayed()
    judge = Judge(replayed, spec.threshold, spec.debounce_frames, meaning_of(spec))
    for frame, row in enumerate(probabilities):
        replayed.next = row
        verdict = judge.judge(0, frame, images[frame], bool(possible[frame]))
        if verdict.success:
            right = bool(labels[frame])
            return Judged(path, frame, right, bool(labels.any()), verdict.probability, images[frame])
    return Judged(path, None, False, bool(labels.any()))


def _rates(judged: list[Judged]) -> dict[str, Any]:
    wrong = [episode for episode in judged if episode.frame is not None and not episode.right]
    missed = [episode for episode in judged if episode.frame is None and episode.possible]
    low, high = wilson_interval(len(wrong), len(judged))
    return {
        "episodes": len(judged),
        "episodes_with_success": sum(episode.possible for episode in judged),
        "false_positives": len(wrong),
        "false_positive_rate": len(wrong) / len(judged),
        "false_positive_interval_95": [low, high],
        "missed": len(missed),
        "false_positive_files": {episode.path.name: episode.frame for episode in wrong},
    }


def _draw(path: Path, gated: list[Judged], ungated: list[Judged]) -> None:
    """The frames that paid for nothing, the surest first."""
    images: list[NDArray[np.uint8]] = []
    rows = []
    for heading, judged in (("with the gate", gated), ("without it", ungated)):
        wrong = [episode for episode in judged if episode.image is not None and not episode.right]
        tiles = []
        for episode in sorted(wrong, key=lambda one: -one.probability)[:_SHOWN]:
            name = episode.path.stem.removeprefix("episode_")
            lines = (f"{name}, frame {episode.frame}", f"p={episode.probability:.3f}")
            if episode.image is not None:
                tiles.append(Tile(len(images), lines, wrong=True))
                images.append(episode.image)
        rows.append(Row(f"paid for nothing {heading} ({len(wrong)} of {len(judged)})", tiles))
    write_sheet(path, np.stack(images or [np.zeros((1, 128, 128, 3), np.uint8)]), rows, 8)


def _print(report: dict[str, Any], run_dir: Path) -> None:
    title = f"Classifier {report['model_id']}, whole episodes; gate: {report['gate']}"
    table = Table(title=title, title_justify="left")
    for column in ("", "episodes", "for nothing", "rate", "95 % interval", "missed"):
        table.add_column(column, no_wrap=True)
    for key, name in (("with_gate", "gate"), ("without_gate", "no gate")):
        part = report[key]
        low, high = part["false_positive_interval_95"]
        table.add_row(
            name,
            str(part["episodes"]),
            str(part["false_positives"]),
            f"{part['false_positive_rate']:.2%}",
            f"{low:.2%} to {high:.2%}",
            f"{part['missed']} of {part['episodes_with_success']}",
        )
    console = Console()
    console.print(table)
    console.print(str((run_dir / SHEET_FILE).resolve()), soft_wrap=True, markup=False, highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="measure_classifier", description="How often a classifier pays for nothing, by whole episodes."
    )
    add_run_options(parser)
    add = parser.add_argument
    add(
        "--episodes",
        type=Path,
        required=True,
        metavar="DIR",
        help="label files of which every frame is labelled, for example runs/<other run>/labels",
    )
    add("--model", type=Path, metavar="FILE", help="default: classifier/model.safetensors of the run")
    complete_with_shell(parser)
    return parser


if __name__ == "__main__":
    main()
