# SPDX-License-Identifier: Apache-2.0
"""Pictures of an episode: what the cameras saw, as a strip and as a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import imageio.v2 as imageio
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
CAPTION_S = 1.0  # how long the caption of a video stands


def episode_strip(
    path: Path, frames: Sequence[Image], period_s: float, camera_names: Sequence[str], title: str
) -> None:
    """Frames of one episode side by side, a row for each camera, time above, as PNG.

    Args:
        path: PNG file.
        frames: observations 0..T, each [n_cam, H, W, 3] uint8 RGB.
        period_s: time between observations.
        camera_names: names of the camera axis.
        title: heading.

    Raises:
        ValueError: no frame.
        OSError: the file cannot be written.
    """
    if not frames:
        raise ValueError("episode strip: no frame to draw")
    count = min(len(frames), 8)
    chosen = [round(index) for index in np.linspace(0, len(frames) - 1, count)]
    n_cam, height, width = frames[0].shape[:3]
    margin, header, gap = 84, 46, 4
    canvas = np.full((header + n_cam * (height + gap), margin + count * (width + gap), 3), 255, np.uint8)
    _text(canvas, title, 6, 17, 0.5)
    for camera, name in enumerate(camera_names):
        _text(canvas, name, 6, header + camera * (height + gap) + height // 2, 0.45)
    for column, index in enumerate(chosen):
        left = margin + column * (width + gap)
        _text(canvas, f"{index * period_s:.1f} s", left + 2, header - 6, 0.45)
        for camera in range(n_cam):
            top = header + camera * (height + gap)
            canvas[top : top + height, left : left + width] = frames[index][camera]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR)):
        raise OSError(f"episode strip {path}: cannot be written")


def episode_video(
    path: Path,
    frames: Sequence[Image],
    period_s: float,
    captions: Mapping[int, str] | None = None,
    scale: int = 2,
) -> None:
    """Frames of one episode as H.264 MP4, cameras side by side, in real time.

    Args:
        path, frames, period_s: as for `episode_strip`.
        captions: text by frame from which it stands in the picture, for CAPTION_S.
        scale: of the pictures.

    Raises:
        ValueError: no frame.
        OSError: the encoder failed.
    """
    if not frames:
        raise ValueError("episode video: no frame")
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = imageio.get_writer(
        path,
        format="FFMPEG",
        fps=1 / period_s,
        codec="libx264",
        macro_block_size=16,
        ffmpeg_log_level="error",
    )
    with writer:
        for index, frame in enumerate(frames):
            wide = np.concatenate(list(frame), axis=1)
            size = (wide.shape[1] * scale, wide.shape[0] * scale)
            picture = cv2.resize(wide, size, interpolation=cv2.INTER_CUBIC)
            shown = [
                text for at, text in (captions or {}).items() if 0 <= (index - at) * period_s < CAPTION_S
            ]
            for line, text in enumerate(shown):
                cv2.rectangle(picture, (0, 20 * line), (9 * len(text), 20 * line + 20), (255, 255, 255), -1)
                _text(picture, text, 4, 20 * line + 15, 0.45)
            writer.append_data(picture)


def _text(canvas: Image, text: str, x: int, y: int, size: float) -> None:
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (20, 20, 20), 1, cv2.LINE_AA)
