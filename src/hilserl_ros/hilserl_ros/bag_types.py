# SPDX-License-Identifier: Apache-2.0
"""Message types of a bag: definitions as installed, and those that a bag carries itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from ament_index_python.packages import get_package_share_directory
from rclpy.serialization import deserialize_message
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from hilserl_ros.bag_storage import Topic
from hilserl_ros.codec import bytes_field


@cache
def typestore() -> Typestore:
    """Types of Jazzy and of hilserl_msgs, from its installed .msg files."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for file in sorted((Path(get_package_share_directory("hilserl_msgs")) / "msg").glob("*.msg")):
        types |= get_types_from_msg(file.read_text(encoding="utf-8"), f"hilserl_msgs/msg/{file.stem}")
    store.register(types)
    return store


def type_name(message: Any) -> str:
    """`hilserl_msgs/msg/Observation` of a message."""
    package = type(message).__module__.split(".")[0]
    return f"{package}/msg/{type(message).__name__}"


def message_class(name: str) -> Any:
    """Installed class of `hilserl_msgs/msg/Observation`."""
    package, _, kind = name.split("/")
    return getattr(import_module(f"{package}.msg"), kind)


def decoder(topic: Topic) -> Callable[[bytes], Any]:
    """How to decode a topic, as messages of the installed classes.

    Definitions as installed: ROS's own decoder, the exact inverse of what wrote it (`rosbags` stumbles over
    the padding Fast DDS writes after an empty float64 sequence). Other definitions, from an older or newer
    version: those in the bag itself; fields that only one side knows are left out, or keep their default.
    """
    if topic.type_name in typestore().fielddefs and topic.type_hash == typestore().hash_rihs01(
        topic.type_name
    ):
        kind = message_class(topic.type_name)
        return lambda data: deserialize_message(data, kind)
    store = get_typestore(Stores.ROS2_JAZZY)
    types = get_types_from_msg(topic.definition, topic.type_name)
    store.register({name: fields for name, fields in types.items() if name not in store.fielddefs})
    kind = message_class(topic.type_name)
    return lambda data: _converted(store.deserialize_cdr(data, topic.type_name), kind)


def _converted(old: Any, kind: Any) -> Any:
    """An installed message with what `old`, of another definition, knows."""
    message = kind()
    for name in message.get_fields_and_field_types():
        value = getattr(old, name, None)
        if value is not None:
            setattr(message, name, _converted_value(value, getattr(message, name)))
    return message


def _converted_value(value: Any, default: Any) -> Any:
    """A field's value; `default` shows what the field holds."""
    if isinstance(value, np.ndarray):
        if isinstance(default, np.ndarray):  # an array of fixed length
            return value.astype(default.dtype)
        return bytes_field(value) if value.dtype == np.uint8 else value.tolist()
    if isinstance(value, list):
        return [_of_its_class(item) for item in value]
    if hasattr(value, "__msgtype__"):
        return _converted(value, type(default))
    return value


def _of_its_class(item: Any) -> Any:
    """An element of a sequence, which has no default to look at."""
    name = getattr(item, "__msgtype__", None)
    return item if name is None else _converted(item, message_class(name))
