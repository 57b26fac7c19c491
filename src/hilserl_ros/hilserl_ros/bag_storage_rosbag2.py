# SPDX-License-Identifier: Apache-2.0
"""rosbag2 folders with rosbag2_py, the library behind `ros2 bag` (API of Jazzy)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import rosbag2_py
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbag2_py._storage import QoS

from hilserl_ros.bag_storage import Topic
from hilserl_ros.bag_types import typestore

_AS_STORED = ("", "")  # no conversion of the serialization


class Rosbag2Writer:
    """StorageWriter of rosbag2_py."""

    def __init__(self, folder: Path, custom_data: dict[str, str]) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        options = rosbag2_py.StorageOptions(
            uri=str(folder), storage_id="mcap", storage_preset_profile="zstd_fast", custom_data=custom_data
        )
        self._writer: Any = rosbag2_py.SequentialWriter()
        self._writer.open(options, rosbag2_py.ConverterOptions("cdr", "cdr"))
        self._topics = 0

    def add_topic(self, name: str, type_name: str, profile: QoSProfile) -> None:
        """As StorageWriter."""
        self._topics += 1
        self._writer.create_topic(
            rosbag2_py.TopicMetadata(
                id=self._topics,
                name=name,
                type=type_name,
                serialization_format="cdr",
                offered_qos_profiles=[_offered(profile)],
                type_description_hash=typestore().hash_rihs01(type_name),
            )
        )

    def write(self, name: str, data: bytes, stamp_ns: int) -> None:
        """As StorageWriter."""
        self._writer.write(name, data, stamp_ns)

    def close(self) -> None:
        """As StorageWriter."""
        self._writer.close()

    def abort(self) -> None:
        """As StorageWriter: the destructor of the writer closes its file."""
        self._writer = None


class Rosbag2Reader:
    """StorageReader of rosbag2_py."""

    def __init__(self, folder: Path) -> None:
        self._reader: Any = rosbag2_py.SequentialReader()
        options = rosbag2_py.StorageOptions(uri=str(folder), storage_id="mcap")
        self._reader.open(options, rosbag2_py.ConverterOptions(*_AS_STORED))
        definitions = {
            definition.topic_type: definition.encoded_message_definition
            for definition in self._reader.get_all_message_definitions()
        }
        self.topics = [
            Topic(topic.name, topic.type, topic.type_description_hash, definitions.get(topic.type, ""))
            for topic in self._reader.get_all_topics_and_types()
        ]
        self.custom_data: dict[str, str] = dict(self._reader.get_metadata().custom_data)

    def messages(self, names: Iterable[str]) -> Iterator[tuple[str, int, bytes]]:
        """As StorageReader."""
        chosen = list(names)
        if not chosen:  # no filter would mean everything
            return
        self._reader.set_filter(rosbag2_py.StorageFilter(topics=chosen))
        while self._reader.has_next():
            name, data, stamp_ns = self._reader.read_next()
            yield name, stamp_ns, data

    def close(self) -> None:
        """As StorageReader: the destructor of the reader closes its files."""
        self._reader = None


def _offered(profile: QoSProfile) -> Any:
    """A profile as rosbag2 has it: what `ros2 bag play` will offer."""
    offered = QoS(profile.depth)
    if profile.reliability == ReliabilityPolicy.RELIABLE:
        offered.reliable()
    else:
        offered.best_effort()
    if profile.durability == DurabilityPolicy.TRANSIENT_LOCAL:
        offered.transient_local()
    else:
        offered.durability_volatile()
    return offered
