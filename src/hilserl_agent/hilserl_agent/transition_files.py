# SPDX-License-Identifier: Apache-2.0
"""Files of the log of transitions: finding, reading, and completing what a killed writer left."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ament_index_python.packages import get_package_share_directory
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import Channel, DataEnd, Footer, Message, Metadata, Schema
from mcap.stream_reader import StreamReader
from mcap.writer import MCAP0_MAGIC
from rclpy.serialization import deserialize_message

from hilserl_agent.run_identity import disagreement
from hilserl_agent.sender import Sender
from hilserl_msgs.msg import Transition
from hilserl_task import TaskError

IDENTITY = "hilserl"  # name of the metadata record
_RECORD_HEAD = struct.Struct("<BQ")  # of MCAP: opcode, bytes that follow
_OPCODES = frozenset(int(opcode) for opcode in Opcode)


class LoggedTransition(NamedTuple):
    """An accepted transition and whose it is."""

    sender: Sender
    message: Transition


def log_files(folder: Path) -> list[Path]:
    """Files of a log, oldest first."""
    return sorted((path for path in folder.glob("*.mcap") if path.stem.isdigit()), key=number_of)


def number_of(path: Path) -> int:
    """Number of a file of the log."""
    return int(path.stem)


def definition() -> bytes:
    """Text of Transition.msg as installed: the schema of every message."""
    folder = Path(get_package_share_directory("hilserl_msgs"))
    return (folder / "msg" / "Transition.msg").read_bytes()


def read_log(folder: Path, first: int, identity: dict[str, str]) -> Iterator[LoggedTransition]:
    """Everything accepted since a file, in order.

    Args:
        first: number of the first file to read.
        identity: of here (`run_identity`); every file's must be equal.

    Raises:
        TaskError: of another configuration or version of the message, or damaged.
    """
    for path in log_files(folder):
        if number_of(path) >= first:
            yield from _read_file(path, identity)


def _read_file(path: Path, identity: dict[str, str]) -> Iterator[LoggedTransition]:
    senders: dict[int, Sender] = {}
    position = 0
    with path.open("rb") as file:
        try:
            for record in StreamReader(file, validate_crcs=True).records:
                position = file.tell()
                if isinstance(record, Metadata) and record.name == IDENTITY:
                    _check_identity(path, dict(record.metadata), identity)
                elif isinstance(record, Schema) and record.data != definition():
                    raise TaskError(
                        f"{path}: written with another version of {record.name}; use a new run folder"
                    )
                elif isinstance(record, Channel):
                    senders[record.id] = Sender(**record.metadata)
                elif isinstance(record, Message):
                    message = deserialize_message(record.data, Transition)
                    yield LoggedTransition(senders[record.channel_id], message)
        except TaskError:
            raise
        except Exception as error:  # mcap, zstd and struct meet damage with errors of many kinds
            raise TaskError(
                f"{path}: damaged near byte {position}: {error}; put a good copy in its place"
            ) from error


def _check_identity(path: Path, found: dict[str, str], identity: dict[str, str]) -> None:
    if wrong := disagreement(found, identity):
        raise TaskError(f"{path}: {wrong}; use the task and overrides it was made with, or a new run folder")


def whole_bytes(path: Path) -> tuple[int, bool]:
    """How far a file consists of whole records, and whether its end is there.

    Raises:
        TaskError: its end is there, but the records do not lead up to it: damage, nothing to be cut off.
    """
    end, complete = _whole_records(path)
    if not complete and _has_end(path):
        raise TaskError(f"{path}: damaged near byte {end}; put a good copy in its place")
    return end, complete


def _has_end(path: Path) -> bool:
    """Whether the last bytes are those that a writer puts behind its last record."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) < 2 * len(MCAP0_MAGIC):
            return False  # the magic of the start
        file.seek(-len(MCAP0_MAGIC), os.SEEK_END)
        return file.read() == MCAP0_MAGIC


def _whole_records(path: Path) -> tuple[int, bool]:
    size = path.stat().st_size
    with path.open("rb") as file:
        end = len(file.read(len(MCAP0_MAGIC)))
        if end < len(MCAP0_MAGIC):
            return 0, False
        while True:
            file.seek(end)
            head = file.read(_RECORD_HEAD.size)
            if len(head) < _RECORD_HEAD.size:
                return end, False
            opcode, length = _RECORD_HEAD.unpack(head)
            if opcode not in _OPCODES or end + _RECORD_HEAD.size + length > size:
                return end, False
            if opcode == Opcode.FOOTER:
                return end, end + _RECORD_HEAD.size + length + len(MCAP0_MAGIC) == size
            end += _RECORD_HEAD.size + length


def complete(path: Path, end: int) -> None:
    """Cuts a torn file behind its last whole record and gives it an end without an index."""
    if end == 0:
        path.unlink()
        return
    builder = RecordBuilder()
    DataEnd(0).write(builder)
    Footer(summary_start=0, summary_offset_start=0, summary_crc=0).write(builder)
    with path.open("r+b") as file:
        file.truncate(end)
        file.seek(end)
        file.write(builder.end() + MCAP0_MAGIC)
        file.flush()
        os.fsync(file.fileno())
