# SPDX-License-Identifier: Apache-2.0
"""Pictures of the task's cameras by MuJoCo's renderer; without shadows, which cost ten times as much."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from hilserl_task import Task


class Cameras:
    """Renders all cameras of a task, and one for people. Use from one thread only."""

    def __init__(self, model: mujoco.MjModel, task: Task) -> None:
        size = task.observation.image_size
        self._model = model
        self._renderer = self._make(size, size)
        self._names = {camera.name: f"{camera.arm}/{camera.name}" for camera in task.cameras}
        self._others: dict[tuple[int, int], mujoco.Renderer] = {}

    def render(self, data: mujoco.MjData) -> dict[str, NDArray[np.uint8]]:
        """Camera name to uint8 (size, size, 3) RGB."""
        return {name: self._shoot(self._renderer, data, full) for name, full in self._names.items()}

    def render_one(self, data: mujoco.MjData, camera: str, width: int, height: int) -> NDArray[np.uint8]:
        """One picture (height, width, 3) of any camera of the model."""
        if (width, height) not in self._others:
            self._others[width, height] = self._make(width, height)
        return self._shoot(self._others[width, height], data, camera)

    def close(self) -> None:
        """Frees the OpenGL contexts."""
        for renderer in (self._renderer, *self._others.values()):
            renderer.close()

    def _make(self, width: int, height: int) -> mujoco.Renderer:
        return mujoco.Renderer(self._model, height=height, width=width)

    @staticmethod
    def _shoot(renderer: mujoco.Renderer, data: mujoco.MjData, camera: str) -> NDArray[np.uint8]:
        renderer.update_scene(data, camera=camera)
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        return np.array(renderer.render(), dtype=np.uint8)
