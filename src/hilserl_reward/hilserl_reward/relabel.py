# SPDX-License-Identifier: Apache-2.0
"""Looks at labels and changes wrong ones, without the robot.

Usage: relabel --run-dir runs/<run> [--show new|doubtful|all]     draws classifier/labels.png, numbered
       relabel --run-dir runs/<run> --flip 12,17 [--drop 30]      success becomes no success and back
       relabel --run-dir runs/<run> --set-class 12=lost           tasks with reward.classes
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hilserl_learning.errors import LearningError
from hilserl_reward.contact_sheet import Row, Tile, write_sheet
from hilserl_reward.label_set import LabelSet, load_label_set
from hilserl_reward.labels import (
    COLLECTED,
    RELABELLED,
    UNDECIDED,
    EpisodeLabels,
    LabelError,
    read_labels,
    write_labels,
)
from hilserl_reward.model import MODEL_FILE, load_classifier
from hilserl_reward.options import add_run_options, task_of
from hilserl_reward.sheet_numbers import check_numbers, remember_numbers
from hilserl_reward.train_classifier import predict_all
from hilserl_task import Task, TaskError
from hilserl_task.completion import complete_with_shell

SHEET_FILE = Path("classifier") / "labels.png"
_PER_ROW = 8
_FRAMES = 64  # on one sheet


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the executable `relabel`: exit 0, or 2 and what is wrong."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    try:
        task = task_of(options)
        labels = load_label_set(options.run_dir / "labels", task)
        if options.flip or options.drop or options.set_class:
            text = change(options.run_dir, task, labels, _wishes(options, labels, task))
        else:
            text = show(options.run_dir, task, labels, options.show, options.page)
    except (TaskError, LabelError, LearningError, OSError) as error:
        print(f"relabel: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("relabel: interrupted; no label file is half written", file=sys.stderr)
        raise SystemExit(130) from None
    print(text)


def show(run_dir: Path, task: Task, labels: LabelSet, which: str | None, page: int = 1) -> str:
    """Draws a numbered sheet of frames; returns what to tell the user.

    Args:
        which: new (kept while training), doubtful (the model says otherwise, worst first) or all; None: new
            where there are any, else doubtful.
        page: of `_FRAMES` frames each, from 1.
    """
    probabilities = _probabilities(run_dir, task, labels)
    which = which or ("new" if (labels.why != COLLECTED).any() else "doubtful")
    chosen = _choose(which, labels, probabilities)
    pages = max(1, -(-len(chosen) // _FRAMES))
    if not 1 <= page <= pages:
        raise LabelError(f"--page: {page} must be 1 to {pages}; example: --page 1")
    shown = chosen[(page - 1) * _FRAMES : page * _FRAMES]
    tiles = [_tile(place, int(number), labels, probabilities, task) for place, number in enumerate(shown)]
    heading = f"{which}: {len(chosen)} frames, page {page} of {pages}"
    write_sheet(run_dir / SHEET_FILE, labels.images[shown], [Row(heading, tiles)], _PER_ROW)
    remember_numbers(run_dir, labels)
    return (
        f"{run_dir / SHEET_FILE}: {heading}\nchange labels with --flip N,N, --drop N,N or --set-class N=NAME"
    )


def change(run_dir: Path, task: Task, labels: LabelSet, wishes: dict[int, int | None]) -> str:
    """Gives frames other labels, or takes them out (None); returns what to tell the user.

    Each file is replaced in one step: interrupted, it holds the old or the new labels.
    """
    check_numbers(run_dir, labels, list(wishes))
    success = task.reward.success_class
    success_number = task.reward.classes.index(success) if success else None
    by_file: dict[int, dict[int, int | None]] = {}
    for number, kind in wishes.items():
        file, frame = labels.place(number)
        by_file.setdefault(file, {})[frame] = kind
    for file, kinds_of in by_file.items():
        # The file as it is: with all its cameras, and classes numbered as the task does now.
        episode = replace(read_labels(labels.files[file]), **_class_fields(labels.episodes[file]))
        kinds, why = episode.kinds.copy(), episode.reasons.astype("<U16")
        for frame, kind in kinds_of.items():
            if kind is not None:
                kinds[frame], why[frame] = kind, RELABELLED
        kept = np.array([kinds_of.get(frame, 0) is not None for frame in range(len(kinds))])
        write_labels(labels.files[file], episode.with_kinds(kinds, why, success_number).chosen(kept))
    dropped = sum(kind is None for kind in wishes.values())
    text = f"{len(wishes) - dropped} labels changed, {dropped} frames taken out"
    return f"{text}; learn them with: train_classifier --run-dir {run_dir}"


def _class_fields(episode: EpisodeLabels) -> dict[str, Any]:
    return {"classes": episode.classes, "class_names": episode.class_names}


def _choose(which: str, labels: LabelSet, probabilities: NDArray[np.floating] | None) -> NDArray[np.integer]:
    """Numbers of the frames to show, in order."""
    if which == "all":
        return np.arange(len(labels.kinds))
    if which == "new":
        return np.flatnonzero(labels.why != COLLECTED)
    if probabilities is None:
        raise LabelError("--show doubtful: there is no classifier yet; run train_classifier, or --show all")
    decided = np.flatnonzero(labels.decided)
    if probabilities.ndim == 1:
        of_label = np.where(labels.kinds == 1, probabilities, 1 - probabilities)[decided]
    else:
        of_label = probabilities[decided, labels.kinds[decided]]
    return decided[np.argsort(of_label, kind="stable")][:_FRAMES]


def _tile(
    place: int, number: int, labels: LabelSet, probabilities: NDArray[np.floating] | None, task: Task
) -> Tile:
    kind, names = int(labels.kinds[number]), task.reward.classes or ("no", "yes")
    said, wrong = "", False
    if probabilities is not None:
        p = probabilities[number]
        judged = int(p >= task.reward.threshold) if p.ndim == 0 else int(p.argmax())
        said = f"  p={float(p if p.ndim == 0 else p.max()):.2f}"
        wrong = kind not in (judged, UNDECIDED)
    name = "?" if kind == UNDECIDED else names[kind]
    why = str(labels.why[number]).replace("_", " ")
    return Tile(place, (f"#{number}{said}", name + ("" if why == COLLECTED else f", {why}")), wrong)


def _probabilities(run_dir: Path, task: Task, labels: LabelSet) -> NDArray[np.floating] | None:
    """What the run's classifier says of every frame; None when there is none."""
    path = run_dir / MODEL_FILE
    return predict_all(load_classifier(path, task), labels.images) if path.is_file() else None


