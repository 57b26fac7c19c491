# SPDX-License-Identifier: Apache-2.0
"""Transitions between numpy and hilserl_msgs/Transition."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilserl_agent.episode_book import HUMAN, ClosedStep
from hilserl_msgs.msg import Transition
from hilserl_ros.codec import bytes_field, floats32


@dataclass(frozen=True)
class TransitionRecord:
    """A transition as the learner takes it in. `next_*` only on the last one of an episode.

    Attributes:
        state, next_state: float32 (n,).
        features, next_features: float32 (f,), f is 0 when the policy sees no pictures.
        images, next_images: uint8 (cameras, H, W, 3) or None when not kept.
        action: float32 (a,), executed, in [-1, 1].
        human: a person chose the action.
        grasp_penalty: added to the reward of the grasp critic.
    """

    sequence: int
    episode: int
    step: int
    state: NDArray[np.float32]
    features: NDArray[np.float32]
    images: NDArray[np.uint8] | None
    action: NDArray[np.float32]
    human: bool
    reward: float
    grasp_penalty: float
    terminated: bool
    truncated: bool
    next_state: NDArray[np.float32] | None
    next_features: NDArray[np.float32] | None
    next_images: NDArray[np.uint8] | None

    @property
    def last(self) -> bool:
        """No transition of this episode follows."""
        return self.terminated or self.truncated


def transition_message(
    step: ClosedStep, episode: int, with_images: bool, with_features: bool = True
) -> Transition:
    """Message of a closed step and the frame that followed it, without sequence number: the outbox gives it.

    Pictures and features are in it only where the learner keeps them.
    """
    message = Transition(
        episode=episode,
        step=step.frame.step,
        state=floats32(step.frame.state),
        action=floats32(step.executed.values),
        source=step.executed.source,
        reward=float(step.reward),
        grasp_penalty=float(step.grasp_penalty),
        terminated=step.terminated,
        truncated=step.truncated,
    )
    message.next_state = floats32(step.next_frame.state)
    if with_features:
        message.features = floats32(step.frame.features)
        message.next_features = floats32(step.next_frame.features)
    if with_images:
        message.images = bytes_field(step.frame.images)
        message.next_images = bytes_field(step.next_frame.images)
    return message


def without_successor(message: Transition) -> None:
    """Takes out the frame that followed: the next step's message brings it."""
    message.next_state, message.next_features = floats32([]), floats32([])
    message.next_images = array("B")


@dataclass(frozen=True)
class TransitionShape:
    """Sizes that every transition of a task has; `images_required`: the learner keeps pictures."""

    state: int
    action: int
    features: int
    image: tuple[int, int, int, int]
    images_required: bool = False

    def record(self, message: Transition) -> TransitionRecord:
        """Checked numpy record of a message.

        Raises:
            ValueError: wrong size, a number that is not finite, or no pictures where they are kept; the text
                names the field.
        """
        where = f"transition (episode {message.episode}, step {message.step})"
        last = bool(message.terminated or message.truncated)
        for name in ("reward", "grasp_penalty"):
            if not np.isfinite(getattr(message, name)):
                raise ValueError(f"{where}: {name} {getattr(message, name)} must be finite")
        return TransitionRecord(
            sequence=int(message.sequence),
            episode=int(message.episode),
            step=int(message.step),
            state=_vector(message.state, self.state, f"{where}: state"),
            features=_vector(message.features, self.features, f"{where}: features"),
            images=self._pictures(message.images, f"{where}: images"),
            action=np.clip(_vector(message.action, self.action, f"{where}: action"), -1.0, 1.0),
            human=message.source == HUMAN,
            reward=float(message.reward),
            grasp_penalty=float(message.grasp_penalty),
            terminated=bool(message.terminated),
            truncated=bool(message.truncated),
            next_state=_vector(message.next_state, self.state, f"{where}: next_state") if last else None,
            next_features=(
                _vector(message.next_features, self.features, f"{where}: next_features") if last else None
            ),
            next_images=self._pictures(message.next_images, f"{where}: next_images") if last else None,
        )

    def _pictures(self, data: Any, what: str) -> NDArray[np.uint8] | None:
        pixels = np.frombuffer(bytes(data), np.uint8)
        if pixels.size == 0 and not self.images_required:
            return None
        if pixels.size != np.prod(self.image):
            raise ValueError(f"{what}: {pixels.size} bytes, must be {np.prod(self.image)} for {self.image}")
        return pixels.reshape(self.image)


def _vector(values: ArrayLike, size: int, what: str) -> NDArray[np.float32]:
    vector = np.array(values, np.float32)
    if vector.shape != (size,):
        raise ValueError(f"{what}: {vector.size} values, must be {size}")
    if not np.isfinite(vector).all():
        raise ValueError(f"{what}: entries {np.flatnonzero(~np.isfinite(vector)).tolist()} are not finite")
    return vector
