# SPDX-License-Identifier: Apache-2.0
"""Picture of what the classifier gets right and wrong on held-out frames, worst first."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_CAPTION_HEIGHT = 18
_HEADING_HEIGHT = 28
_GAP = 6
_BLACK = (20, 20, 20)
# Okabe-Ito vermillion and bluish green (RGB): told apart by colour-blind readers; captions say it too.
_WRONG = (213, 94, 0)
_RIGHT = (0, 158, 115)

Picture = NDArray[np.uint8]


def write_contact_sheet(
    path: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.bool_],
    probabilities: NDArray[np.floating],
    threshold: float,
    frames_per_row: int = 6,
) -> None:
    """Writes a PNG with one row for each kind: wrong frames, then the least sure right ones of each label.

    Args:
        path: PNG file.
        images: [N, n_cam, H, W, 3] uint8 RGB, held-out frames.
        labels: [N] bool.
        probabilities: [N] of success.
        threshold: from here on a frame counts as success.
        frames_per_row: how many of a kind are shown.

    Raises:
        OSError: the file cannot be written.
    """
    predicted = probabilities >= threshold
    false_positive, false_negative = predicted & ~labels, ~predicted & labels
    rows = [
        (f"taken for success, but is not ({int(false_positive.sum())})", false_positive, -probabilities),
        (f"success not seen ({int(false_negative.sum())})", false_negative, probabilities),
        ("success, least sure", predicted & labels, probabilities),
        ("no success, least sure", ~predicted & ~labels, -probabilities),
    ]
    strips = [
        _strip(
            heading,
            images,
            labels,
            probabilities,
            predicted,
            _first(kind, order, frames_per_row),
            frames_per_row,
        )
        for heading, kind, order in rows
    ]
    sheet = np.concatenate(strips, axis=0)
    if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise OSError(f"contact sheet {path}: cannot be written")


def _first(kind: NDArray[np.bool_], order: NDArray[np.floating], count: int) -> list[int]:
    """Indices of one kind, smallest `order` first."""
    indices = np.flatnonzero(kind)
    return [int(index) for index in indices[np.argsort(order[indices], kind="stable")][:count]]


def _strip(
    heading: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.bool_],
    probabilities: NDArray[np.floating],
    predicted: NDArray[np.bool_],
    indices: list[int],
    frames_per_row: int,
) -> Picture:
    """One heading and the frames under it, padded to full width."""
    n_cam, height, width = images.shape[1:4]
    tile_width, tile_height = width + _GAP, n_cam * height + _CAPTION_HEIGHT + _GAP
    strip = np.full((_HEADING_HEIGHT + tile_height, frames_per_row * tile_width, 3), 255, np.uint8)
    _write(strip, heading, _GAP, _HEADING_HEIGHT - 9, 0.5, _BLACK)
    for column, index in enumerate(indices):
        left, top = column * tile_width, _HEADING_HEIGHT
        right = bool(predicted[index] == labels[index])
        for camera in range(n_cam):
            y = top + _CAPTION_HEIGHT + camera * height
            strip[y : y + height, left : left + width] = images[index, camera]
        caption = f"p={probabilities[index]:.2f} {'yes' if labels[index] else 'no'}"
        _write(strip, caption, left + 2, top + 13, 0.42, _RIGHT if right else _WRONG)
    if not indices:
        _write(strip, "none", _GAP, _HEADING_HEIGHT + 20, 0.45, _BLACK)
        return strip[: _HEADING_HEIGHT + 32]
    return strip


def _write(picture: Picture, text: str, x: int, y: int, size: float, colour: tuple[int, int, int]) -> None:
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
