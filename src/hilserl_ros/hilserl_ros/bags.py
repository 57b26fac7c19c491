# SPDX-License-Identifier: Apache-2.0
"""Episodes as rosbag2 folders (MCAP, zstd chunks): written message by message, read back as arrays.

One bag is one episode. It appears under its final name only when complete: what carries that name is whole.
The `rosbags` library writes the files; rosbag2's own tools (`ros2 bag info`, Foxglove) read them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import yaml
from ament_index_python.packages import get_package_share_directory
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from hilserl_ros.names import OUTCOMES, TERMINATION_REASONS
from hilserl_task import Task
from hilserl_task.frames import Array, pose_matrix

ROSBAG2_VERSION: Literal[9] = 9  # metadata version of Jazzy


class BagError(RuntimeError):
    """A bag cannot be written or read. The text names the bag, the reason and, where known, the step."""


@dataclass(frozen=True)
class EpisodeData:
    """One recorded episode of T steps; frame k is Observation k, action k answers it.

    Attributes:
        states: [T+1, n] float32 proprioception.
        images: [T+1, cameras, height, width, 3] uint8 RGB.
        actions: [T, a] float32, executed, tcp frame.
        sources: [T] uint8, Action.SOURCE_*: who chose the action.
        rewards: [T] float32: success of observation k+1.
        base_T_tcp: [T+1, 4, 4] of the first arm.
        terminated: the task was done. truncated: cut off by time, fault or a person; that says nothing about
            the value of the last state, so bootstrapping goes on there.
        outcome: success, failure or unlabelled.
        discarded: the operator asked to forget this episode.
        metadata: strings written with the bag, `summary` (numbers of EpisodeSummary) and `cameras`.
    """

    states: NDArray[np.float32]
    images: NDArray[np.uint8]
    actions: NDArray[np.float32]
    sources: NDArray[np.uint8]
    rewards: NDArray[np.float32]
    base_T_tcp: Array
    terminated: bool
    truncated: bool
    outcome: str
    discarded: bool
    metadata: dict[str, Any]

    @property
    def steps(self) -> int:
        """Number of actions."""
        return len(self.actions)


def missing_parts(
    steps: int, observations: Iterable[int], actions: Iterable[int], rewards: Iterable[int]
) -> str:
    """Which steps an episode lacks, as text; empty when it is whole.

    An episode of `steps` actions has observations 0..steps, actions 0..steps-1 and rewards 1..steps.
    """
    wanted = {
        "observation": set(range(steps + 1)) - set(observations),
        "executed_action": set(range(steps)) - set(actions),
        "reward": set(range(1, steps + 1)) - set(rewards),
    }
    return "; ".join(f"{name} of steps {sorted(lost)}" for name, lost in wanted.items() if lost)


class EpisodeBagWriter:
    """Writes one episode. Any error removes what was written and raises BagError.

    Args:
        path: final folder of the bag; must not exist.
        task: written into the bag as YAML, with its hash.
        metadata: further strings, e.g. versions.
    """

    def __init__(self, path: Path | str, task: Task, metadata: dict[str, str] | None = None) -> None:
        self.path = Path(path)
        if self.path.exists():
            raise BagError(f"bag {self.path}: exists already and is not overwritten")
        # rosbag2 names the file inside after the folder: the folder above carries the temporary name.
        self._partial = self.path.parent / f".partial-{os.getpid()}-{self.path.name}"
        self._connections: dict[str, Any] = {}
        self._writer: Writer | None = None
        try:
            self._writer = self._open(_custom_data(task, metadata or {}))
        except Exception as error:
            raise self._failed(error) from error

    def write(self, topic: str, msg: Any, stamp_ns: int) -> None:
        """Appends one ROS message.

        Raises:
            BagError: not writable (the bag is gone then), or the writer was closed.
        """
        writer = self._opened()
        try:
            if topic not in self._connections:
                self._connections[topic] = self._connect(writer, topic, msg)
            writer.write(self._connections[topic], int(stamp_ns), serialize_message(msg))
        except Exception as error:
            raise self._failed(error) from error

    def close(self) -> Path:
        """Completes the bag and gives it its name. Returns the folder."""
        writer = self._opened()
        try:
            writer.close()
            for file in writer.path.iterdir():
                _flush(file)
            writer.path.rename(self.path)
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
            with suppress(Exception):  # a full disk makes flushing fail again
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

    def _open(self, custom_data: dict[str, str]) -> Writer:
        shutil.rmtree(self._partial, ignore_errors=True)
        writer = Writer(
            self._partial / self.path.name, version=ROSBAG2_VERSION, storage_plugin=StoragePlugin.MCAP
        )
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        for key, value in custom_data.items():
            writer.set_custom_data(key, value)
        writer.open()
        return writer

    def _opened(self) -> Writer:
        if self._writer is None:
            raise BagError(f"bag {self.path}: is closed")
        return self._writer

    def _connect(self, writer: Writer, topic: str, msg: Any) -> Any:
        package = type(msg).__module__.split(".")[0]
        return writer.add_connection(topic, f"{package}/msg/{type(msg).__name__}", typestore=_typestore())

    def _failed(self, error: Exception) -> BagError:
        self.abort()
        return BagError(f"bag {self.path}: not writable: {error}; nothing of it was kept")


def read_episode(path: Path | str) -> EpisodeData:
    """Reads one bag.

    Raises:
        BagError: missing, damaged, or an episode with gaps.
    """
    path = Path(path)
    if not path.exists():
        raise BagError(f"bag {path}: does not exist")
    try:
        parts, custom = _read_messages(path)
        return _episode(path, parts, custom)
    except BagError:
        raise
    except Exception as error:  # the reader meets damage as errors of many kinds
        raise BagError(f"bag {path}: unreadable: {type(error).__name__}: {error}") from error


def read_episodes(folder: Path | str) -> list[EpisodeData]:
    """Reads all bags of a folder by name; skips unfinished ones (their names start with a dot).

    Raises:
        BagError: the folder is missing, or a bag in it is unreadable.
    """
    return [read_episode(path) for path in episode_paths(folder)]


def check_fits(episode: EpisodeData, task: Task) -> None:
    """Refuses an episode that a policy of this task cannot learn from: other cameras, pictures or actions.

    Raises:
        BagError: names the bag and every difference.
    """
    size = task.observation.image_size
    pairs = {
        "cameras": (episode.metadata["cameras"], [camera.name for camera in task.cameras]),
        "pictures": (episode.images.shape[1:], (len(task.cameras), size, size, 3)),
        "action values": (episode.actions.shape[1:], (task.action_dim,)),
    }
    wrong = [f"{name} {has}, must be {must}" for name, (has, must) in pairs.items() if has != must]
    if wrong:
        raise BagError(
            f"bag {episode.metadata['path']}: does not fit task '{task.name}': {'; '.join(wrong)}; "
            "example: record it again with this task"
        )


def episode_paths(folder: Path | str) -> list[Path]:
    """Folders of all bags in `folder`, sorted by name.

    Raises:
        BagError: `folder` is no folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BagError(f"bags: folder {folder} does not exist; example: runs/ram_insertion-.../demos")
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


