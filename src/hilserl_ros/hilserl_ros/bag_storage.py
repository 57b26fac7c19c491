# SPDX-License-Identifier: Apache-2.0
"""Which library writes and reads rosbag2 folders (MCAP, zstd chunks): decided here and nowhere else.

`rosbag2_py` where ROS 2 is installed, else the pip package `rosbags`; both make and read the same folders.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from rclpy.qos import QoSProfile

Library = Literal["rosbag2_py", "rosbags"]
LIBRARIES: tuple[Library, ...] = ("rosbag2_py", "rosbags")
CHOICE = "HILSERL_BAG_LIBRARY"


class BagError(RuntimeError):
    """A bag cannot be written or read. The text names the bag, the reason and, where known, the step."""


@dataclass(frozen=True)
class Topic:
    """A topic of a bag.

    Attributes:
        name: absolute, e.g. `/observation`.
        type_name: e.g. `hilserl_msgs/msg/Observation`.
        type_hash: RIHS01 of the definition it was written with.
        definition: text of that definition with all it needs; ros2msg.
    """

    name: str
    type_name: str
    type_hash: str
    definition: str


class StorageWriter(Protocol):
    """One bag being written. Everything may raise whatever the library raises."""

    def add_topic(self, name: str, type_name: str, profile: QoSProfile) -> None:
        """Registers a topic before its first message; `profile` is what a player shall offer."""

    def write(self, name: str, data: bytes, stamp_ns: int) -> None:
        """Appends a serialized (CDR) message."""

    def close(self) -> None:
        """Completes the folder."""

    def abort(self) -> None:
        """Closes files without completing anything."""


class StorageReader(Protocol):
    """One bag that is read."""

    @property
    def topics(self) -> Sequence[Topic]:
        """All topics of the bag."""

    @property
    def custom_data(self) -> dict[str, str]:
        """Strings written with the bag."""

    def messages(self, names: Iterable[str]) -> Iterator[tuple[str, int, bytes]]:
        """(topic, stamp [ns], CDR) of these topics, in order of time."""

    def close(self) -> None:
        """Closes the files."""


def available(library: Library) -> bool:
    """Whether a library is installed."""
    return importlib.util.find_spec(library) is not None


def library() -> Library:
    """The library in use: HILSERL_BAG_LIBRARY of the environment, else the first one installed.

    Raises:
        BagError: none is installed, or the one asked for is not.
    """
    wanted = os.environ.get(CHOICE, "")
    for name in LIBRARIES:
        if wanted in ("", name) and available(name):
            return name
    raise BagError(
        f"bags: {wanted or ' or '.join(LIBRARIES)} must be installed; {CHOICE}='{wanted}' may be "
        f"{', '.join(LIBRARIES)} or empty; example: pip install rosbags"
    )


def open_writer(folder: Path, custom_data: dict[str, str]) -> StorageWriter:
    """A new bag in `folder`, which must not exist; its name becomes that of the file inside."""
    if library() == "rosbag2_py":
        from hilserl_ros.bag_storage_rosbag2 import Rosbag2Writer

        return Rosbag2Writer(folder, custom_data)
    from hilserl_ros.bag_storage_rosbags import RosbagsWriter

    return RosbagsWriter(folder, custom_data)


def open_reader(folder: Path) -> StorageReader:
    """Opens a bag for reading."""
    if library() == "rosbag2_py":
        from hilserl_ros.bag_storage_rosbag2 import Rosbag2Reader

        return Rosbag2Reader(folder)
    from hilserl_ros.bag_storage_rosbags import RosbagsReader

    return RosbagsReader(folder)
