# SPDX-License-Identifier: Apache-2.0
"""Pictures of labelled frames in rows under headings, each with its number, probability and label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_CAPTION_HEIGHT = 32
_HEADING_HEIGHT = 28
_CAPTION_SIZE = 0.38
_GAP = 6
_BLACK = (20, 20, 20)
# Okabe-Ito vermillion and bluish green (RGB): told apart by colour-blind readers; captions say it too.
WRONG = (213, 94, 0)
RIGHT = (0, 110, 80)

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Tile:
    """A frame on the sheet: its index into the images, two lines of text, and whether they are in red."""

    index: int
    lines: tuple[str, str]
    wrong: bool = False


@dataclass(frozen=True)
class Row:
    """A heading and the frames under it; more than fit into one line go on in the next."""

    heading: str
    tiles: Sequence[Tile]


def write_sheet(path: Path, images: NDArray[np.uint8], rows: Sequence[Row], frames_per_row: int = 6) -> None:
    """Writes a PNG.

    Args:
        path: PNG file.
        images: [N, n_cam, H, W, 3] uint8 RGB; the cameras of a frame stand one above the other.
        rows: what is shown.
        frames_per_row: frames side by side.

    Raises:
        OSError: the file cannot be written.
    """
    sheet = np.concatenate([_strip(row, images, frames_per_row) for row in rows], axis=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise OSError(f"contact sheet {path}: cannot be written")


def mistake_rows(
    numbers: NDArray[np.integer],
    kinds: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    threshold: float,
    classes: Sequence[str] = (),
    frames_per_row: int = 6,
) -> list[Row]:
    """Rows of held-out frames: mistakes, worst first, then the least sure right ones of each kind.

    Args:
        numbers: [N] of the frames, as `relabel` takes them.
        kinds: [N] labels, 0 and 1 or class numbers.
        probabilities: [N] of success, or [N, C].
        threshold: from here on a frame counts as success.
        classes: names; empty: success or not.
        frames_per_row: how many of a kind are shown.
    """
    names = list(classes) or ["no", "yes"]
    if classes:
        judged, sure = probabilities.argmax(1), probabilities.max(1)
    else:
        judged = (probabilities >= threshold).astype(int)
        sure = np.where(judged == 1, probabilities, 1 - probabilities)
    groups = []
    for truth in range(len(names)):
        mistaken = (kinds == truth) & (judged != truth)
        groups.append((_wrong_heading(truth, classes, int(mistaken.sum())), mistaken, -sure))
    for truth in reversed(range(len(names))):
        name = names[truth] if classes else ("no success", "success")[truth]
        groups.append((f"{name}, least sure", (kinds == truth) & (judged == truth), sure))

    def tile(index: int) -> Tile:
        wrong = bool(judged[index] != kinds[index])
        p = sure[index] if classes else probabilities[index]
        said = f" seen as {names[judged[index]]}" if classes and wrong else ""
        return Tile(index, (f"#{numbers[index]}  p={p:.2f}{said}", f"label: {names[kinds[index]]}"), wrong)

    return [
        Row(heading, [tile(i) for i in _first(mask, order, frames_per_row)])
        for heading, mask, order in groups
    ]


def _wrong_heading(truth: int, classes: Sequence[str], count: int) -> str:
    if classes:
        return f"{classes[truth]}, taken for something else ({count})"
    return f"success not seen ({count})" if truth else f"taken for success, but is not ({count})"


def _first(kind: NDArray[np.bool_], order: NDArray[np.floating], count: int) -> list[int]:
    """Indices of one kind, smallest `order` first."""
    indices = np.flatnonzero(kind)
    return [int(index) for index in indices[np.argsort(order[indices], kind="stable")][:count]]


def _strip(row: Row, images: NDArray[np.uint8], frames_per_row: int) -> Picture:
    """One heading and the frames under it, padded to full width."""
    n_cam, height, width = images.shape[1:4]
    tile_width, tile_height = width + _GAP, n_cam * height + _CAPTION_HEIGHT + _GAP
    lines = -(-len(row.tiles) // frames_per_row)
    body = tile_height * lines if lines else 32
    strip = np.full((_HEADING_HEIGHT + body, frames_per_row * tile_width, 3), 255, np.uint8)
    _write(strip, row.heading, _GAP, _HEADING_HEIGHT - 9, 0.5, _BLACK)
    for place, tile in enumerate(row.tiles):
        top, left = (
            part * size
            for part, size in zip(divmod(place, frames_per_row), (tile_height, tile_width), strict=True)
        )
        top += _HEADING_HEIGHT
        for camera in range(n_cam):
            y = top + _CAPTION_HEIGHT + camera * height
            strip[y : y + height, left : left + width] = images[tile.index, camera]
        for line, text in enumerate(tile.lines):
            colour = WRONG if tile.wrong else RIGHT
            _write(strip, text, left + 2, top + 13 + 14 * line, _size_for(text, width), colour)
    if not row.tiles:
        _write(strip, "none", _GAP, _HEADING_HEIGHT + 20, 0.45, _BLACK)
    return strip


def _size_for(text: str, width: int) -> float:
    """Size of letters at which a text stays above its own picture."""
    (taken, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, _CAPTION_SIZE, 1)
    return _CAPTION_SIZE * min(1.0, width / max(taken, 1))


def _write(picture: Picture, text: str, x: int, y: int, size: float, colour: tuple[int, int, int]) -> None:
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
