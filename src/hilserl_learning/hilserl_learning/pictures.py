# SPDX-License-Identifier: Apache-2.0
"""Where the pictures of stored frames lie: raw in memory, lossless PNG in memory, or lossless PNG on disk.

Run-length PNG was chosen on pictures of the simulated RAM task, and on the same with added noise
(two cameras of 128 x 128; milliseconds of one core a frame): 0.28 of the raw size without noise, 0.53 with a
noise of 2 grey levels, 0.62 with 4; 1.3 to 1.7 ms to write and 0.7 ms to read. Lossless WebP is up to a third
smaller (0.19, 0.50, 0.59) but takes 25 ms to write; zlib alone is faster, with noise larger (0.71).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from hilserl_learning.errors import LearningError, one_of
from hilserl_learning.feature_rows import reserved

PictureKind = Literal["raw", "png", "disk"]
KINDS = ("raw", "png", "disk")
Images = NDArray[np.uint8]
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
_BLOCK = 4096  # a file system gives disk space in units of this


def encode_png(images: Images) -> bytes:
    """uint8 [n_cam, H, W, 3] as one lossless PNG, cameras below each other."""
    # OpenCV takes the first channel for blue: it swaps twice, so the channel order survives.
    good, data = cv2.imencode(".png", images.reshape(-1, *images.shape[2:]), _PNG)
    if not good:
        raise LearningError(f"pictures: OpenCV cannot encode {images.dtype} {images.shape}")
    return bytes(data)


def decode_png(data: bytes, shape: tuple[int, ...]) -> Images:
    """`encode_png`'s pictures; LearningError when the bytes are damaged."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None or image.size != np.prod(shape):
        raise LearningError(f"pictures: {len(data)} bytes are no PNG of {shape}; the stored frame is damaged")
    return image.reshape(shape)


def decode(form: str, data: bytes, shape: tuple[int, ...]) -> Images:
    """Pictures from the bytes that a storage of that form has dumped."""
    return (
        decode_png(data, shape) if form == PngPictures.form else np.frombuffer(data, np.uint8).reshape(shape)
    )


class RawPictures:
    """Pixels in memory."""

    form = "raw"

    def __init__(self, slots: int, shape: tuple[int, ...]):
        self.shape = shape
        self._pixels = reserved(slots, *shape, dtype=np.uint8)

    def put(self, slot: int, images: Images) -> None:
        """Stores the pictures of a frame."""
        self._pixels[slot] = images

    def get(self, slots: NDArray[np.int64]) -> Images:
        """Pictures [n, n_cam, H, W, 3]."""
        return self._pixels[slots]

    def dump(self, slot: int) -> bytes:
        """The stored bytes of one frame, for a file; `restore` takes them."""
        return self._pixels[slot].tobytes()

    def restore(self, slot: int, data: bytes) -> None:
        """Stores `dump`'s bytes."""
        self._pixels[slot] = np.frombuffer(data, np.uint8).reshape(self.shape)

    def drop(self, slot: int) -> None:
        """The frame is gone; its memory waits for the next one."""


class PngPictures:
    """Lossless PNG, in memory."""

    form = "png"

    def __init__(self, slots: int, shape: tuple[int, ...]):
        self.shape = shape
        self._data: dict[int, bytes] = {}

    def put(self, slot: int, images: Images) -> None:
        """Stores the pictures of a frame."""
        self.restore(slot, encode_png(images))

    def get(self, slots: NDArray[np.int64]) -> Images:
        """Pictures [n, n_cam, H, W, 3]."""
        images = np.empty((len(slots), *self.shape), np.uint8)
        for image, slot in zip(images, slots.tolist(), strict=True):
            image[:] = decode_png(self.dump(slot), self.shape)
        return images

    def dump(self, slot: int) -> bytes:
        """The stored bytes of one frame, for a file; `restore` takes them."""
        return self._data[slot]

    def restore(self, slot: int, data: bytes) -> None:
        """Stores `dump`'s bytes."""
        self._data[slot] = data

    def drop(self, slot: int) -> None:
        """Gives the memory back."""
        self._data.pop(slot, None)


class DiskPictures(PngPictures):
    """Lossless PNG in one sparse file, a fixed place for every slot.

    The file has no name, so the system takes it back however the process ends. It is written, not mapped: a
    full disk is an OSError at the frame that did not fit, not a fatal signal later.
    """

    def __init__(self, slots: int, shape: tuple[int, ...], folder: Path):
        super().__init__(slots, shape)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder, prefix="pictures_")  # noqa: SIM115 (lives as long as this)
        self._lengths = reserved(slots, dtype=np.int32)
        # No PNG is larger than its pixels by more than a filter byte a row and some block headers.
        self._stride = -(-int(np.prod(shape) * 1.01 + _BLOCK) // _BLOCK) * _BLOCK
        self._folder = folder

    def dump(self, slot: int) -> bytes:
        """The stored bytes of one frame, for a file; `restore` takes them."""
        return os.pread(self._file.fileno(), int(self._lengths[slot]), slot * self._stride)

    def restore(self, slot: int, data: bytes) -> None:
        """Stores `dump`'s bytes. OSError when the disk is full; no frame already there is touched."""
        self._lengths[slot] = 0
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(self._file.fileno(), data[done:], slot * self._stride + done)
        except OSError as error:
            raise OSError(
                error.errno, f"pictures of a frame ({len(data)} bytes) do not fit: {error}", str(self._folder)
            ) from error
        self._lengths[slot] = len(data)

    def drop(self, slot: int) -> None:
        """The frame is gone; its place in the file waits for the next one."""
        self._lengths[slot] = 0


Pictures = RawPictures | PngPictures


def make_pictures(kind: PictureKind, slots: int, shape: tuple[int, ...], folder: Path | None) -> Pictures:
    """Storage of a kind; `folder` is needed for 'disk' only."""
    one_of("pictures", kind, KINDS)
    if kind == "raw":
        return RawPictures(slots, shape)
    if kind == "png":
        return PngPictures(slots, shape)
    if folder is None:
        raise LearningError("pictures: 'disk' needs a folder, e.g. folder=run_dir / 'pictures'")
    return DiskPictures(slots, shape, folder)
