# SPDX-License-Identifier: Apache-2.0
"""Transitions on their way to the learner: on disk from the moment they close until the learner holds them.

Steps of the running episode are *held*: nothing of an episode that is discarded later may reach the learner.
`release` numbers them; from then on they are *pending*, in order, under numbers that survive the process.
Every change is one record of a journal, so `kill -9` at any instant leaves the state before or after it.
"""

from __future__ import annotations

import json
import struct
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from rclpy.serialization import deserialize_message, serialize_message

from hilserl_agent.durable import lock_folder
from hilserl_agent.journal import JournalFile, Record
from hilserl_agent.messages import without_successor
from hilserl_msgs.msg import Transition

SEGMENT_BYTES = 64_000_000  # a file that is longer gets a successor at the next episode
RECLAIM_BYTES = 1_000_000  # a longer file is replaced once nothing in it is needed any more

_HEADER, _STEP, _RELEASE, _DISCARD, _HELD_BY_LEARNER = range(1, 6)
_STEP_HEAD = struct.Struct("<IIB")  # episode, step, last of its episode
_RELEASE_BODY = struct.Struct("<QB")  # newest number now given, the newest step was cut off
_NUMBERS = struct.Struct("<QQ")  # newest number that the learner holds, newest number given


class OutboxError(RuntimeError):
    """The outbox cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class _Entry:
    """Where a step lies. `cut`: its episode broke off behind it, so it is the last one."""

    segment: int
    offset: int
    size: int
    episode: int
    step: int
    last: bool
    cut: bool = False


class Outbox:
    """Journal of one actor in a folder of its own. A process holds the folder's lock while it lives.

    Attributes:
        outbox_id: random; says whose sequence numbers these are.
        last: newest number given.
        newest_episode: of all steps in the files, -1 if there are none.
        warnings: what was found damaged when the folder was opened.

    Args:
        folder: made if it is not there.
        segment_bytes: length at which a new file is begun.

    Raises:
        OutboxError: in use by another process, or damaged.
        OSError: not writable.
    """

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder, self._segment_bytes = folder, segment_bytes
        self.outbox_id = uuid.uuid4().hex
        self.last = 0
        self.newest_episode = -1
        self.warnings: list[str] = []
        self._held: deque[_Entry] = deque()
        self._pending: deque[_Entry] = deque()  # their numbers end with `last`
        self._files: dict[int, JournalFile] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder)
        self._open_files()
        if not self._files:
            self._begin_file(0)

    def __len__(self) -> int:
        """Steps that the learner does not hold yet, held back ones included."""
        return len(self._held) + len(self._pending)

    @property
    def acknowledged(self) -> int:
        """Newest number that the learner holds."""
        return self.last - len(self._pending)

    @property
    def pending(self) -> int:
        """Released steps that the learner does not hold yet."""
        return len(self._pending)

    # -- the running episode --------------------------------------------------------------------------

    def put(self, message: Transition) -> None:
        """Keeps a closed step, with the frame that followed it; it is on file when this returns.

        Raises:
            OSError: disk full; nothing of this step was kept, all before it were.
        """
        if not self._held and self._file.size > self._segment_bytes:
            self._begin_file(self._newest + 1)
        last = bool(message.terminated or message.truncated)
        head = _STEP_HEAD.pack(message.episode, message.step, last)
        offset, size = self._file.append(_STEP, head, serialize_message(message))
        self._add(_Entry(self._newest, offset, size, message.episode, message.step, last))

    def release(self, durable: bool = True) -> None:
        """Numbers what is held and lets it go to the learner.

        Args:
            durable: also over a power cut. Takes milliseconds, so at the end of an episode only.

        Raises:
            OSError: disk full; the steps stay held.
        """
        if self._held:
            self._release(cut=False)
            if durable:
                self._file.sync()

    def discard(self) -> None:
        """Forgets what is held: nothing of it will ever leave.

        Raises:
            OSError: disk full; the steps stay held.
        """
        if self._held:
            self._file.append(_DISCARD)
            self._held.clear()

    def close_cut_episode(self) -> int:
        """After a restart: ends the episode that the process before left open, and releases its steps.

        The step it broke off behind becomes `truncated`: its value is bootstrapped from the frame after it.

        Returns:
            number of steps that were still held.
        """
        newest = self._held[-1] if self._held else self._pending[-1] if self._pending else None
        found = len(self._held)
        if newest is not None and (found or not (newest.last or newest.cut)):
            self._release(cut=not newest.last)
            self._file.sync()
        return found

    # -- to the learner -------------------------------------------------------------------------------

    def head(self, count: int, most_bytes: int = 1 << 62) -> list[Transition]:
        """The first pending transitions, numbered: at most `count`, and of `most_bytes` but at least one.

        Raises:
            OSError: not readable, or damaged since it was written.
        """
        messages: list[Transition] = []
        taken = 0
        for number, entry in enumerate(self._pending, start=self.acknowledged + 1):
            taken += entry.size
            if len(messages) == count or (messages and taken > most_bytes):
                break
            messages.append(self._read(entry, number))
        return messages

    def reconcile(self, last_sequence: int, may_jump: bool = False) -> int:
        """Drops what the learner holds and frees its space; returns how many acknowledged ones it has lost.

        It loses some only if its own folder was taken away (normally 0): what is pending then continues after
        what it still holds.

        Args:
            may_jump: numbers beyond the newest one given here are continued instead of refused.

        Raises:
            ValueError: the learner holds more than was ever sent, so another actor uses this name.
        """
        if last_sequence > self.last and not may_jump:
            raise ValueError(
                f"learner holds sequence {last_sequence}, but only {self.last} were sent: two actors must "
                "not share an actor_id"
            )
        lost = max(0, self.acknowledged - last_sequence)
        if last_sequence != self.acknowledged:
            for _ in range(min(len(self._pending), max(0, last_sequence - self.acknowledged))):
                self._pending.popleft()
            self.last = last_sequence + len(self._pending)
            self._reclaim()
            self._note_acknowledged()
        return lost

    def close(self) -> None:
        """Closes all files; what is in them stays for the next process."""
        for file in self._files.values():
            file.close()
        self._lock.close()

    # -- inside ---------------------------------------------------------------------------------------

    @property
    def _newest(self) -> int:
        return max(self._files)

    @property
    def _file(self) -> JournalFile:
        return self._files[self._newest]

    def _add(self, entry: _Entry) -> None:
        self._held.append(entry)
        self.newest_episode = max(self.newest_episode, entry.episode)

    def _release(self, cut: bool) -> None:
        last = self.last + len(self._held)
        self._file.append(_RELEASE, _RELEASE_BODY.pack(last, cut))
        self._apply_release(last, cut)

    def _apply_release(self, last: int, cut: bool) -> None:
        self.last = last
        self._pending += self._held
        self._held.clear()
        if cut and self._pending:
            self._pending[-1] = replace(self._pending[-1], cut=True)

    def _read(self, entry: _Entry, number: int) -> Transition:
        record = self._files[entry.segment].read(entry.offset, entry.size)
        message = deserialize_message(record.payload[_STEP_HEAD.size :], Transition)
        message.sequence = number
        if entry.cut and not entry.last:
            message.truncated = True
        elif not entry.last:
            without_successor(message)
        return message

    def _note_acknowledged(self) -> None:
        """Not knowing it costs a repetition after a restart, so a full disk is no fault here."""
        with suppress(OSError):
            self._file.append(_HELD_BY_LEARNER, _NUMBERS.pack(self.acknowledged, self.last))

    def _reclaim(self) -> None:
        """Deletes files that hold nothing the learner lacks."""
        if not len(self) and self._file.size > RECLAIM_BYTES:
            with suppress(OSError):  # no room for a header: the file goes another time
                self._begin_file(self._newest + 1)
        needed = min(
            (queue[0].segment for queue in (self._held, self._pending) if queue), default=self._newest
        )
        for number in [number for number in self._files if number < needed]:
            self._files.pop(number).remove()

    def _begin_file(self, number: int) -> None:
        file = JournalFile(self.folder / f"{number:08d}.journal")
        header = {"outbox_id": self.outbox_id, "last": self.last}
        try:
            file.cut(0)
            file.append(_HEADER, json.dumps(header).encode())
        except OSError:
            file.remove()
            raise
        self._files[number] = file

    # -- opening --------------------------------------------------------------------------------------

    def _open_files(self) -> None:
        paths = sorted(self.folder.glob("*.journal"))
        for path in paths:
            number, file = int(path.stem), JournalFile(path)
            records = list(_whole_records(file))
            if not records or records[0].kind != _HEADER:
                if path != paths[-1]:
                    raise OutboxError(f"outbox {path}: has no header; move the folder away to start anew")
                file.remove()  # the process died when it began this file
                continue
            end = records[-1].offset + records[-1].size
            if end < file.size:
                self._torn(file, end, path == paths[-1])
            self._restore(number, file, records)

    def _torn(self, file: JournalFile, end: int, newest: bool) -> None:
        where = f"outbox {file.path}: {file.size - end} bytes behind byte {end}"
        if not (newest and file.broke_off(end)):
            raise OutboxError(f"{where} are damaged; move the folder away to start anew")
        self.warnings.append(f"{where} are no whole record (the process died while it wrote); ignored")
        file.cut(end)

    def _restore(self, number: int, file: JournalFile, records: list[Record]) -> None:
        """Repeats the changes that a file tells of.

        Steps of files that are gone were acknowledged, so what is left of the pending ones are always the
        newest: they end with the newest number.
        """
        header = json.loads(records[0].payload)
        if not self._files:
            self.outbox_id, self.last = header["outbox_id"], header["last"]
        self._files[number] = file
        for record in records[1:]:
            if record.kind == _STEP:
                episode, step, last = _STEP_HEAD.unpack_from(record.payload)
                self._add(_Entry(number, record.offset, record.size, episode, step, bool(last)))
            elif record.kind == _RELEASE:
                newest, cut = _RELEASE_BODY.unpack(record.payload)
                self._apply_release(newest, bool(cut))
            elif record.kind == _DISCARD:
                self._held.clear()
            elif record.kind == _HELD_BY_LEARNER:
                acknowledged, self.last = _NUMBERS.unpack(record.payload)
                while len(self._pending) > self.last - acknowledged:
                    self._pending.popleft()


def _whole_records(file: JournalFile) -> Iterator[Record]:
    """Records of a file; the pictures in steps are not kept in memory."""
    for record in file.records():
        yield record._replace(payload=record.payload[: _STEP_HEAD.size]) if record.kind == _STEP else record


def _locked(folder: Path) -> TextIO:
    """The folder's lock; OutboxError when another process has it."""
    try:
        return lock_folder(folder)
    except BlockingIOError:
        raise OutboxError(
            f"outbox {folder}: another actor with this actor_id is running; give each its own, "
            "e.g. actor_id:=left_robot"
        ) from None
