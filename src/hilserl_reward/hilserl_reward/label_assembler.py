# SPDX-License-Identifier: Apache-2.0
"""Brings observations and button levels together: a frame is labelled by the action that answered it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hilserl_reward.labels import EpisodeLabels


@dataclass(frozen=True)
class Frame:
    """One observation.

    Attributes:
        images: [n_cam, H, W, 3] uint8 RGB.
        state: [n] float32.
        base_T_tcp: [4, 4], first arm.
    """

    images: NDArray[np.uint8]
    state: NDArray[np.float32]
    base_T_tcp: NDArray[np.float64]


@dataclass
class _OpenEpisode:
    frames: dict[int, Frame] = field(default_factory=dict)
    pressed: dict[int, bool] = field(default_factory=dict)
    expected: int | None = None

    def labelled_steps(self) -> list[int]:
        return sorted(self.frames.keys() & self.pressed.keys())


class LabelAssembler:
    """Pairs frames and labels by (episode, step), whichever comes first. No ROS, no files.

    A frame without an answer (the last of an episode, or a lost message) is left out.
    """

    def __init__(self, camera_names: tuple[str, ...]) -> None:
        self._camera_names = camera_names
        self._open: dict[int, _OpenEpisode] = {}
        self._closed: set[int] = set()

    def add_frame(self, episode: int, step: int, frame: Frame) -> None:
        """An observation arrived."""
        if step == 0:
            self._closed.discard(episode)  # a restarted actor counts from the start again
        if episode not in self._closed:
            self._open.setdefault(episode, _OpenEpisode()).frames[step] = frame

    def add_label(self, episode: int, step: int, success_pressed: bool) -> None:
        """The executed action that answered an observation arrived, with the level of the success button."""
        if episode not in self._closed:
            self._open.setdefault(episode, _OpenEpisode()).pressed[step] = success_pressed

    def expect(self, episode: int, steps: int) -> None:
        """The episode is over after so many actions; topics have no common order, so some may still come."""
        if episode not in self._closed:
            self._open.setdefault(episode, _OpenEpisode()).expected = steps

    def is_complete(self, episode: int) -> bool:
        """Whether an episode that is over has all its labelled frames."""
        data = self._open.get(episode)
        return data is not None and data.expected is not None and len(data.labelled_steps()) >= data.expected

    def count_open(self) -> tuple[int, int]:
        """Positive and negative frames of the episodes that are not closed yet."""
        positives = negatives = 0
        for episode in self._open.values():
            pressed = [episode.pressed[step] for step in episode.labelled_steps()]
            positives += sum(pressed)
            negatives += len(pressed) - sum(pressed)
        return positives, negatives

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
        steps = data.labelled_steps() if data is not None else []
        if data is None or not steps:
            return None
        frames = [data.frames[step] for step in steps]
        return EpisodeLabels(
            images=np.stack([frame.images for frame in frames]),
            labels=np.array([data.pressed[step] for step in steps], dtype=bool),
            states=np.stack([frame.state for frame in frames]),
            base_T_tcp=np.stack([frame.base_T_tcp for frame in frames]),
            camera_names=self._camera_names,
        )
