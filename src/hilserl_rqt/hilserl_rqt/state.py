# SPDX-License-Identifier: Apache-2.0
"""What is known about one graph: newest messages with their age, curves, episodes, problems, nodes, services.

Written by the ROS thread and read by the window's, each with `lock` held for a moment.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from numpy.typing import NDArray

from hilserl_ros.image_transport import rgb_from_any
from hilserl_rqt.discovery import Graph
from hilserl_rqt.episodes import EpisodeBook
from hilserl_rqt.limits import LimitMemory
from hilserl_task import Task

STALE_S = 2.0  # 20 periods of 10 Hz; a reset of the simulation takes less
STATUS_STALE_S = 5.0  # the learner speaks twice a second, and may be busy for a while
VALUE_STALE_S = 30.0  # values come an episode at a time
CURVE_S = 60.0
CURVE_POINTS = 4000  # a minute of 50 Hz
PROBLEMS_KEPT = 100
PROBLEM_S = 300.0  # a warning that has not come back for so long is history


class Latest:
    """The newest message of a topic; `message` is None before the first."""

    def __init__(self, stale_s: float = STALE_S) -> None:
        self.message: Any = None
        self.at_s = 0.0
        self._stale_s = stale_s

    def put(self, message: Any, now_s: float) -> None:
        """Replaces it."""
        self.message, self.at_s = message, now_s

    def age_s(self, now_s: float) -> float | None:
        """Since it came; None before the first."""
        return None if self.message is None else max(0.0, now_s - self.at_s)

    def stale(self, now_s: float) -> bool:
        """Whether nobody should rely on it any more; true before the first."""
        age = self.age_s(now_s)
        return age is None or age > self._stale_s

    def fresh(self, now_s: float) -> Any:
        """The message, or None when stale."""
        return None if self.stale(now_s) else self.message


class Curve:
    """Values over time: rows of equal width. What is not finite becomes a gap."""

    def __init__(self) -> None:
        self._rows: deque[tuple[float, tuple[float, ...]]] = deque(maxlen=CURVE_POINTS)

    def add(self, now_s: float, *values: float) -> None:
        """Appends a row."""
        self._rows.append((now_s, tuple(float(value) for value in values)))

    def since(self, now_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Seconds relative to now (negative), and values (rows, width), of the last minute."""
        rows = [row for row in self._rows if now_s - row[0] <= CURVE_S]
        if not rows:
            return np.zeros(0), np.zeros((0, 1))
        values = np.array([row[1] for row in rows])
        return np.array([row[0] for row in rows]) - now_s, np.where(np.isfinite(values), values, np.nan)


@dataclass(frozen=True)
class Picture:
    """A picture to show, or why there is none.

    Attributes:
        pixels: (height, width, 3) uint8 RGB.
        at_s: when it came.
        error: what is wrong with it; empty if nothing.
    """

    pixels: NDArray[np.uint8] | None
    at_s: float
    error: str = ""


def picture_of(image: Any, now_s: float) -> Picture:
    """Picture of a sensor_msgs Image or CompressedImage; a broken one says what is wrong."""
    try:
        return Picture(np.ascontiguousarray(rgb_from_any(image)), now_s)
    except ValueError as error:
        return Picture(None, now_s, str(error))


@dataclass
class ArmView:
    """What is known of one arm."""

    state: Latest = field(default_factory=Latest)
    gripper: Latest = field(default_factory=Latest)
    limits: LimitMemory = field(default_factory=LimitMemory)


@dataclass
class Problem:
    """A warning or an error of a node, and how often it came."""

    level: int
    node: str
    text: str
    facts: str
    at_s: float
    count: int = 1


_LEVELS = {
    DiagnosticStatus.OK: 0,
    DiagnosticStatus.WARN: 1,
    DiagnosticStatus.ERROR: 2,
    DiagnosticStatus.STALE: 3,
}


class Problems:
    """Warnings and errors, newest last; an OK of the same node and text takes one away."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Problem] = {}

    def add(self, message: DiagnosticArray, now_s: float, mine: Any) -> None:
        """Takes what `mine(name)` says belongs to this graph."""
        for status in message.status:
            if not mine(status.name):
                continue
            key = (status.name, status.message)
            earlier = self._found.pop(key, None)
            level = _LEVELS.get(status.level, 2)
            if level == 0:
                continue
            facts = ", ".join(f"{pair.key} {pair.value}" for pair in status.values)
            count = earlier.count + 1 if earlier else 1
            self._found[key] = Problem(level, status.name, status.message, facts, now_s, count)
            while len(self._found) > PROBLEMS_KEPT:
                del self._found[next(iter(self._found))]

    def recent(self, now_s: float) -> list[Problem]:
        """Newest first, none older than five minutes."""
        return [p for p in reversed(self._found.values()) if now_s - p.at_s <= PROBLEM_S]


class GraphState:
    """Everything about the graph that is shown."""

    def __init__(self, graph: Graph | None) -> None:
        self.lock = threading.RLock()
        self.graph = graph
        self.task: Task | None = None
        self.run_dir = ""
        self.observation, self.executed, self.intervention = Latest(), Latest(), Latest()
        self.reward, self.insight = Latest(), Latest()
        self.value = Latest(VALUE_STALE_S)
        self.status = Latest(STATUS_STALE_S)
        self.coach = Latest(float("inf"))  # published when it changes, and latched
        self.recorder = Latest(STATUS_STALE_S)
        self.reward_curve, self.value_curve, self.std_curve = Curve(), Curve(), Curve()
        self.seen: dict[str, Picture] = {}  # by camera, of the observation
        self.raw: dict[str, Picture] = {}  # by camera, whole
        self.arms: dict[str, ArmView] = {}
        self.episodes = EpisodeBook()
        self.problems = Problems()
        self.nodes: dict[str, bool] = {}  # fully qualified name -> alive
        self.services: dict[str, bool] = {}  # key of Command -> ready
        self._step_times: OrderedDict[tuple[int, int], float] = OrderedDict()
        self.actor_paused: bool | None = None  # by the last answer of the actor

    def put_reward(self, message: Any, now_s: float) -> None:
        """A judgement."""
        self.reward.put(message, now_s)
        self._remember_step(message, now_s)
        self.reward_curve.add(now_s, message.probability, message.threshold)

    def put_value(self, message: Any, now_s: float) -> None:
        """What the critics think."""
        self.value.put(message, now_s)
        # The learner hears of a step when its episode is over: drawn where the step was.
        at_s = self._step_times.get((message.episode, message.step), now_s)
        self.value_curve.add(at_s, message.q_mean, message.q_min, message.q_max)

    def put_insight(self, message: Any, now_s: float) -> None:
        """What the policy thought."""
        self.insight.put(message, now_s)
        if len(message.std):
            std = np.asarray(message.std, float)
            self.std_curve.add(now_s, std.mean(), std.min(), std.max())

    def _remember_step(self, message: Any, now_s: float) -> None:
        self._step_times[message.episode, message.step] = now_s
        while len(self._step_times) > CURVE_POINTS:
            self._step_times.popitem(last=False)

    def put_observation(self, message: Any, now_s: float) -> None:
        """Pictures as policy and reward see them."""
        self.observation.put(message, now_s)
        for name, image in zip(message.camera_names, message.images, strict=False):
            self.seen[name] = picture_of(image, now_s)

    def put_arm(self, arm: str, message: Any, now_s: float) -> None:
        """A controller state."""
        view = self.arms[arm]
        view.state.put(message, now_s)
        view.limits.update(message.limit_flags, message.joint_limit_flags, now_s)
