# SPDX-License-Identifier: Apache-2.0
"""From hilserl_msgs/Observation and Action to what the policy sees and what was done."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hilserl_agent.episode_book import Event, Executed, Frame
from hilserl_msgs.msg import Action, Observation
from hilserl_ros.codec import images_of_observation
from hilserl_task import Task
from hilserl_task.spaces import state_names

Encoder = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def executed_of(message: Action, size: int) -> Executed:
    """What the mux made of an action of `size` values.

    Raises:
        ValueError: another number of values, or one that is not finite.
    """
    values = np.array(message.values, np.float32)
    if values.shape != (size,) or not np.isfinite(values).all():
        raise ValueError(
            f"executed_action ({message.episode}, {message.step}): {values.tolist()} must be {size} finite "
            "numbers"
        )
    return Executed(values, int(message.source), Event(message.event))


class ObservationReader:
    """Checks observations against the task and turns them into frames.

    Args:
        task: names of the cameras, picture size, length of the state.
        encode: pictures uint8 (cameras, H, W, 3) to features float32 (1, f); called once a frame. None: the
            policy sees no pictures, features are empty.
    """

    def __init__(self, task: Task, encode: Encoder | None = None) -> None:
        self._cameras = [camera.name for camera in task.cameras]
        self._size = task.observation.image_size
        self._states = state_names(task)
        self._encode = encode

    def frame(self, message: Observation) -> Frame:
        """Frame of an observation.

        Raises:
            ValueError: wrong cameras, sizes or encoding, or a state that is not finite.
        """
        images = self.images(message)
        features = np.zeros(0, np.float32) if self._encode is None else self._encode(images)[0]
        return Frame(int(message.step), self.state(message), images, features)

    def state(self, message: Observation) -> NDArray[np.float32]:
        """Checked state, float32 (n,). Raises ValueError as `frame`."""
        state = np.array(message.state, np.float32)
        if state.shape != (len(self._states),):
            raise ValueError(
                f"observation {_name(message)}: {state.size} state values, must be {len(self._states)}"
            )
        if not np.isfinite(state).all():
            bad = [name for name, value in zip(self._states, state, strict=True) if not np.isfinite(value)]
            raise ValueError(f"observation {_name(message)}: {', '.join(bad)} not finite")
        return state

    def images(self, message: Observation) -> NDArray[np.uint8]:
        """Checked pictures, uint8 (cameras, H, W, 3). Raises ValueError as `frame`."""
        if list(message.camera_names) != self._cameras or len(message.images) != len(self._cameras):
            raise ValueError(
                f"observation {_name(message)}: cameras {list(message.camera_names)} with "
                f"{len(message.images)} pictures, must be {self._cameras}"
            )
        shape = (self._size, self._size, 3)
        pictures = images_of_observation(message)
        if pictures.shape[1:] != shape:
            raise ValueError(f"observation {_name(message)}: pictures {pictures.shape[1:]}, must be {shape}")
        return pictures


def _name(message: Observation) -> str:
    return f"(episode {message.episode}, step {message.step})"
