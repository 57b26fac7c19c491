# SPDX-License-Identifier: Apache-2.0
"""Episodes as rosbag2 folders (MCAP, zstd chunks): written message by message, read back as arrays.

One bag is one episode. It appears under its final name only when complete: what carries that name is whole.
`bag_storage` chooses the library; `ros2 bag info`, `ros2 bag play` and Foxglove take the folders.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message

from hilserl_ros import bag_types, qos, topics
from hilserl_ros.bag_storage import BagError, StorageWriter, open_reader, open_writer
from hilserl_ros.episode_data import (
    ACTION,
    EPISODE,
    OBSERVATION,
    REWARD,
    EpisodeData,
    check_fits,
    episode_data,
    missing_parts,
)
from hilserl_task import Task

__all__ = [
    "Bag",
    "BagError",
    "BagMessage",
    "EpisodeBagWriter",
    "EpisodeData",
    "check_fits",
    "episode_paths",
    "is_bag",
    "missing_parts",
    "read_bag",
    "read_episode",
    "read_episodes",
    "task_metadata",
]

_KINDS = (OBSERVATION, ACTION, REWARD, EPISODE)
# What a player shall offer, so that this graph's nodes take it; any other topic is a sensor's.
_PROFILES = {
    topics.OBSERVATION: qos.OBSERVATION,
    topics.EXECUTED_ACTION: qos.EXECUTED_ACTION,
    topics.REWARD: qos.REWARD,
    topics.EPISODE: qos.EPISODE,
}


@dataclass(frozen=True)
class BagMessage:
    """One message of a bag: absolute topic, stamp [ns], ROS message."""

    topic: str
    stamp_ns: int
    message: Any

    @property
    def kind(self) -> str:
        """Last part of the topic: `observation`, `executed_action`, ..."""
        return self.topic.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Bag:
    """All of a bag: messages in order of time, and the strings written with it."""

    path: Path
    messages: list[BagMessage]
    metadata: dict[str, str]

    def episode(self) -> EpisodeData:
        """Its episode as arrays. Raises BagError as `read_episode`."""
        parts: dict[str, dict[int, Any]] = {kind: {} for kind in _KINDS}
        for entry in self.messages:
            if entry.kind in parts:
                parts[entry.kind][int(getattr(entry.message, "step", 0))] = entry.message
        return episode_data(self.path, parts, self.metadata)


def offered_profile(topic: str) -> QoSProfile:
    """QoS under which a topic of a bag is played again."""
    return _PROFILES.get(topic.rsplit("/", 1)[-1], qos.sensor("lockstep"))


def task_metadata(task: Task) -> dict[str, str]:
    """What every bag says about its task: name, whole task file, hash."""
    text = yaml.safe_dump(task.model_dump(mode="json"), sort_keys=False)
    return {"task": task.name, "task_yaml": text, "config_hash": task.config_hash()}


class EpisodeBagWriter:
    """Writes one episode. Any error removes what was written and raises BagError.

    Args:
        path: final folder of the bag; must not exist.
        task: written into the bag as YAML, with its hash; None: `metadata` says it all.
        metadata: further strings, e.g. versions.
    """

    def __init__(self, path: Path | str, task: Task | None, metadata: dict[str, str] | None = None) -> None:
        self.path = Path(path)
        if self.path.exists():
            raise BagError(f"bag {self.path}: exists already and is not overwritten")
        # rosbag2 names the file inside after the folder: the folder above carries the temporary name.
        self._partial = self.path.parent / f".partial-{os.getpid()}-{self.path.name}"
        self._counts: dict[str, int] = {}
        self._writer: StorageWriter | None = None
        try:
            shutil.rmtree(self._partial, ignore_errors=True)
            about = task_metadata(task) if task is not None else {}
            self._writer = open_writer(self._partial / self.path.name, {**about, **(metadata or {})})
        except Exception as error:
            raise self._failed(error) from error

    def write(self, topic: str, msg: Any, stamp_ns: int) -> None:
        """Appends one ROS message.

        Raises:
            BagError: not writable (the bag is gone then), or the writer was closed.
        """
        writer = self._opened()
        try:
            if topic not in self._counts:
                writer.add_topic(topic, bag_types.type_name(msg), offered_profile(topic))
                self._counts[topic] = 0
            writer.write(topic, serialize_message(msg), int(stamp_ns))
            self._counts[topic] += 1
        except Exception as error:
            raise self._failed(error) from error

    def close(self) -> Path:
        """Completes the bag and gives it its name. Returns the folder."""
        writer = self._opened()
        try:
            writer.close()
            written = self._partial / self.path.name
            for file in written.iterdir():
                _flush(file)
            _check_counts(written, self._counts)
            written.rename(self.path)
            self._partial.rmdir()
            _flush(self.path.parent)
        except Exception as error:
            raise self._failed(error) from error
        self._writer = None
        return self.path

    def abort(self) -> None:
        """Forgets the bag: nothing stays on disk. Harmless when closed or aborted before."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abort()
        shutil.rmtree(self._partial, ignore_errors=True)

    def __enter__(self) -> EpisodeBagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes; after an exception, aborts."""
        if kind is not None:
            self.abort()
        elif self._writer is not None:
            self.close()

    def _opened(self) -> StorageWriter:
        if self._writer is None:
            raise BagError(f"bag {self.path}: is closed")
        return self._writer

    def _failed(self, error: Exception) -> BagError:
        self.abort()
        return BagError(f"bag {self.path}: not writable: {error}; nothing of it was kept")


def read_bag(path: Path | str, kinds: Collection[str] | None = None) -> Bag:
    """Reads one bag.

    Args:
        kinds: only topics that end with one of these; all if None.

    Raises:
        BagError: missing or damaged.
    """
    path = Path(path)
    if not path.exists():
        raise BagError(f"bag {path}: does not exist")
    try:
        return _read(path, kinds)
    except Exception as error:  # the readers meet damage as errors of many kinds
        raise BagError(f"bag {path}: unreadable: {type(error).__name__}: {error}") from error


def read_episode(path: Path | str) -> EpisodeData:
    """Reads the episode of one bag.

    Raises:
        BagError: missing, damaged, or an episode with gaps.
    """
    bag = read_bag(path, _KINDS)
    try:
        return bag.episode()
    except BagError:
        raise
    except Exception as error:  # messages that contradict each other
        raise BagError(f"bag {path}: unreadable: {type(error).__name__}: {error}") from error


def read_episodes(folder: Path | str) -> list[EpisodeData]:
    """Reads all bags of a folder by name; skips unfinished ones (their names start with a dot).

    Raises:
        BagError: the folder is missing, or a bag in it is unreadable.
    """
    return [read_episode(path) for path in episode_paths(folder)]


def is_bag(path: Path) -> bool:
    """Whether a folder is a bag (and not a folder of bags)."""
    return (path / "metadata.yaml").is_file()


def episode_paths(folder: Path | str) -> list[Path]:
    """Folders of all bags in `folder`, sorted by name.

    Raises:
        BagError: `folder` is no folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BagError(f"bags: folder {folder} does not exist; example: runs/ram_insertion-.../demos")
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _read(path: Path, kinds: Collection[str] | None) -> Bag:
    reader = open_reader(path)
    try:
        decoders = {
            topic.name: bag_types.decoder(topic)
            for topic in reader.topics
            if kinds is None or topic.name.rsplit("/", 1)[-1] in kinds
        }
        messages = [
            BagMessage(name, stamp_ns, decoders[name](data))
            for name, stamp_ns, data in reader.messages(decoders)
        ]
        return Bag(path, messages, reader.custom_data)
    finally:
        reader.close()


def _check_counts(path: Path, written: dict[str, int]) -> None:
    """Reads back what was written: not every library says so when the disk is full."""
    found = dict.fromkeys(written, 0)
    reader = open_reader(path)
    try:
        for name, _, _ in reader.messages(written):
            found[name] += 1
    finally:
        reader.close()
    if found != written:
        raise OSError(f"read back {found} messages of {written}")


def _flush(path: Path) -> None:
    """Waits until a file or folder is on disk: after a power cut a named bag must be whole."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
