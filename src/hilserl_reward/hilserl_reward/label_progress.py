# SPDX-License-Identifier: Apache-2.0
"""Bars of a label collection in the terminal, one for each kind of label."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class LabelProgress:
    """Shows bars where standard output is a terminal, else nothing.

    Args:
        names, targets: of the kinds.
    """

    def __init__(self, names: Sequence[str], targets: Sequence[int]) -> None:
        self._progress: Progress | None = None
        if not sys.stdout.isatty():
            return
        columns = (
            TextColumn("{task.description:>14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=Console())
        self._bars = [
            self._progress.add_task(name, total=target) for name, target in zip(names, targets, strict=True)
        ]
        self._progress.start()

    @property
    def shown(self) -> bool:
        """Whether anybody sees it."""
        return self._progress is not None

    def update(self, counts: Sequence[int], names: Sequence[str]) -> None:
        """Sets the bars; `names` may mark the class that the button gives."""
        if self._progress is not None:
            for bar, count, name in zip(self._bars, counts, names, strict=True):
                self._progress.update(bar, completed=count, description=name)

    def stop(self) -> None:
        """Leaves the bars as they are and gives the terminal back."""
        if self._progress is not None:
            self._progress.stop()
