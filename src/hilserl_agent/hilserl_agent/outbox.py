# SPDX-License-Identifier: Apache-2.0
"""Transitions on their way to the learner: ordered, numbered, bounded in memory, spilled to disk beyond."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import BinaryIO

from rclpy.serialization import deserialize_message, serialize_message

from hilserl_msgs.msg import Transition

MEMORY_BYTES = 256_000_000  # about 2500 transitions with two 128 x 128 pictures


class Outbox:
    """Keeps every transition until the learner holds it.

    Sequence numbers are positions: the first one kept is `acknowledged + 1`. So a retry carries the same
    numbers, and a learner that lost its newest transitions (restart from a checkpoint) is continued
    without a gap.
    """

    def __init__(self, spill_file: Path, memory_bytes: int = MEMORY_BYTES) -> None:
        self.acknowledged = 0
        self._memory: deque[Transition] = deque()
        self._bytes = 0
        self._limit = memory_bytes
        self._spill = _SpillFile(spill_file)

    def __len__(self) -> int:
        return len(self._memory) + len(self._spill)

    @property
    def spilled(self) -> int:
        """Transitions that wait on disk."""
        return len(self._spill)

    def put(self, message: Transition) -> None:
        """Appends a transition.

        Raises:
            OSError: memory is full and so is the disk.
        """
        if len(self._spill) or self._bytes >= self._limit:
            self._spill.append(serialize_message(message))
        else:
            self._remember(message)

    def head(self, count: int) -> list[Transition]:
        """The first `count` transitions at most, numbered."""
        messages = [self._memory[index] for index in range(min(count, len(self._memory)))]
        for number, message in enumerate(messages, start=self.acknowledged + 1):
            message.sequence = number
        return messages

    def reconcile(self, last_sequence: int) -> int:
        """Drops what the learner holds; returns how many acknowledged ones it has lost (normally 0).

        Raises:
            ValueError: the learner holds more than was ever sent, so another actor uses this name.
        """
        held = last_sequence - self.acknowledged
        if held > len(self):
            raise ValueError(
                f"learner holds sequence {last_sequence}, but only {self.acknowledged + len(self)} were "
                "sent: two actors must not share an actor_id"
            )
        for _ in range(held):
            self._bytes -= _size(self._memory.popleft())
            self._refill()
        self.acknowledged = last_sequence
        return max(0, -held)

    def close(self) -> None:
        """Removes the spill file."""
        self._spill.close()

    def _remember(self, message: Transition) -> None:
        self._memory.append(message)
        self._bytes += _size(message)

    def _refill(self) -> None:
        """Fetches from disk once half the memory is free, or none is left to send."""
        if self._memory and self._bytes > self._limit / 2:
            return
        while len(self._spill) and (not self._memory or self._bytes < self._limit):
            self._remember(deserialize_message(self._spill.pop(), Transition))


class _SpillFile:
    """First in, first out, in a file of length-prefixed records."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._read_at = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, record: bytes) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w+b")
        end = self._file.seek(0, 2)
        try:
            self._file.write(len(record).to_bytes(8, "little") + record)
            self._file.flush()
        except OSError:
            self._file.truncate(end)
            raise
        self._count += 1

    def pop(self) -> bytes:
        if self._file is None or not self._count:
            raise IndexError("spill file is empty")
        self._file.seek(self._read_at)
        record = self._file.read(int.from_bytes(self._file.read(8), "little"))
        self._read_at = self._file.tell()
        self._count -= 1
        if not self._count:
            self._file.truncate(0)
            self._read_at = 0
        return record

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)
            self._file, self._count = None, 0


def _size(message: Transition) -> int:
    floats = len(message.state) + len(message.features) + len(message.next_features)
    return len(message.images) + len(message.next_images) + 4 * floats + 200
