# SPDX-License-Identifier: Apache-2.0
"""The run's log of transitions: every one the learner has accepted, on disk before it is acknowledged.

`run_dir/transitions/000000.mcap`, `000001.mcap`, ...: messages of type hilserl_msgs/Transition with their
schema, one channel a process that sent. Every message is a chunk of its own with a checksum, and a batch is
one write, so `kill -9` can only tear off what was not acknowledged. Each batch is synced: a power cut cannot
take more either.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import TextIO

from mcap.writer import CompressionType, Writer
from rclpy.serialization import serialize_message

from hilserl_agent.durable import lock_folder, to_disk
from hilserl_agent.sender import Sender
from hilserl_agent.transition_files import (
    IDENTITY,
    LoggedTransition,
    complete,
    definition,
    log_files,
    number_of,
    read_log,
    whole_bytes,
)
from hilserl_msgs.msg import Transition

TRANSITIONS = "transitions"
SEGMENT_BYTES = 256_000_000
SEGMENT_MESSAGES = 20_000  # the writer keeps an index entry of each in memory
_TYPE = "hilserl_msgs/msg/Transition"


class TransitionLog:
    """Appends accepted transitions; one file a process, checkpoint or 256 MB.

    Args:
        folder: made with the first file.
        identity: of what is in it (`run_identity`).
        compress: chunks are compressed (zstd), which pays for pictures.
    """

    def __init__(self, folder: Path, identity: dict[str, str], compress: bool) -> None:
        self.folder, self._identity = folder, identity
        self._compression = CompressionType.ZSTD if compress else CompressionType.NONE
        self._number = max((number_of(path) for path in log_files(folder)), default=-1) + 1
        self._segment: _Segment | None = None
        self._lock: TextIO | None = None

    def append(self, sender: Sender, messages: list[Transition]) -> None:
        """Writes a batch; it is on the disk when this returns.

        Raises:
            OSError: disk full or not writable, or another learner writes here; nothing of the batch counts as
                accepted.
        """
        if not messages:
            return
        self._lock = self._lock or self._locked()
        if self._segment is None:
            path = self.folder / f"{self._number:06d}.mcap"
            self._segment = _Segment(path, self._identity, self._compression)
        try:
            self._segment.append(sender, messages)
        except OSError:
            self._segment.abandon()  # its index would name what is not there
            self._segment, self._number = None, self._number + 1
            raise
        if self._segment.full:
            self.rotate()

    def rotate(self) -> int:
        """Completes the file; returns the number of the next one, where all accepted later begins."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None
            self._number += 1
        return self._number

    def repair(self) -> list[str]:
        """Completes files whose process was killed, so that other tools open them; says what was cut off.

        What is cut off was never acknowledged.

        Raises:
            OSError: not writable, or another learner writes here.
        """
        said = []
        for path in log_files(self.folder):
            end, is_complete = whole_bytes(path)
            if is_complete:
                continue
            self._lock = self._lock or self._locked()
            lost = path.stat().st_size - end
            said.append(
                f"{path}: the learner that wrote it was killed; {lost} bytes were no whole record, ignored"
            )
            complete(path, end)
        return said

    def read(self, first: int) -> Iterator[LoggedTransition]:
        """See `read_log`."""
        return read_log(self.folder, first, self._identity)

    def close(self) -> None:
        """Completes the file."""
        self.rotate()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _locked(self) -> TextIO:
        """Two learners in one run folder would each miss what the other has accepted."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            return lock_folder(self.folder)
        except BlockingIOError as error:
            raise OSError(f"another learner writes to {self.folder}; give each its own run_dir") from error


class _Segment:
    """One file, from its header to its footer."""

    def __init__(self, path: Path, identity: dict[str, str], compression: CompressionType) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        to_disk(path.parent)
        self._size = self._messages = 0
        self._buffer = _Buffer()
        self._writer = Writer(self._buffer, chunk_size=1, compression=compression)  # one message a chunk
        self._writer.start("ros2")
        self._writer.add_metadata(IDENTITY, identity)
        self._schema = self._writer.register_schema(_TYPE, "ros2msg", definition())
        self._channels: dict[Sender, int] = {}

    @property
    def full(self) -> bool:
        return self._size > SEGMENT_BYTES or self._messages >= SEGMENT_MESSAGES

    def append(self, sender: Sender, messages: list[Transition]) -> None:
        channel = self._channel(sender)
        for message in messages:
            now = time.time_ns()
            number = message.sequence & 0xFFFFFFFF  # MCAP's field is that short; the message has it whole
            self._writer.add_message(channel, now, serialize_message(message), now, number)
            self._messages += 1
        self._write()
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        with suppress(OSError):  # a file without its end is read as well
            self._writer.finish()
            self._write()
            os.fsync(self._descriptor)
        self.abandon()

    def abandon(self) -> None:
        os.close(self._descriptor)

    def _channel(self, sender: Sender) -> int:
        if sender not in self._channels:
            topic = f"/transitions/{sender.actor_id}"
            self._channels[sender] = self._writer.register_channel(topic, "cdr", self._schema, asdict(sender))
        return self._channels[sender]

    def _write(self) -> None:
        data = memoryview(self._buffer.take())
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += written


class _Buffer(BytesIO):
    """Collects what the writer writes until it is taken; positions count on."""

    def __init__(self) -> None:
        super().__init__()
        self._taken = 0

    def tell(self) -> int:
        return self._taken + super().tell()

    def take(self) -> bytes:
        data = self.getvalue()
        self._taken += len(data)
        self.seek(0)
        self.truncate()
        return data
