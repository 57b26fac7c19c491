# SPDX-License-Identifier: Apache-2.0
"""What `demos delete` and `demos trim` take away lies in `.trash` beside the bags, until `demos undo`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from hilserl_recorder.folders import rename_bag
from hilserl_recorder.numbering import bag_path, next_number
from hilserl_ros.bags import BagError

TRASH = ".trash"
Why = Literal["deleted", "trimmed"]


def throw_away(bag: Path, why: Why) -> Path:
    """Moves a bag into the trash. Returns where it lies.

    Raises:
        BagError: it cannot be moved.
    """
    entry = bag.parent / TRASH / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{why}"
    try:
        entry.mkdir(parents=True)
        bag.rename(entry / bag.name)
    except OSError as error:
        raise BagError(f"bag {bag}: cannot be moved into the trash: {error}") from error
    return entry / bag.name


def undo(folder: Path) -> str:
    """Brings back what was thrown away last. Returns what was done, in words.

    A trimmed bag changes places with its original, so a second undo trims it again. A deleted one gets its
    number back, or the next free one where another bag has it now.

    Raises:
        BagError: the trash is empty, or a file cannot be moved.
    """
    trash = folder / TRASH
    entries = sorted(path for path in trash.iterdir() if any(path.iterdir())) if trash.is_dir() else []
    if not entries:
        raise BagError(f"folder {folder}: nothing to undo, {trash} is empty")
    entry = entries[-1]
    (thrown,) = entry.iterdir()
    target = folder / thrown.name
    try:
        if not target.exists():
            thrown.rename(target)
        elif entry.name.endswith("trimmed"):
            throw_away(target, "trimmed")
            thrown.rename(target)
        else:
            target = bag_path(folder, next_number(folder))
            rename_bag(thrown, target)
        entry.rmdir()
    except OSError as error:
        raise BagError(f"bag {target}: cannot be brought back: {error}") from error
    return f"{target.name} is back ({entry.name.rsplit('-', 1)[-1]} as {thrown.name})"
