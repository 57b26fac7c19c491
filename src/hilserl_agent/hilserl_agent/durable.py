# SPDX-License-Identifier: Apache-2.0
"""Files and folders that outlive a power cut and belong to one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO


def to_disk(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk.

    A synced file without a name is lost, and a rename must not overtake what it names.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock_folder(folder: Path) -> TextIO:
    """The folder's lock, until closed; the kernel lets it go when the process ends, however that happens.

    Raises:
        BlockingIOError: another process has it.
    """
    lock = open(folder / "lock", "w")  # noqa: SIM115  held until close()
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise
    return lock
