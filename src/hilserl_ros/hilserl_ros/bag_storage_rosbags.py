# SPDX-License-Identifier: Apache-2.0
"""rosbag2 folders with the pip package `rosbags`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer

from hilserl_ros.bag_storage import Topic
from hilserl_ros.bag_types import typestore

ROSBAG2_VERSION: Literal[9] = 9  # metadata version of Jazzy
INFINITE = QosTime(9223372036, 854775807)  # RMW_DURATION_INFINITE


class RosbagsWriter:
    """StorageWriter of `rosbags`."""

    def __init__(self, folder: Path, custom_data: dict[str, str]) -> None:
        self._writer = Writer(folder, version=ROSBAG2_VERSION, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        for key, value in custom_data.items():
            self._writer.set_custom_data(key, value)
        self._writer.open()
        self._connections: dict[str, Any] = {}

    def add_topic(self, name: str, type_name: str, profile: QoSProfile) -> None:
        """As StorageWriter."""
        self._connections[name] = self._writer.add_connection(
            name, type_name, typestore=typestore(), offered_qos_profiles=[_offered(profile)]
        )

    def write(self, name: str, data: bytes, stamp_ns: int) -> None:
        """As StorageWriter."""
        self._writer.write(self._connections[name], stamp_ns, data)

    def close(self) -> None:
        """As StorageWriter."""
        self._writer.close()

    def abort(self) -> None:
        """As StorageWriter."""
        with suppress(Exception):  # a full disk makes flushing fail again
            self._writer.abort()


class RosbagsReader:
    """StorageReader of `rosbags`."""

    def __init__(self, folder: Path) -> None:
        self._reader = Reader(folder)
        self._reader.open()
        self.topics = [Topic(c.topic, c.msgtype, c.digest, c.msgdef.data) for c in self._reader.connections]
        metadata = getattr(self._reader.storage, "metadata", None)
        self.custom_data: dict[str, str] = dict(getattr(metadata, "custom", None) or {})

    def messages(self, names: Iterable[str]) -> Iterator[tuple[str, int, bytes]]:
        """As StorageReader."""
        chosen = set(names)
        wanted = [connection for connection in self._reader.connections if connection.topic in chosen]
        if wanted:  # no filter would mean everything
            for connection, stamp_ns, data in self._reader.messages(wanted):
                yield connection.topic, stamp_ns, data

    def close(self) -> None:
        """As StorageReader."""
        self._reader.close()


def _offered(profile: QoSProfile) -> Qos:
    """A profile as metadata.yaml has it: what `ros2 bag play` will offer."""
    reliable = profile.reliability == ReliabilityPolicy.RELIABLE
    latched = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    keep_all = profile.history == HistoryPolicy.KEEP_ALL
    return Qos(
        history=QosHistory.KEEP_ALL if keep_all else QosHistory.KEEP_LAST,
        depth=profile.depth,
        reliability=QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=INFINITE,
        lifespan=INFINITE,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=INFINITE,
        avoid_ros_namespace_conventions=False,
    )
