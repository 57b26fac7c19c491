# SPDX-License-Identifier: Apache-2.0
"""What a run folder logged of its training, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilserl_agent.config import load_perception
from hilserl_agent.episode_book import HUMAN
from hilserl_agent.metrics import MetricsError, Row, read_rows
from hilserl_agent.snapshots import SNAPSHOTS, read_snapshots
from hilserl_agent.starts import STARTS
from hilserl_agent.transition_files import LoggedTransition, log_files, read_log, whole_bytes
from hilserl_agent.transition_log import TRANSITIONS
from hilserl_learning.errors import LearningError
from hilserl_learning.snapshot import AgentSnapshot
from hilserl_task import Task, TaskError, load_task
from hilserl_task.frames import pose_matrix

Array = NDArray[Any]


@dataclass(frozen=True)
class Steps:
    """All transitions of a training in the order of the learner's log; n of them.

    Attributes:
        key: (actor id, episode) of each.
        step: (n,) within the episode.
        state: float32 (n, s), proprioception relative to the start of the episode.
        features: float32 (n, f).
        action: float32 (n, a), executed.
        human: bool (n,), a person decided.
        reward: (n,).
        last: bool (n,), the episode ends with it.
    """

    key: list[tuple[str, int]]
    step: Array
    state: Array
    features: Array
    action: Array
    human: Array
    reward: Array
    last: Array

    def __len__(self) -> int:
        return len(self.key)

    def episodes(self) -> Iterator[tuple[tuple[str, int], slice]]:
        """Each episode that has ended and where its steps are, in order."""
        begin = 0
        for end in np.flatnonzero(self.last) + 1:
            first = begin
            while self.key[first] != self.key[end - 1]:  # what a dead actor left open, or another actor's
                first += 1
            yield self.key[end - 1], slice(first, int(end))
            begin = int(end)


class RunData:
    """A run folder.

    Args:
        folder: of the run.

    Raises:
        MetricsError: it does not exist or has no task.yaml.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "task.yaml").is_file():
            raise MetricsError(
                f"run folder '{folder}': has no task.yaml, so it is none; example: --run-dir runs/latest"
            )
        self.folder = folder

    @cached_property
    def task(self) -> Task:
        """The task the run was made with; MetricsError when it is not usable any more."""
        try:
            return load_task(str(self.folder / "task.yaml"))
        except TaskError as error:
            raise MetricsError(f"{self.folder / 'task.yaml'}: {error}") from error

    @cached_property
    def training(self) -> list[Row]:
        """Rows of the training episodes that were not discarded, oldest first."""
        rows = read_rows(self.folder / "metrics" / "episodes.jsonl")
        return [row for row in rows if row.get("phase") == "train" and not row["discarded"]]

    @cached_property
    def demonstration_time_s(self) -> float | None:
        """Mean duration of the successful demonstrations; None where unknown."""
        rows = read_rows(self.folder / "metrics" / "episodes.jsonl")
        good = [row["duration_s"] for row in rows if row.get("phase") == "demos" and _kept(row)]
        return float(np.mean(good)) if good else None

    @cached_property
    def snapshots(self) -> list[AgentSnapshot]:
        """Policy and critics over the training, oldest first; MetricsError when one is damaged."""
        try:
            return read_snapshots(self.folder / SNAPSHOTS)
        except LearningError as error:
            raise MetricsError(str(error)) from error

    @cached_property
    def steps(self) -> Steps:
        """The log of transitions.

        Raises:
            MetricsError: there is none, or it is damaged.
        """
        folder = self.folder / TRANSITIONS
        if not log_files(folder):
            raise MetricsError(f"run folder '{self.folder}': has no log ({TRANSITIONS}/*.mcap): train first")
        logged: list[LoggedTransition] = []
        try:
            logged.extend(read_log(folder, 0, {}))
        except TaskError as error:
            if whole_bytes(log_files(folder)[-1])[1]:
                raise MetricsError(str(error)) from error
            # The newest file has no end: the learner still writes to it, or was killed. The rest is good.
        messages = [entry.message for entry in logged]
        return Steps(
            key=[(entry.sender.actor_id, int(entry.message.episode)) for entry in logged],
            step=np.array([message.step for message in messages]),
            state=np.array([message.state for message in messages], np.float32),
            features=self._features(messages),
            action=np.array([message.action for message in messages], np.float32),
            human=np.array([message.source == HUMAN for message in messages]),
            reward=np.array([message.reward for message in messages], np.float32),
            last=np.array([message.terminated or message.truncated for message in messages]),
        )

    @cached_property
    def positions(self) -> tuple[Array, bool]:
        """Position (n, 3) of the first arm's tcp at every step [m], and whether it is in the base frame.

        Runs without noted starts give positions relative to the start of each episode, in its axes.
        """
        steps = self.steps
        relative = steps.state[:, :3].astype(float)
        starts = {(row["actor_id"], row["episode"]): row for row in read_rows(self.folder / STARTS)}
        if not all(key in starts for key in steps.key):
            return relative, False
        arm = self.task.arms[0].name
        found = np.empty_like(relative)
        for index, key in enumerate(steps.key):
            pose = starts[key]["base_T_start"][arm]
            base_T_start = pose_matrix(pose[:3], pose[3:])
            found[index] = base_T_start[:3, :3] @ relative[index] + base_T_start[:3, 3]
        return found, True

    def _features(self, messages: list[Any]) -> Array:
        """As logged; encoded again where only pictures were."""
        if not self.task.learner.policy_images:
            return np.zeros((len(messages), 0), np.float32)
        if all(len(message.features) for message in messages):
            return np.array([message.features for message in messages], np.float32)
        try:
            perception = load_perception(self.task, self.folder)
        except TaskError as error:
            raise MetricsError(str(error)) from error
        assert perception is not None
        size = self.task.observation.image_size
        shape = (len(self.task.cameras), size, size, 3)
        if not all(len(message.images) for message in messages):
            raise MetricsError(
                f"run folder '{self.folder}': the log has neither features nor pictures of every step"
            )
        pictures = (np.frombuffer(bytes(message.images), np.uint8).reshape(shape) for message in messages)
        return np.concatenate([perception.encode(picture) for picture in pictures])


def _kept(row: Row) -> bool:
    return row["outcome"] == "success" and not row["discarded"]
