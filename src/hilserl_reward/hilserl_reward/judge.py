# SPDX-License-Identifier: Apache-2.0
"""From the classifier's probability to success: threshold and debounce. No ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Classifier(Protocol):
    """What a judge needs of a classifier."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probability of success (1,) of one observation, images [n_cam, H, W, 3] uint8."""


@dataclass(frozen=True)
class Verdict:
    """Judgement of one observation; `problem` says why it could not be judged (then no success)."""

    probability: float
    success: bool
    problem: str = ""


class Judge:
    """Success when enough consecutive observations of an episode reach the threshold.

    Args:
        classifier: gives the probability.
        threshold: in (0, 1), reward.threshold of the task.
        debounce_frames: how many in a row, reward.debounce_frames of the task.
    """

    def __init__(self, classifier: Classifier, threshold: float, debounce_frames: int) -> None:
        self._classifier = classifier
        self._threshold = threshold
        self._debounce_frames = debounce_frames
        self._last: tuple[int, int] | None = None
        self._in_a_row = 0

    def judge(self, episode: int, step: int, images: NDArray[np.uint8], possible: bool = True) -> Verdict:
        """Judges observation (episode, step), images [n_cam, H, W, 3] uint8 of the reward's cameras.

        `possible`: false where success is out of the question, whatever the pictures look like.
        """
        probability = float(self._classifier.predict(images)[0])
        if not math.isfinite(probability):
            self.skip(episode, step)
            return Verdict(0.0, False, f"classifier gave {probability}: model file damaged or badly trained")
        above = possible and probability >= self._threshold
        self._in_a_row = (self._in_a_row if self._follows(episode, step) else 0) + 1 if above else 0
        self._last = (episode, step)
        return Verdict(probability, self._in_a_row >= self._debounce_frames)

    def skip(self, episode: int, step: int) -> None:
        """An observation that could not be judged breaks the row."""
        self._in_a_row = 0
        self._last = (episode, step)

    def _follows(self, episode: int, step: int) -> bool:
        return self._last == (episode, step - 1)
