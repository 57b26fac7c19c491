# SPDX-License-Identifier: Apache-2.0
"""The first chains as pictures: a strip and a video of what the policies' cameras saw, motions included."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from hilserl_agent.figures import Image, episode_strip, episode_video
from hilserl_agent.observations import ObservationReader
from hilserl_msgs.msg import Observation
from hilserl_ros import qos, topics
from hilserl_ros.node import WARN, HilserlNode

FRAMES_KEPT = 3000  # of one chain


class Film:
    """Keeps the pictures of the first chains. A thread draws: the node must not wait.

    Args:
        node: listens; run_dir gets `chain_<n>.png` and `.mp4`.
        pictured: so many chains.
    """

    def __init__(self, node: HilserlNode, pictured: int) -> None:
        self._node, self._pictured = node, pictured
        self._reader = ObservationReader(node.task)
        self._frames: list[Image] = []
        self._number: int | None = None
        self._drawer = ThreadPoolExecutor(1)
        self._drawings: list[Future[None]] = []
        if pictured:
            node.create_subscription(Observation, topics.OBSERVATION, self._on_observation, qos.RECORDER)

    def begin(self, number: int) -> None:
        """A chain begins."""
        self._frames = []
        self._number = number if number < self._pictured else None

    def end(self) -> None:
        """It is over."""
        if self._number is not None and self._frames:
            self._drawings.append(self._drawer.submit(self._draw, self._number, self._frames))
        self._number, self._frames = None, []

    def close(self) -> None:
        """Waits for the pictures."""
        self.end()
        self._drawer.shutdown(wait=True)
        for drawing in self._drawings:
            if (error := drawing.exception()) is not None:
                self._node.diagnose(WARN, f"pictures of the chain: {error}")

    def _on_observation(self, message: Observation) -> None:
        if self._number is None or len(self._frames) >= FRAMES_KEPT:
            return
        try:
            self._frames.append(np.array(self._reader.images(message)))
        except ValueError as error:
            self._node.diagnose(WARN, "observation not filmed", reason=error)

    def _draw(self, number: int, frames: list[Image]) -> None:
        task, folder = self._node.task, self._node.run_dir
        cameras = [camera.name for camera in task.cameras]
        title = f"{task.name}, chain {number}: {len(frames) * task.period_s:.0f} s"
        episode_strip(folder / f"chain_{number:04d}.png", frames, task.period_s, cameras, title)
        episode_video(folder / f"chain_{number:04d}.mp4", frames, task.period_s)
