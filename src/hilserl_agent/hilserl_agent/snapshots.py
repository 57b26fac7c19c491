# SPDX-License-Identifier: Apache-2.0
"""A thin series of policy and critics over a training: `run_dir/snapshots/cycle_000001000.safetensors`.

Checkpoints are for going on and are pruned; these are for looking back, and stay spread over the whole
training however long it gets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from hilserl_learning.errors import LearningError
from hilserl_learning.snapshot import AgentSnapshot

SNAPSHOTS = "snapshots"
MOST = 32  # files; then every second one goes, so there are always between 16 and 32 of a long training
_NAME = re.compile(r"^cycle_(\d+)\.safetensors$")


class SnapshotSeries:
    """Decides which snapshots are kept. Spacing follows from the files, so a restart goes on evenly.

    Args:
        folder: made with the first snapshot.
        cycle: where training goes on; what is beyond belongs to a training that was given up.
        spacing: smallest distance of two snapshots, in update cycles.
    """

    def __init__(self, folder: Path, cycle: int, spacing: int) -> None:
        self._folder, self._smallest = folder, spacing
        for number, path in _files(folder):
            if number > cycle:
                path.unlink(missing_ok=True)

    def offer(self, cycle: int, make: Callable[[], bytes]) -> bool:
        """Keeps the snapshot that `make` gives if it is time for one; returns whether it did.

        Raises:
            OSError: disk full or not writable; the others stay.
        """
        known = [number for number, _ in _files(self._folder)]
        if known and cycle < known[-1] + self._spacing(known):
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"cycle_{cycle:09d}.safetensors"
        partial = path.with_suffix(".part")
        try:
            partial.write_bytes(make())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        self._thin_out()
        return True

    def _spacing(self, known: list[int]) -> int:
        if len(known) < 2:
            return self._smallest
        return max(self._smallest, (known[-1] - known[0]) // (len(known) - 1))

    def _thin_out(self) -> None:
        files = _files(self._folder)
        if len(files) > MOST:
            for _, path in files[1::2]:
                path.unlink(missing_ok=True)


def read_snapshots(folder: Path) -> list[AgentSnapshot]:
    """All snapshots of a run, oldest first.

    Raises:
        LearningError: one is damaged; the text names the file.
    """
    found = []
    for _, path in _files(folder):
        try:
            found.append(AgentSnapshot.from_bytes(path.read_bytes()))
        except (LearningError, OSError, KeyError, ValueError) as error:
            raise LearningError(f"snapshot {path}: {error}; remove it, the others are enough") from error
    return found


def _files(folder: Path) -> list[tuple[int, Path]]:
    """Cycle and path, oldest first."""
    found = [(_NAME.match(path.name), path) for path in folder.glob("cycle_*.safetensors")]
    return sorted((int(match[1]), path) for match, path in found if match)
