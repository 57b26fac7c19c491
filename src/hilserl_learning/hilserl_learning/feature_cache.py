# SPDX-License-Identifier: Apache-2.0
"""Features of the stored crops of every frame: the frozen trunk sees each crop once, never in an update.

Who computes what. The actor encodes every frame once in order to act; that vector travels with the
transition and is the first copy (a crop that moves nothing). The other copies are computed by the learner
from the pictures it keeps, because only the learner needs them: a robot's control step must not wait for
them, and they would multiply what travels. It does so between updates, a bounded number of frames at a time
(`FeatureCache.fill`), so neither an insert nor an update waits for the trunk. A frame can be sampled at
once; until its other copies are there, sampling uses those that are. Crop offsets depend on the seed and
the frame's number alone, so the copies are the same whenever they are computed, also after a restart
(`rebuild`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hilserl_learning.errors import LearningError
from hilserl_learning.frames import FrameStore
from hilserl_learning.perception import Perception

BATCH = 16  # frames whose pictures are in memory at once


class FeatureCache:
    """Computes what is missing in a store of frames."""

    def __init__(self, perception: Perception, frames: FrameStore):
        """LearningError when the features of this perception do not fit the store."""
        _check(perception, frames)
        self._perception, self._frames = perception, frames

    @property
    def pending(self) -> int:
        """Frames that miss copies; frames that are gone by now may be counted too."""
        return len(self._frames.unfinished)

    def fill(self, limit: int) -> int:
        """Completes the oldest `limit` frames at most; returns how many it completed."""
        slots: list[int] = []
        queue = self._frames.unfinished
        while queue and len(slots) < limit:
            slot, uid = queue.popleft()
            if self._frames.holds(slot, uid):
                slots.append(slot)
        for piece in _pieces(np.array(slots, np.int64)):
            for copy in range(1, self._frames.copies_wanted):
                _encode(self._perception, self._frames, piece, copy)
        return len(slots)


def rebuild(perception: Perception, frames: FrameStore) -> int:
    """Computes all features of all frames anew from their pictures; returns how many frames that were.

    For another trunk of the same size, or after features were lost.

    Raises:
        LearningError: pictures are not kept, or the sizes differ.
    """
    _check(perception, frames)
    slots = frames.live_slots()
    for piece in _pieces(slots):
        for copy in range(frames.copies_wanted):
            _encode(perception, frames, piece, copy)
    frames.unfinished.clear()
    return len(slots)


def _encode(perception: Perception, frames: FrameStore, slots: NDArray[np.int64], copy: int) -> None:
    """One copy of some frames."""
    offsets = frames.crop_offsets(slots)[:, copy]
    features = perception.encode_crops(frames.images(slots), offsets, frames.crop_padding)
    for slot, row in zip(slots.tolist(), features, strict=True):
        frames.store_copies(slot, copy, row[None])


def _check(perception: Perception, frames: FrameStore) -> None:
    if frames.pictures is None:
        raise LearningError(
            "feature cache: crops are cut from pictures, and this buffer keeps none; use "
            "learner.store_images: true, or learner.feature_copies: 1"
        )
    if perception.feature_dim != frames.feature_dim:
        raise LearningError(
            f"feature cache: this perception gives {perception.feature_dim} features a frame, the buffer "
            f"takes {frames.feature_dim}; make both for the same task and profile"
        )


def _pieces(slots: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(slots), BATCH):
        yield slots[start : start + BATCH]
