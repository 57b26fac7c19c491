# SPDX-License-Identifier: Apache-2.0
"""Pictures of episodes on one sheet: a row for each camera of an episode, frames from left to right."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hilserl_ros.bags import EpisodeData
from hilserl_ros.names import SOURCES

GAP = 4
CAPTION = 18
TEXT_SCALE = 0.42
HUMAN_FRAME = (255, 140, 0)  # RGB; border of frames that a person answered
HUMAN = SOURCES.index("human")


def contact_sheet(episodes: Sequence[EpisodeData], frames: int) -> NDArray[np.uint8]:
    """RGB sheet (height, width, 3) of `frames` pictures, evenly spaced, per episode and camera.

    Raises:
        ValueError: no episodes, or fewer than two frames asked for.
    """
    if not episodes or frames < 2:
        raise ValueError(
            f"contact sheet: {len(episodes)} episodes and {frames} frames; needs 1 and 2 at least"
        )
    blocks = [_block(number, episode, frames) for number, episode in enumerate(episodes)]
    width = max(block.shape[1] for block in blocks)
    padded = [np.pad(b, ((0, 0), (0, width - b.shape[1]), (0, 0)), constant_values=255) for b in blocks]
    return np.concatenate(padded)


def _block(number: int, episode: EpisodeData, frames: int) -> NDArray[np.uint8]:
    """One episode: a caption, then a row a camera."""
    chosen = np.linspace(0, episode.steps, min(frames, episode.steps + 1)).round().astype(int)
    rows = [
        np.concatenate([_frame(episode, k, camera) for k in chosen], axis=1)
        for camera in range(episode.images.shape[1])
    ]
    picture = np.concatenate(rows)
    caption = np.full((CAPTION, picture.shape[1], 3), 255, np.uint8)
    text = f"{number}: {episode.steps} steps, {episode.outcome}{', discarded' if episode.discarded else ''}"
    cv2.putText(
        caption, text, (GAP, CAPTION - 5), cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, (0, 0, 0), 1, cv2.LINE_AA
    )
    return np.concatenate([caption, picture])


def _frame(episode: EpisodeData, step: int, camera: int) -> NDArray[np.uint8]:
    """One picture with a border, coloured where a person had the arm."""
    by_person = step < episode.steps and episode.sources[step] == HUMAN
    colour = HUMAN_FRAME if by_person else (255, 255, 255)
    picture = episode.images[step, camera]
    framed = cv2.copyMakeBorder(picture, GAP, GAP, GAP, GAP, cv2.BORDER_CONSTANT, value=colour)
    cv2.putText(
        framed, str(step), (GAP + 3, GAP + 12), cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, (255, 255, 0), 1
    )
    return framed