@cache
def _typestore() -> Typestore:
    """Types of Jazzy and of hilserl_msgs, from its installed .msg files."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for file in sorted((Path(get_package_share_directory("hilserl_msgs")) / "msg").glob("*.msg")):
        types |= get_types_from_msg(file.read_text(encoding="utf-8"), f"hilserl_msgs/msg/{file.stem}")
    store.register(types)
    return store


def _custom_data(task: Task, metadata: dict[str, str]) -> dict[str, str]:
    text = yaml.safe_dump(task.model_dump(mode="json"), sort_keys=False)
    return {"task": task.name, "task_yaml": text, "config_hash": task.config_hash(), **metadata}


def _flush(path: Path) -> None:
    """Waits until a file or folder is on disk: after a power cut a named bag must be whole."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_messages(path: Path) -> tuple[dict[str, dict[int, Any]], dict[str, str]]:
    """Messages by last part of the topic and step, and the strings written with the bag."""
    parts: dict[str, dict[int, Any]] = {"observation": {}, "executed_action": {}, "reward": {}, "episode": {}}
    with Reader(path) as reader:
        decoders = {
            connection.id: _decoder(connection)
            for connection in reader.connections
            if connection.topic.rsplit("/", 1)[-1] in parts
        }
        wanted = [connection for connection in reader.connections if connection.id in decoders]
        if wanted:  # no filter would mean everything
            for connection, _, data in reader.messages(wanted):
                msg = decoders[connection.id](data)
                parts[connection.topic.rsplit("/", 1)[-1]][int(getattr(msg, "step", 0))] = msg
        storage_metadata = getattr(reader.storage, "metadata", None)
        custom = dict(getattr(storage_metadata, "custom", None) or {})
    return parts, custom


