# SPDX-License-Identifier: Apache-2.0
"""Brings observations and button levels together: a frame is labelled by the action that answered it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilserl_reward.labels import EpisodeLabels, last_press


@dataclass(frozen=True)
class Frame:
    """One observation.

    Attributes:
        images: [n_cam, H, W, 3] uint8 RGB.
        state: [n] float32.
        base_T_tcp: [arms, 4, 4].
    """

    images: NDArray[np.uint8]
    state: NDArray[np.float32]
    base_T_tcp: NDArray[np.float64]


class GripperStates(Protocol):
    """Executed values by step, steps of frames -> commanded states [N, arms], see `gripper_states`."""

    def __call__(  # noqa: D102
        self, actions: Mapping[int, ArrayLike], steps: Sequence[int], /
    ) -> NDArray[np.bool_] | None: ...


@dataclass
class _OpenEpisode:
    frames: dict[int, Frame] = field(default_factory=dict)
    kinds: dict[int, int | None] = field(default_factory=dict)
    actions: dict[int, ArrayLike] = field(default_factory=dict)
    expected: int | None = None

    def paired_steps(self) -> list[int]:
        return sorted(self.frames.keys() & self.kinds.keys())

    def labelled(self) -> dict[int, int]:
        """Kind of every frame that has one, by step."""
        kinds = {step: self.kinds[step] for step in self.paired_steps()}
        return {step: kind for step, kind in kinds.items() if kind is not None}


class LabelAssembler:
    """Pairs frames and labels by (episode, step), whichever comes first. No ROS, no files.

    A frame without an answer (the last of an episode, or a lost message) is left out.

    Args:
        camera_names: order of the pictures.
        classes: names of the kinds; empty: 0 and 1, success or not.
        success_class: which of the classes is success, if any.
        gripper_states: tells them of executed actions; None: no gripper is learned.
    """

    def __init__(
        self,
        camera_names: tuple[str, ...],
        classes: tuple[str, ...] = (),
        success_class: int | None = None,
        gripper_states: GripperStates | None = None,
    ) -> None:
        self._camera_names, self._classes, self._success_class = camera_names, classes, success_class
        self._gripper_states = gripper_states
        self._open: dict[int, _OpenEpisode] = {}
        self._closed: set[int] = set()

    def add_frame(self, episode: int, step: int, frame: Frame) -> None:
        """An observation arrived."""
        if step == 0:
            self._closed.discard(episode)  # a restarted actor counts from the start again
        if episode not in self._closed:
            self._open.setdefault(episode, _OpenEpisode()).frames[step] = frame

    def add_label(self, episode: int, step: int, kind: int | None, action: ArrayLike = ()) -> None:
        """The executed action that answered an observation arrived.

        Args:
            kind: what the frame is; None: leave it out.
            action: its values; they tell the gripper's state of the frames that follow.
        """
        if episode not in self._closed:
            data = self._open.setdefault(episode, _OpenEpisode())
            data.kinds[step], data.actions[step] = kind, action

    def expect(self, episode: int, steps: int) -> None:
        """The episode is over after so many actions; topics have no common order, so some may still come."""
        if episode not in self._closed:
            self._open.setdefault(episode, _OpenEpisode()).expected = steps

    def is_complete(self, episode: int) -> bool:
        """Whether an episode that is over has all its frames with their answers."""
        data = self._open.get(episode)
        return data is not None and data.expected is not None and len(data.paired_steps()) >= data.expected

    def count_open(self) -> list[int]:
        """Frames of each kind in the episodes that are not closed yet."""
        counts = [0] * (len(self._classes) or 2)
        for episode in self._open.values():
            for kind in episode.labelled().values():
                counts[kind] += 1
        return counts

    def undo(self) -> int:
        """Leaves the frames of the newest press out; how many, 0: nothing was pressed in an open episode."""
        for episode in reversed(self._open.values()):
            labelled = episode.labelled()
            steps = list(labelled)
            press = last_press(np.array(list(labelled.values()), int), bool(self._classes))
            for index in press:
                episode.kinds[steps[index]] = None
            if len(press):
                return len(press)
        return 0

    def open_episodes(self) -> list[int]:
        """Numbers of the episodes that are not closed yet, in order of arrival."""
        return list(self._open)

    def episodes_before(self, episode: int) -> list[int]:
        """Open episodes that are over because step 0 of this one arrived.

        The label of step 0 may have come before its frame, then the episode is open already, without frames;
        with frames it is an earlier one of the same number, of an actor that was restarted.
        """
        return [number for number, data in self._open.items() if number != episode or data.frames]

    def close(self, episode: int) -> EpisodeLabels | None:
        """Takes an episode out; None when it holds no labelled frame. What comes late for it is ignored."""
        data = self._open.pop(episode, None)
        self._closed.add(episode)
        labelled = data.labelled() if data is not None else {}
        if data is None or not labelled:
            return None
        frames = [data.frames[step] for step in labelled]
        kinds = np.array(list(labelled.values()), np.int16)
        success = kinds == (self._success_class if self._classes else 1)
        return EpisodeLabels(
            images=np.stack([frame.images for frame in frames]),
            labels=np.broadcast_to(success, kinds.shape).copy(),
            states=np.stack([frame.state for frame in frames]),
            base_T_tcp=np.stack([frame.base_T_tcp for frame in frames]),
            camera_names=self._camera_names,
            classes=kinds if self._classes else None,
            class_names=self._classes,
            gripper_open=self._gripper_states(data.actions, list(labelled)) if self._gripper_states else None,
            steps=np.array(list(labelled), np.int64),
        )
