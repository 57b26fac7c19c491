# SPDX-License-Identifier: Apache-2.0
"""A progress bar for long work, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

Item = TypeVar("Item")


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """The items, with a bar on standard error that says `what` and how far; `total` where len() does not."""
    if not sys.stderr.isatty():
        return iter(items)
    return iter(rich_track(items, what, total=total, console=Console(stderr=True), transient=True))