def _decoder(connection: Connection) -> Callable[[bytes], Any]:
    """How to decode a topic.

    Definitions as installed: ROS's own decoder, the exact inverse of what wrote it (`rosbags` stumbles over
    the padding Fast DDS writes after an empty float64 sequence). Other definitions, from an older or newer
    version: those in the bag itself.
    """
    msgtype = connection.msgtype
    if msgtype in _typestore().fielddefs and connection.digest == _typestore().hash_rihs01(msgtype):
        package, _, name = msgtype.split("/")
        message_class = getattr(import_module(f"{package}.msg"), name)
        return lambda data: deserialize_message(data, message_class)
    store = get_typestore(Stores.ROS2_JAZZY)
    types = get_types_from_msg(connection.msgdef.data, msgtype)
    store.register({name: fields for name, fields in types.items() if name not in store.fielddefs})
    return lambda data: store.deserialize_cdr(data, msgtype)


def _episode(path: Path, parts: dict[str, dict[int, Any]], custom: dict[str, str]) -> EpisodeData:
    if not parts["episode"]:
        raise BagError(
            f"bag {path}: has no message on topic 'episode', so its length and outcome are unknown"
        )
    summary = parts["episode"][0]
    steps = int(summary.steps)
    missing = missing_parts(steps, parts["observation"], parts["executed_action"], parts["reward"])
    if missing:
        raise BagError(f"bag {path}: incomplete, lacks {missing}")
    observations = [parts["observation"][k] for k in range(steps + 1)]
    actions = [parts["executed_action"][k] for k in range(steps)]
    outcome = OUTCOMES[summary.outcome]
    reason = TERMINATION_REASONS[summary.termination_reason]
    rewards = np.array([parts["reward"][k + 1].success for k in range(steps)], np.float32)
    if reason == "operator" and outcome == "success" and steps:
        rewards[-1] = 1.0  # the person's verdict stands above the classifier's
    return EpisodeData(
        states=np.stack([np.asarray(o.state, np.float32) for o in observations]),
        images=np.stack([_pictures(path, o) for o in observations]),
        actions=np.array([a.values for a in actions], np.float32).reshape(steps, -1),
        sources=np.array([a.source for a in actions], np.uint8),
        rewards=rewards,
        base_T_tcp=np.stack([_matrix(o.arms[0].pose) for o in observations]),
        terminated=outcome == "success",
        truncated=outcome != "success",
        outcome=outcome,
        discarded=bool(summary.discarded),
        metadata={**custom, "path": str(path), "cameras": list(observations[0].camera_names),
                  "summary": _summary(summary, outcome, reason)},
    )  # fmt: skip


def _pictures(path: Path, observation: Any) -> NDArray[np.uint8]:
    """[cameras, height, width, 3] of one observation."""
    pictures = []
    for name, image in zip(observation.camera_names, observation.images, strict=True):
        data = np.asarray(image.data, np.uint8)
        if image.encoding != "rgb8" or data.size != image.height * image.width * 3:
            raise BagError(
                f"bag {path}: camera '{name}', step {observation.step}: {image.width}x{image.height} "
                f"'{image.encoding}' with {data.size} bytes, must be rgb8 without padding"
            )
        pictures.append(data.reshape(image.height, image.width, 3))
    return np.stack(pictures)


def _matrix(pose: Any) -> Array:
    p, q = pose.position, pose.orientation
    return pose_matrix([p.x, p.y, p.z], [q.x, q.y, q.z, q.w])


def _summary(summary: Any, outcome: str, reason: str) -> dict[str, Any]:
    """Plain values of EpisodeSummary."""
    names = (
        "actor_id", "phase", "episode", "steps", "intervention_steps", "interventions", "duration_s",
        "wall_s", "episode_return", "policy_version", "total_steps", "discarded",
    )  # fmt: skip
    values = {name: getattr(summary, name) for name in names}
    return {**values, "outcome": outcome, "termination_reason": reason}
