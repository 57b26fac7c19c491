# SPDX-License-Identifier: Apache-2.0
"""Every frame once: state, features of its stored crops and pictures, counted by who still refers to it.

A transition refers to two frames; neighbours share one. Both replay buffers may share a store: a corrected
step that goes to the experience and to the demonstrations is then one frame with two owners.
"""

from __future__ import annotations

import secrets
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hilserl_learning.errors import LearningError, finite_vector
from hilserl_learning.feature_rows import FeatureRows, reserved
from hilserl_learning.pictures import Images, PictureKind, decode, make_pictures

_COUNT = 2**32 - 1
CROP_PADDING = 4  # pixels (original: data_augmentations.py, batched_random_crop)


class Frame(NamedTuple):
    """Checked content of a frame.

    Attributes:
        state: float32 [state_dim].
        features: float32 [given, feature_dim], the frame itself first; `given` is 1 or all copies.
        images: uint8 [n_cam, H, W, 3] or None.
    """

    state: NDArray[np.float32]
    features: NDArray[np.float32]
    images: Images | None


class FrameStore:
    """Slots of frames; put, retain and release cost the same at any size."""

    def __init__(
        self,
        slots: int,
        state_dim: int,
        feature_dim: int,
        image_shape: tuple[int, int, int, int] | None = None,
        feature_copies: int = 1,
        feature_dtype: torch.dtype = torch.float32,
        feature_block: int = 16,
        pictures: PictureKind = "raw",
        folder: Path | None = None,
        crop_padding: int = CROP_PADDING,
        seed: int = 0,
    ):
        """Memory is reserved here and committed as it fills.

        Args:
            image_shape: (n_cam, H, W, 3) to keep pictures, None to keep features only.
            feature_copies: stored crops per frame. The first is the frame itself; with pictures the others
                may come later (`FeatureCache`), until then sampling picks among those that are there.
            feature_dtype, feature_block: see `FeatureRows`.
            pictures, folder: see `pictures`.
            crop_padding: pixels by which a crop may move.
            seed: of the crop offsets; they depend on it, the frame's number and the copy alone.
        """
        for name, value in (("slots", slots), ("feature_copies", feature_copies)):
            if value < 1:
                raise LearningError(f"{name}: {value}, must be at least 1")
        self.slots, self.state_dim, self.feature_dim = slots, state_dim, feature_dim
        self.image_shape, self.copies_wanted = image_shape, feature_copies
        self.crop_padding, self.seed = crop_padding, seed
        self.state = reserved(slots, state_dim, dtype=np.float32)
        self.features = FeatureRows(slots * feature_copies, feature_dim, feature_dtype, feature_block)
        self.pictures = (
            None if image_shape is None else make_pictures(pictures, slots, tuple(image_shape), folder)
        )
        self.copies = reserved(slots, dtype=np.int64)  # copies that are there
        self.uid = reserved(slots, dtype=np.int64)  # number of the frame that is or was in a slot
        self._references = reserved(slots, dtype=np.int64)
        self._state, self._copies = torch.from_numpy(self.state), torch.from_numpy(self.copies)
        self._free: list[int] = []
        self._used = 0  # slots that were ever written
        # A number no frame of any store has had: files of two processes can meet in one store.
        self._epoch = secrets.randbits(30) << 32
        self._count = 0  # frames ever put, the lower half of the next number
        self._newest: dict[tuple[str, str], tuple[int, int, int]] = {}  # name -> (sequence, slot, uid)
        self.unfinished: deque[tuple[int, int]] = deque()  # (slot, uid) that still miss copies

    @property
    def storage(self) -> str:
        """What of features and pictures is kept; files that keep something else cannot be loaded."""
        pictures = "none" if self.pictures is None else f"{self.image_shape}"
        return f"features {self.features.dtype}, pictures {pictures}"

    def __len__(self) -> int:
        """Frames that someone refers to."""
        return self._used - len(self._free)

    def check(self, prefix: str, state: Any, features: Any, images: Any) -> Frame:
        """The frame in storable form; LearningError on a wrong shape or type, NaN or too large values."""
        state = finite_vector(prefix + "state", state, self.state_dim)
        rows = np.zeros(0) if features is None and self.feature_dim == 0 else features
        rows = np.reshape(np.asarray(rows, np.float32), -1)
        given = self.copies_wanted if len(rows) == self.copies_wanted * self.feature_dim else 1
        rows = finite_vector(prefix + "features", rows, given * self.feature_dim)
        self.features.check(rows)
        if self.image_shape is not None:
            images = np.asarray(images)
            if images.dtype != np.uint8 or images.shape != self.image_shape:
                raise LearningError(
                    f"{prefix}images: {images.dtype} {images.shape}, must be uint8 {self.image_shape} "
                    "(cameras in task order, height, width, RGB)"
                )
        return Frame(state, rows.reshape(given, self.feature_dim), images if self.image_shape else None)

    def put(self, frame: Frame, actor_id: str, part: str, sequence: int) -> int:
        """Stores a frame for one owner and returns its slot.

        The same frame again (of the same actor, part and sequence number, while someone still refers to it)
        is not stored twice: it gets another owner.

        Raises:
            OSError: the disk that takes the pictures is full; nothing was stored.
        """
        newest = self._newest.get((actor_id, part))
        if newest is not None:
            known, slot, uid = newest
            if known == sequence and self.uid[slot] == uid and self._references[slot]:
                return self.retain(slot)
        slot = self._write(frame, self._epoch | self._count)
        self._count += 1
        self._newest[actor_id, part] = (sequence, slot, int(self.uid[slot]))
        return slot

    def _write(self, frame: Frame, uid: int) -> int:
        slot = self._free[-1] if self._free else self._used
        if slot >= self.slots:
            raise LearningError(f"frames: all {self.slots} slots are in use; make the store larger")
        if self.pictures is not None and frame.images is not None:
            self.pictures.put(slot, frame.images)
        self._take(slot, uid)
        self.state[slot] = frame.state
        self.features.put(slot * self.copies_wanted, frame.features)
        self.copies[slot] = len(frame.features)
        self._note_unfinished(slot)
        return slot

    def _take(self, slot: int, uid: int) -> None:
        if self._free:
            self._free.pop()
        else:
            self._used += 1
        self.uid[slot], self._references[slot] = uid, 1

    def _note_unfinished(self, slot: int) -> None:
        if self.pictures is not None and self.copies[slot] < self.copies_wanted and self.feature_dim:
            self.unfinished.append((slot, int(self.uid[slot])))

    def retain(self, slot: int) -> int:
        """Another owner; returns the slot."""
        self._references[slot] += 1
        return slot

    def release(self, slot: int) -> None:
        """One owner less; without any, the slot is free."""
        self._references[slot] -= 1
        if self._references[slot] == 0:
            self._free.append(slot)
            if self.pictures is not None:
                self.pictures.drop(slot)

    def holds(self, slot: int, uid: int) -> bool:
        """Whether a slot still holds that frame."""
        return bool(self.uid[slot] == uid and self._references[slot])

    def live_slots(self) -> NDArray[np.int64]:
        """Slots in use, ascending."""
        return np.flatnonzero(self._references[: self._used])

    # -- reading --------------------------------------------------------------------------------------

    def sample_features(self, slots: Tensor, generator: torch.Generator | None) -> Tensor:
        """float32 [n, feature_dim]: for each slot one of its copies, uniformly."""
        if self.copies_wanted == 1:
            return self.features.get(slots)
        # float64: a float32 rounds up to 1.0 once in 2^25 draws when it is multiplied
        draw = torch.rand(slots.shape, generator=generator, dtype=torch.float64)
        return self.features.get(slots * self.copies_wanted + (draw * self._copies[slots]).long())

    def states(self, slots: Tensor) -> Tensor:
        """float32 [n, state_dim]."""
        return self._state[slots]

    def images(self, slots: Tensor | NDArray[np.int64]) -> Images:
        """uint8 [n, n_cam, H, W, 3]; LearningError when pictures are not kept."""
        if self.pictures is None:
            raise LearningError("frames: pictures are not kept; give the buffer an image_shape")
        return self.pictures.get(np.asarray(slots))

    def crop_offsets(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """(row, column) in 0..2 * crop_padding of every stored copy, [n, copies, 2]; the first moves nothing.

        All cameras of a frame share them, as in the original.
        """
        shape = (self.copies_wanted, 2)
        offsets = np.stack(
            [
                np.random.default_rng((self.seed, int(uid) & _COUNT)).integers(
                    0, 2 * self.crop_padding + 1, shape
                )
                for uid in self.uid[slots]
            ]
        )
        offsets[:, 0] = self.crop_padding
        return offsets

    def store_copies(self, slot: int, first: int, features: NDArray[np.float32]) -> None:
        """Writes copies first..first + n - 1 of a frame, [n, feature_dim], and makes them sampleable."""
        self.features.check(finite_vector("features", features.reshape(-1), features.size))
        self.features.put(slot * self.copies_wanted + first, features)
        self.copies[slot] = max(int(self.copies[slot]), first + len(features))

    # -- files ----------------------------------------------------------------------------------------

    def restore_frame(self, uid: int, row: dict[str, Any], form: str) -> int:
        """Puts back a frame of a file (a row of `archive`); returns its slot, with one owner."""
        slot = self._free[-1] if self._free else self._used
        if slot >= self.slots:
            raise LearningError(f"frames: all {self.slots} slots are in use; make the store larger")
        if self.pictures is not None and form == self.pictures.form:
            self.pictures.restore(slot, row["pictures"])
        elif self.pictures is not None:
            self.pictures.put(slot, decode(form, row["pictures"], self.pictures.shape))
        self._take(slot, uid)
        rows = slice(slot * self.copies_wanted, (slot + 1) * self.copies_wanted)
        self.state[slot], self.copies[slot] = row["state"], row["copies"]
        self.features.values[rows] = row["features"]
        if self.features.scales is not None:
            self.features.scales[rows] = row["scales"]
        self._count = max(self._count, (uid & _COUNT) + 1)
        self._note_unfinished(slot)
        return slot
