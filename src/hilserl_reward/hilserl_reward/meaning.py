# SPDX-License-Identifier: Apache-2.0
"""Which class of a classifier means success in an episode. No ROS."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hilserl_task.reward_spec import RewardSpec


class Meaning(Protocol):
    """Says which class is wanted."""

    def wanted(self, episode: int, step: int, probabilities: NDArray[np.float32]) -> tuple[int | None, str]:
        """Class that is success for this observation, or None and why there is none.

        Args:
            probabilities: [C] of the classes; [1] of success when there are none.
        """


class OneClass:
    """The same class always: of a binary classifier the only one it gives a probability of."""

    def __init__(self, index: int = 0) -> None:
        self._index = index

    def wanted(self, episode: int, step: int, probabilities: NDArray[np.float32]) -> tuple[int | None, str]:
        """Always the one."""
        return self._index, ""


class OtherOfTwo:
    """The other one of two classes than at step 0 (original: egg_flip/wrapper.py, EggClassifierWrapper).

    An episode that begins as neither (there: the egg is lost) cannot succeed. The original waits at the
    terminal until a person has put the egg back; here the episode runs without reward and says why.
    """

    def __init__(self, names: tuple[str, ...], pair: tuple[str, str]) -> None:
        self._names, self._pair = names, (names.index(pair[0]), names.index(pair[1]))
        self._episode: int | None = None
        self._initial: int | None = None

    def wanted(self, episode: int, step: int, probabilities: NDArray[np.float32]) -> tuple[int | None, str]:
        """The class across from the likeliest one at step 0."""
        if step == 0:
            self._episode, self._initial = episode, int(np.argmax(probabilities))
        if self._episode != episode or self._initial is None:
            return None, "step 0 was not seen, so there is nothing to compare with"
        if self._initial not in self._pair:
            one, other = (self._names[index] for index in self._pair)
            began = self._names[self._initial]
            return None, f"the episode began as '{began}', not as '{one}' or '{other}': put the object back"
        return self._pair[1] if self._initial == self._pair[0] else self._pair[0], ""


def meaning_of(spec: RewardSpec) -> Meaning:
    """What success is in a task."""
    if spec.flip_between is not None:
        return OtherOfTwo(spec.classes, spec.flip_between)
    if spec.success_class is not None:
        return OneClass(spec.classes.index(spec.success_class))
    return OneClass()
