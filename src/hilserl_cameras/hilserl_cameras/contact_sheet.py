# SPDX-License-Identifier: Apache-2.0
"""All cameras on one picture: what each sees, where it is cropped, and what the policy gets of it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from hilserl_cameras.frame import Pixels
from hilserl_ros.pictures import prepared
from hilserl_task.camera_spec import CameraSpec

ROW_HEIGHT = 240
CAPTION = 22
MARGIN = 8
CROP_LINE = (255, 140, 0)  # RGB
GREY = (90, 90, 90)


def contact_sheet(
    cameras: Sequence[CameraSpec], pictures: dict[str, Pixels | None], captions: dict[str, str], size: int
) -> Pixels:
    """RGB sheet (height, width, 3): a row a camera, raw with its crop on the left, policy input on the right.

    Args:
        cameras: in the order of the rows.
        pictures: raw (H, W, 3) uint8 by camera; None where none came.
        captions: text above each row.
        size: of the policy's input, pixels.
    """
    rows = [_row(camera, pictures[camera.name], captions[camera.name], size) for camera in cameras]
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return np.concatenate(padded)


def sharpness(rgb: Pixels) -> float:
    """Variance of the Laplacian of the grey picture: falls by an order of magnitude when the lens is off.

    Only to compare pictures of one camera and scene with each other (Pech-Pacheco et al., ICPR 2000).
    """
    return float(cv2.Laplacian(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def _row(camera: CameraSpec, raw: Pixels | None, caption: str, size: int) -> Pixels:
    if raw is None:
        left = np.full((ROW_HEIGHT, ROW_HEIGHT * 4 // 3, 3), GREY, np.uint8)
        right = np.full((ROW_HEIGHT, ROW_HEIGHT, 3), GREY, np.uint8)
    else:
        left, right = _raw(camera, raw), _input(camera, raw, size)
    body = np.concatenate([_framed(left), _framed(right)], axis=1)
    head = np.full((CAPTION, body.shape[1], 3), 255, np.uint8)
    place = (MARGIN, CAPTION - 6)
    cv2.putText(head, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([head, body])


def _raw(camera: CameraSpec, raw: Pixels) -> Pixels:
    """The raw picture at the height of a row, with the region of the crop."""
    height, width, _ = raw.shape
    scale = ROW_HEIGHT / height
    shown = cv2.resize(raw, (max(1, round(width * scale)), ROW_HEIGHT), interpolation=cv2.INTER_AREA)
    if camera.crop is not None:
        first = (round(camera.crop.left * scale), round(camera.crop.top * scale))
        last = (round(camera.crop.right * scale) - 1, round(camera.crop.bottom * scale) - 1)
        cv2.rectangle(shown, first, last, CROP_LINE, 2)
    return np.asarray(shown, np.uint8)


def _input(camera: CameraSpec, raw: Pixels, size: int) -> Pixels:
    """What the policy sees, pixel by pixel; grey where the crop does not fit."""
    try:
        small = prepared(raw, camera.crop, size)
    except ValueError:
        small = np.full((size, size, 3), GREY, np.uint8)
    return np.asarray(cv2.resize(small, (ROW_HEIGHT, ROW_HEIGHT), interpolation=cv2.INTER_NEAREST), np.uint8)


def _framed(picture: Pixels) -> Pixels:
    return np.pad(picture, ((0, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=255)
