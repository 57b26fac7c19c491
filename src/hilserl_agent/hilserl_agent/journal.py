# SPDX-License-Identifier: Apache-2.0
"""Append-only file of checked records: what was appended is there after `kill -9`, a torn end is found.

A record is length, CRC-32, kind and payload, written by one system call. The page cache outlives the process;
only `sync` also outlives a power cut.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hilserl_agent.durable import to_disk

_HEAD = struct.Struct("<IIB")  # bytes of payload, CRC-32 of kind and payload, kind
_LARGEST = 1 << 30  # a longer record is damage


class Record(NamedTuple):
    """A record and where it is: `size` bytes from `offset`, head included."""

    kind: int
    payload: bytes
    offset: int
    size: int


class JournalFile:
    """One file, appended to by one process.

    Args:
        path: made if it is not there.

    Raises:
        OSError: not writable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.size = os.fstat(self._descriptor).st_size
        self._is_new = self.size == 0

    def append(self, kind: int, *parts: bytes) -> tuple[int, int]:
        """Writes a record; returns its offset and size.

        Raises:
            OSError: disk full or not writable; nothing of the record stays.
        """
        checksum = zlib.crc32(bytes([kind]))
        for part in parts:
            checksum = zlib.crc32(part, checksum)
        length = sum(len(part) for part in parts)
        offset, size = self.size, _HEAD.size + length
        try:
            written = os.pwritev(self._descriptor, [_HEAD.pack(length, checksum, kind), *parts], offset)
            if written != size:  # Linux cuts a write at the last free block and fails the next one
                data = b"".join([_HEAD.pack(length, checksum, kind), *parts])
                while written < size:
                    written += os.pwrite(self._descriptor, data[written:], offset + written)
        except OSError:
            os.ftruncate(self._descriptor, offset)
            raise
        self.size += size
        return offset, size

    def read(self, offset: int, size: int) -> Record:
        """The record of `append`'s answer.

        Raises:
            OSError: unreadable or damaged.
        """
        record = _record(os.pread(self._descriptor, size, offset), offset)
        if record is None:
            raise OSError(f"{self.path}: damaged at byte {offset}")
        return record

    def records(self) -> Iterator[Record]:
        """All whole records from the start; the first that is not whole ends them."""
        offset = 0
        while offset + _HEAD.size <= self.size:
            length = _HEAD.unpack(os.pread(self._descriptor, _HEAD.size, offset))[0]
            if length > _LARGEST:
                return
            record = _record(os.pread(self._descriptor, _HEAD.size + length, offset), offset)
            if record is None:
                return
            yield record
            offset += record.size

    def broke_off(self, end: int) -> bool:
        """Whether what is behind the whole records is one write that was cut off: the last, or only zeros.

        Anything else behind a bad record was written after it, so that one is damaged.
        """
        head = os.pread(self._descriptor, _HEAD.size, end)
        if len(head) < _HEAD.size or end + _HEAD.size + _HEAD.unpack(head)[0] >= self.size:
            return True
        return not any(os.pread(self._descriptor, self.size - end, end))

    def cut(self, size: int) -> None:
        """Forgets everything behind `size` bytes."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def sync(self) -> None:
        """Waits until all is on the disk, the name of a new file too."""
        os.fdatasync(self._descriptor)
        if self._is_new:
            to_disk(self.path.parent)
            self._is_new = False

    def close(self) -> None:
        """Closes the file; it stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Closes and deletes the file."""
        self.close()
        self.path.unlink(missing_ok=True)


def _record(data: bytes, offset: int) -> Record | None:
    """The record that `data` holds, or None if it is not whole."""
    if len(data) < _HEAD.size:
        return None
    length, checksum, kind = _HEAD.unpack_from(data)
    if len(data) != _HEAD.size + length:
        return None
    payload = data[_HEAD.size :]
    if zlib.crc32(payload, zlib.crc32(bytes([kind]))) != checksum:
        return None
    return Record(kind, payload, offset, len(data))
