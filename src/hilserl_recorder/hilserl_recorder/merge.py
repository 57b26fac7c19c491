# SPDX-License-Identifier: Apache-2.0
"""Several folders of demonstrations into one, if they belong to one task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hilserl_recorder.folders import all_or_none, bags_of, copy_bag, task_of
from hilserl_recorder.numbering import bag_path, next_number
from hilserl_recorder.progress import track
from hilserl_ros.bags import BagError, read_episode
from hilserl_task.compare import differences

# What makes data of one task data of another: not who recorded it, how long, or how it is learnt from.
_DATA_KEYS = {"name", "period_s", "arms", "cameras", "observation"}


def merge(sources: Sequence[Path], out: Path) -> list[Path]:
    """Copies the bags of all sources into `out`, numbered on from what is there.

    Returns:
        the new bags, in the order of the sources.

    Raises:
        BagError: a bag is unreadable or of another task or configuration (the text names the difference), or
            the disk is full; `out` is as before then.
    """
    if any(source.resolve() == out.resolve() for source in sources):
        raise BagError(f"merge: {out} is a source and the target; example: demos merge a b --out c")
    bags = [bag for source in sources for bag in bags_of(source)]
    existing = bags_of(out) if out.is_dir() and any(out.glob("episode_*")) else []
    check_same_task([*existing, *bags])
    out.mkdir(parents=True, exist_ok=True)
    with all_or_none() as made:
        for bag in track(bags, "copying"):
            made.append(bag_path(out, next_number(out)))
            copy_bag(bag, made[-1])
    return made


def check_same_task(bags: Sequence[Path]) -> None:
    """Reads every bag and compares its task with that of the first. Raises BagError as `merge`."""
    first: dict[str, Any] = {}
    for bag in track(bags, "checking"):
        task = task_of(read_episode(bag).metadata, bag).model_dump(mode="json", include=_DATA_KEYS)
        first = first or task
        wrong = differences(task, first)
        if wrong:
            raise BagError(f"bag {bag}: not of the same task as {bags[0]} (there): {'; '.join(wrong)}")
