# SPDX-License-Identifier: Apache-2.0
"""Which robots are there: graphs, arms and cameras, read from the names and types of topics. No ROS calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hilserl_ros import topics

# A topic of this name and type makes a namespace a graph.
_MARKS = {
    topics.OBSERVATION: "hilserl_msgs/msg/Observation",
    topics.INTERVENTION_STATE: "hilserl_msgs/msg/InterventionState",
    topics.EXECUTED_ACTION: "hilserl_msgs/msg/Action",
    topics.EPISODE: "hilserl_msgs/msg/EpisodeSummary",
}
_STATUS_TYPE = "hilserl_msgs/msg/TrainingStatus"
_STATE_TYPE = "hilserl_msgs/msg/CartesianControllerState"
_IMAGE_TYPE = "sensor_msgs/msg/Image"
_STATE_SUFFIX = topics.controller_state("")
_PICTURES = {  # realsense2_camera's and image_transport's names
    _IMAGE_TYPE: "/color/image_raw",
    "sensor_msgs/msg/CompressedImage": "/color/image_raw/compressed",
}


class Camera(NamedTuple):
    """A camera; `raw` says whether its pictures come uncompressed, else only compressed."""

    arm: str
    name: str
    raw: bool

    @property
    def topic(self) -> str:
        """Relative topic of its pictures."""
        topic = topics.camera_image(self.arm, self.name)
        return topic if self.raw else f"{topic}/compressed"


@dataclass(frozen=True)
class Graph:
    """One robot's graph.

    Attributes:
        namespace: "/" or e.g. "/robot_a".
        learner: namespace of its learner; another one where several robots feed one learner.
        arms: namespaces of the arms below that of the graph, sorted.
        cameras: sorted by arm and name.
    """

    namespace: str
    learner: str
    arms: tuple[str, ...] = ()
    cameras: tuple[Camera, ...] = ()

    def name(self, relative: str) -> str:
        """Absolute name of a topic or service of the graph."""
        return f"{self.namespace.rstrip('/')}/{relative}"

    def learner_name(self, relative: str) -> str:
        """Absolute name of a topic or service of the learner."""
        return f"{self.learner.rstrip('/')}/{relative}"


def graphs(names_and_types: Iterable[tuple[str, Iterable[str]]]) -> dict[str, Graph]:
    """Every graph, by namespace.

    Args:
        names_and_types: as `Node.get_topic_names_and_types` gives them.
    """
    types = {name: tuple(kinds) for name, kinds in names_and_types}
    learners = {
        _namespace(name, topics.LEARNER_STATUS)
        for name, kinds in types.items()
        if _is(name, kinds, topics.LEARNER_STATUS, _STATUS_TYPE)
    }
    namespaces = {
        _namespace(name, mark)
        for name, kinds in types.items()
        for mark, kind in _MARKS.items()
        if _is(name, kinds, mark, kind)
    }
    return {
        namespace: Graph(
            namespace, _learner_of(namespace, learners), _arms(namespace, types), _cameras(namespace, types)
        )
        for namespace in sorted(namespaces or learners)
    }


def _is(name: str, kinds: tuple[str, ...], relative: str, kind: str) -> bool:
    return kind in kinds and name.endswith(f"/{relative}")


def _namespace(name: str, relative: str) -> str:
    return name[: -len(relative)].rstrip("/") or "/"


def _learner_of(namespace: str, learners: set[str]) -> str:
    """Its own, else the nearest above, else the only one."""
    above = namespace
    while above not in learners and above != "/":
        above = above.rsplit("/", 1)[0] or "/"
    if above in learners:
        return above
    return next(iter(learners)) if len(learners) == 1 else namespace


def _arms(namespace: str, types: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    prefix = f"{namespace.rstrip('/')}/"
    names = (
        name[len(prefix) : -len(_STATE_SUFFIX)]
        for name, kinds in types.items()
        if _STATE_TYPE in kinds and name.startswith(prefix) and name.endswith(_STATE_SUFFIX)
    )
    return tuple(sorted(arm for arm in names if arm and "/" not in arm))


def _cameras(namespace: str, types: Mapping[str, tuple[str, ...]]) -> tuple[Camera, ...]:
    prefix = f"{namespace.rstrip('/')}/"
    found: dict[tuple[str, str], set[str]] = {}
    for name, kinds in types.items():
        for kind, suffix in _PICTURES.items():
            if kind not in kinds or not name.startswith(prefix) or not name.endswith(suffix):
                continue
            parts = name[len(prefix) : -len(suffix)].split("/")
            if len(parts) == 2:
                found.setdefault((parts[0], parts[1]), set()).add(kind)
    return tuple(Camera(*place, _IMAGE_TYPE in kinds) for place, kinds in sorted(found.items()))