def _wishes(options: argparse.Namespace, labels: LabelSet, task: Task) -> dict[int, int | None]:
    """New kind of each frame by its number; None: take it out."""
    classes = task.reward.classes
    if options.flip and classes:
        raise LabelError("--flip: the task has classes; say which: --set-class 12=" + classes[0])
    if options.set_class and not classes:
        raise LabelError("--set-class: the task has no reward.classes; use --flip")
    wishes: dict[int, int | None] = {}
    for number in options.flip:
        labels.place(number)
        wishes[number] = 1 - int(labels.kinds[number])
    for number, name in options.set_class:
        if name not in classes:
            raise LabelError(f"--set-class: '{name}' is not one of the classes {list(classes)}")
        wishes[number] = classes.index(name)
    return {**wishes, **dict.fromkeys(options.drop)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="relabel", description="Look at labels and change wrong ones.")
    add_run_options(parser)
    add = parser.add_argument
    add(
        "--show",
        choices=("new", "doubtful", "all"),
        help="frames on the sheet (default: new where there are any, else doubtful)",
    )
    add("--page", type=int, default=1, metavar="N", help="of a sheet with many frames")
    add("--flip", type=_numbers, default=[], metavar="N,N", help="success becomes no success, and back")
    add("--drop", type=_numbers, default=[], metavar="N,N", help="take frames out")
    add("--set-class", type=_class, action="append", default=[], metavar="N=NAME", help="may be repeated")
    complete_with_shell(parser)
    return parser


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"'{text}' must be numbers of frames; example: 12,17")
    return [int(part) for part in parts]


def _class(text: str) -> tuple[int, str]:
    number, _, name = text.partition("=")
    if not number.isdigit() or not name:
        raise argparse.ArgumentTypeError(f"'{text}' must be NUMBER=CLASS; example: 12=lost")
    return int(number), name


if __name__ == "__main__":
    main()
