# SPDX-License-Identifier: Apache-2.0
"""From the classifier's probability to success: threshold and debounce. No ROS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hilserl_reward.meaning import Meaning, OneClass


class Classifier(Protocol):
    """What a judge needs of a classifier."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of one observation, images [n_cam, H, W, 3] uint8: probability of success (1,), or of the classes
        (1, C).
        """


@dataclass(frozen=True)
class Verdict:
    """Judgement of one observation.

    Attributes:
        probability: of success.
        success: of threshold, debounce and gate.
        problem: why it could not be judged (then no success).
        classes: probabilities of the classes; empty for a binary classifier.
    """

    probability: float
    success: bool
    problem: str = ""
    classes: tuple[float, ...] = ()


class Judge:
    """Success when enough consecutive observations of an episode reach the threshold.

    Args:
        classifier: gives the probability.
        threshold: in (0, 1), reward.threshold of the task.
        debounce_frames: how many in a row, reward.debounce_frames of the task.
        meaning: which class is success; default: the classifier is binary.
    """

    def __init__(
        self,
        classifier: Classifier,
        threshold: float,
        debounce_frames: int,
        meaning: Meaning | None = None,
    ) -> None:
        self._classifier = classifier
        self._threshold = threshold
        self._debounce_frames = debounce_frames
        self._meaning = meaning or OneClass()
        self._last: tuple[int, int] | None = None
        self._in_a_row = 0

    def use(self, classifier: Classifier) -> None:
        """Judges with another classifier from now on; a row that the old one began does not count."""
        self._classifier, self._in_a_row = classifier, 0

    def judge(self, episode: int, step: int, images: NDArray[np.uint8], possible: bool = True) -> Verdict:
        """Judges observation (episode, step), images [n_cam, H, W, 3] uint8 of the reward's cameras.

        `possible`: false where success is out of the question, whatever the pictures look like.
        """
        probabilities = np.reshape(self._classifier.predict(images)[0], -1)
        if not np.isfinite(probabilities).all():
            self.skip(episode, step)
            given = ", ".join(f"{value:g}" for value in probabilities)
            return Verdict(0.0, False, f"classifier gave {given}: model file damaged or badly trained")
        wanted, problem = self._meaning.wanted(episode, step, probabilities)
        probability = 0.0 if wanted is None else float(probabilities[wanted])
        likeliest = wanted == int(np.argmax(probabilities))
        above = possible and likeliest and probability >= self._threshold
        self._in_a_row = (self._in_a_row if self._follows(episode, step) else 0) + 1 if above else 0
        self._last = (episode, step)
        classes = tuple(probabilities.tolist()) if len(probabilities) > 1 else ()
        return Verdict(probability, self._in_a_row >= self._debounce_frames, problem, classes)

    def skip(self, episode: int, step: int) -> None:
        """An observation that could not be judged breaks the row."""
        self._in_a_row = 0
        self._last = (episode, step)

    def _follows(self, episode: int, step: int) -> bool:
        return self._last == (episode, step - 1)
