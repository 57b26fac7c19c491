# SPDX-License-Identifier: Apache-2.0
"""Names of the bags in a folder: episode_0000, episode_0001, ..."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

_NAME = re.compile(r"^episode_(\d{4,})$")
_PARTIAL = re.compile(r"^\.partial-(\d+)-")


def existing_numbers(folder: Path) -> list[int]:
    """Numbers of the bags already there, sorted; a missing folder has none."""
    if not folder.is_dir():
        return []
    matches = (_NAME.match(path.name) for path in folder.iterdir() if path.is_dir())
    return sorted(int(match.group(1)) for match in matches if match)


def bag_path(folder: Path, number: int) -> Path:
    """Folder of bag `number`."""
    return folder / f"episode_{number:04d}"


def next_number(folder: Path) -> int:
    """One above the highest number: a deleted bag's number is not used again while later ones exist."""
    return max(existing_numbers(folder), default=-1) + 1


def remove_leftovers(folder: Path) -> list[Path]:
    """Deletes unfinished bags of recorders that are no longer alive (killed, power cut). Returns them."""
    removed = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _PARTIAL.match(path.name)
        if match and not _alive(int(match.group(1))):
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
    return removed


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process != os.getpid()  # this process has just started: the number was another's
