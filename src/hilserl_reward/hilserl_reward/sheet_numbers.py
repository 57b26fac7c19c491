# SPDX-License-Identifier: Apache-2.0
"""Which numbers the last contact sheet had, so that `relabel` never changes another frame than was seen."""

from __future__ import annotations

import json
from pathlib import Path

from hilserl_reward.label_set import LabelSet
from hilserl_reward.labels import LabelError

NUMBERS_FILE = Path("classifier") / "numbers.json"


def remember_numbers(run_dir: Path, labels: LabelSet) -> None:
    """Writes how many frames each file had when the sheet was drawn. Raises OSError."""
    path = run_dir / NUMBERS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_counts(labels), indent=1) + "\n", encoding="utf-8")


def check_numbers(run_dir: Path, labels: LabelSet, numbers: list[int]) -> None:
    """Raises LabelError when a number may mean another frame than on the last sheet."""
    try:
        drawn = json.loads((run_dir / NUMBERS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise LabelError(
            f"run {run_dir}: no sheet was drawn yet, so numbers mean nothing; look first: relabel --run-dir "
            f"{run_dir}"
        ) from None
    counts = _counts(labels)
    for number in numbers:
        file, _ = labels.place(number)
        before = list(counts.items())[: file + 1]
        if before != list(drawn.items())[: file + 1]:
            raise LabelError(
                f"frame {number}: the labels have changed since the sheet was drawn; draw it again: "
                f"relabel --run-dir {run_dir}"
            )


def _counts(labels: LabelSet) -> dict[str, int]:
    return {
        path.name: len(episode.labels) for path, episode in zip(labels.files, labels.episodes, strict=True)
    }
