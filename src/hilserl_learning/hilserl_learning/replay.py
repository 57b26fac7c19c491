# SPDX-License-Identifier: Apache-2.0
"""Replay buffer that stores every frame once and knows exactly which frame follows which.

A slot of the ring holds one frame (state, features, optional pictures) and, unless it is the last frame of
an episode, the transition that starts there. The successor is a slot number, set when the next frame of the
same actor, episode and step + 1 arrives, or when the caller passes the final frame. A transition is
sampleable only while both its frames are in the ring, so no batch ever mixes two episodes, two intervention
segments, or the two ends of the ring (defect D1 of the original: the first transition of every later
intervention segment got the picture of the previous segment).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hilserl_learning.errors import LearningError, finite_vector

NONE = -1
OUTCOMES = 4  # columns of `ReplayBuffer.outcome`


class Batch(NamedTuple):
    """Transitions, float32 unless said otherwise, first axis B.

    `terminated`: 1 where the task ended (success), `truncated`: 1 where the time limit cut the episode.
    `images`, `next_images`: uint8 [B, n_cam, H, W, 3], or None when the buffer does not keep pictures.
    `grasp_penalty`: what useless gripper commands cost, part of the grasp critic's reward only; None = 0.
    `discount`: what the value of the next observation counts, gamma^k after k steps; None = gamma (one step).
    """

    state: Tensor
    features: Tensor
    action: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    next_state: Tensor
    next_features: Tensor
    images: Tensor | None = None
    next_images: Tensor | None = None
    grasp_penalty: Tensor | None = None
    discount: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The batch on another device."""
        moved = [None if t is None else t.to(device, non_blocking=True) for t in self]
        return Batch(*moved)  # type: ignore[arg-type]


class ReplayBuffer:
    """Ring of frames with explicit successors; insert, remove and sample cost the same at any size."""

    def __init__(
        self,
        capacity: int,
        state_dim: int,
        feature_dim: int,
        action_dim: int,
        image_shape: tuple[int, int, int, int] | None = None,
        feature_copies: int = 1,
        feature_dtype: torch.dtype = torch.float32,
    ):
        """Memory is reserved here and committed as it fills.

        Args:
            capacity: frames in the ring (an episode of T transitions takes T + 1).
            image_shape: (n_cam, H, W, 3) to keep pictures, None to keep features only.
            feature_copies: stored augmentations per frame; sampling picks one at random.
            feature_dtype: torch.float16 halves the memory of large feature maps.
        """
        if capacity < 2:
            raise LearningError(f"capacity: {capacity} frames, must be at least 2, e.g. 200000")
        self.capacity, self.state_dim = capacity, state_dim
        self.feature_dim, self.action_dim = feature_dim, action_dim
        self.image_shape, self.feature_copies = image_shape, feature_copies
        self.state = _zeros(capacity, state_dim)
        self.features = _zeros(capacity * feature_copies, feature_dim, dtype=feature_dtype)
        self.action = _zeros(capacity, action_dim)
        self.outcome = _zeros(capacity, OUTCOMES)  # reward, terminated, truncated, grasp penalty
        self.images = None if image_shape is None else _zeros(capacity, *image_shape, dtype=torch.uint8)
        self.next_slot = torch.full((capacity,), NONE, dtype=torch.int64)
        self.ready = torch.zeros(capacity, dtype=torch.int64)  # first `_count` entries: sampleable slots
        self._previous = np.full(capacity, NONE, np.int64)
        self._place = np.full(capacity, NONE, np.int64)  # index of a slot in `ready`
        self._count = 0
        self._head = 0
        self._used = 0  # slots that were ever written
        self._open: dict[str, tuple[int, int, int]] = {}  # actor -> (episode, step, slot)
        self._last_sequence: dict[str, int] = {}
        self._views()

    def _views(self) -> None:
        """numpy views of the tensors: single-row writes are several times cheaper through them."""
        self._np_state, self._np_features = self.state.numpy(), self.features.numpy()
        self._np_action, self._np_outcome = self.action.numpy(), self.outcome.numpy()
        self._np_images = None if self.images is None else self.images.numpy()
        self._np_next, self._np_ready = self.next_slot.numpy(), self.ready.numpy()

    def __len__(self) -> int:
        """Number of sampleable transitions."""
        return self._count

    def last_sequence(self, actor_id: str) -> int:
        """Highest sequence number taken from an actor; -1 before the first."""
        return self._last_sequence.get(actor_id, -1)

    def add_step(
        self,
        actor_id: str,
        sequence: int,
        episode: int,
        step: int,
        state: Any,
        features: Any,
        action: Any,
        reward: float,
        terminated: bool,
        truncated: bool,
        next_state: Any = None,
        next_features: Any = None,
        images: Any = None,
        next_images: Any = None,
        grasp_penalty: float = 0.0,
    ) -> bool:
        """Stores one step. With `next_state` the transition is complete at once, else when step + 1 arrives.

        Sequence numbers of an actor must rise; a number that is not above the last one was stored before and
        changes nothing (returns False), so that a batch may be sent again after a lost answer.

        Args:
            grasp_penalty: for the grasp critic only (original: -0.02 for a command without effect).

        Raises:
            LearningError: wrong shape, NaN, or an episode end without its final frame.
        """
        if sequence <= self.last_sequence(actor_id):
            return False
        if (terminated or truncated) and next_state is None:
            raise LearningError(
                f"{actor_id} episode {episode} step {step}: the last step of an episode needs next_state and "
                "next_features, because no later step carries its final frame"
            )
        frame = self._checked_frame("", state, features, images)
        action = finite_vector("action", action, self.action_dim)
        outcome = finite_vector(
            "reward, terminated, truncated, grasp_penalty",
            [reward, terminated, truncated, grasp_penalty],
            OUTCOMES,
        )
        final = None
        if next_state is not None:
            final = self._checked_frame("next_", next_state, next_features, next_images)
        self._last_sequence[actor_id] = sequence
        slot = self._write_frame(frame)
        self._link_open(actor_id, episode, step, slot)
        self._np_action[slot], self._np_outcome[slot] = action, outcome
        if final is None:
            self._open[actor_id] = (episode, step, slot)
        else:
            self._open.pop(actor_id, None)
            self._link(slot, self._write_frame(final))
        return True

    def add_frame(
        self,
        actor_id: str,
        sequence: int,
        episode: int,
        step: int,
        state: Any,
        features: Any,
        images: Any = None,
    ) -> bool:
        """Stores a frame without a transition: it only completes the step before it.

        For a buffer of interventions: the frame after the last corrected step. Does nothing (False) when
        the step before is not waiting for it, or the sequence number is not new.
        """
        if sequence <= self.last_sequence(actor_id) or not self.awaits(actor_id, episode, step):
            return False
        frame = self._checked_frame("", state, features, images)
        self._last_sequence[actor_id] = sequence
        self._link_open(actor_id, episode, step, self._write_frame(frame))
        return True

    def awaits(self, actor_id: str, episode: int, step: int) -> bool:
        """True when this frame is the successor of the actor's last stored step."""
        opened = self._open.get(actor_id)
        return opened is not None and opened[:2] == (episode, step - 1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Batch:
        """n transitions, uniform with replacement; LearningError when there are none."""
        if self._count == 0:
            raise LearningError("replay: no complete transition to sample yet; wait until len(buffer) > 0")
        slots = self.ready[torch.randint(self._count, (n,), generator=generator)]
        after = self.next_slot[slots]
        outcome = self.outcome[slots]
        return Batch(
            self.state[slots],
            self._sampled_features(slots, generator),
            self.action[slots],
            outcome[:, 0],
            outcome[:, 1],
            outcome[:, 2],
            self.state[after],
            self._sampled_features(after, generator),
            None if self.images is None else self.images[slots],
            None if self.images is None else self.images[after],
            outcome[:, 3],
        )

    def _sampled_features(self, slots: Tensor, generator: torch.Generator | None) -> Tensor:
        if self.feature_copies > 1:
            slots = slots * self.feature_copies
            slots = slots + torch.randint(self.feature_copies, slots.shape, generator=generator)
        return self.features[slots].float()

    def _checked_frame(self, prefix: str, state: Any, features: Any, images: Any) -> tuple[Any, Any, Any]:
        """Checks before anything is written, so that a refused step leaves the buffer as it was."""
        state = finite_vector(prefix + "state", state, self.state_dim)
        size = self.feature_dim * self.feature_copies
        features = np.zeros(0) if features is None and size == 0 else features
        features = finite_vector(prefix + "features", np.reshape(np.asarray(features, np.float32), -1), size)
        if self.image_shape is None:
            return state, features, None
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.shape != self.image_shape:
            raise LearningError(
                f"{prefix}images: {images.dtype} {images.shape}, must be uint8 {self.image_shape} "
                "(cameras in task order, height, width, RGB)"
            )
        return state, features, images

    def _write_frame(self, frame: tuple[Any, Any, Any]) -> int:
        """Puts a frame into the oldest slot and returns its number."""
        slot = self._head
        self._head = (slot + 1) % self.capacity
        self._used = max(self._used, slot + 1)
        self._release(slot)
        state, features, images = frame
        self._np_state[slot] = state
        copies = slice(slot * self.feature_copies, (slot + 1) * self.feature_copies)
        self._np_features[copies] = features.reshape(self.feature_copies, self.feature_dim)
        if self._np_images is not None:
            self._np_images[slot] = images
        return slot

    def _release(self, slot: int) -> None:
        """Forgets everything that refers to a slot that is about to be overwritten."""
        self._withdraw(slot)
        if self._np_next[slot] != NONE:
            self._previous[self._np_next[slot]] = NONE
            self._np_next[slot] = NONE
        if self._previous[slot] != NONE:
            self._withdraw(int(self._previous[slot]))
            self._np_next[self._previous[slot]] = NONE
            self._previous[slot] = NONE
        for actor_id, opened in list(self._open.items()):
            if opened[2] == slot:
                del self._open[actor_id]

    def _link_open(self, actor_id: str, episode: int, step: int, slot: int) -> None:
        if self.awaits(actor_id, episode, step):
            self._link(self._open[actor_id][2], slot)
        self._open.pop(actor_id, None)

    def _link(self, slot: int, after: int) -> None:
        """Makes the transition of `slot` sampleable."""
        if slot == after:
            return  # a ring so small that the frame replaced its predecessor
        self._np_next[slot], self._previous[after] = after, slot
        self._np_ready[self._count], self._place[slot] = slot, self._count
        self._count += 1

    def _withdraw(self, slot: int) -> None:
        """Takes a slot out of the sampleable ones by moving the last one into its place."""
        place = self._place[slot]
        if place == NONE:
            return
        self._count -= 1
        moved = self._np_ready[self._count]
        self._np_ready[place], self._place[moved] = moved, place
        self._place[slot] = NONE

    def save(self, path: str | Path) -> None:
        """Writes the filled part and all indices as .npz, atomically."""
        used = self._used
        rows = {
            "state": self._np_state[:used],
            "features": self._np_features[: used * self.feature_copies],
            "action": self._np_action[:used],
            "outcome": self._np_outcome[:used],
            "next_slot": self._np_next[:used],
            "ready": self._np_ready[: self._count],
            "head": np.array(self._head),
            "open": _text_table([[a, *o] for a, o in self._open.items()], 4),
            "sequences": _text_table([[a, s] for a, s in self._last_sequence.items()], 2),
        }
        if self._np_images is not None:
            rows["images"] = self._np_images[:used]
        partial = Path(str(path) + ".part")
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **rows)
        partial.replace(path)

    def load(self, path: str | Path) -> None:
        """Replaces the content by `save`'s file; LearningError when sizes do not match or it is damaged."""
        if not Path(path).is_file():
            raise LearningError(f"replay: no file at {Path(path).resolve()}")
        try:
            with np.load(path, allow_pickle=False) as data:
                rows = {key: data[key] for key in data.files}
        except Exception as error:
            raise LearningError(f"replay: {path} cannot be read ({error})") from error
        used = len(rows["state"])
        expected = (self.state_dim, self.feature_dim, self.action_dim)
        found = (rows["state"].shape[1], rows["features"].shape[1], rows["action"].shape[1])
        if found != expected or used > self.capacity or len(rows["features"]) != used * self.feature_copies:
            raise LearningError(
                f"replay: {path} holds {used} frames of (state, features, action) = {found}; this buffer "
                f"takes {self.capacity} frames of {expected} with {self.feature_copies} feature copies"
            )
        if rows["outcome"].shape not in ((used, 3), (used, OUTCOMES)):
            raise LearningError(
                f"replay: {path} holds outcomes of shape {rows['outcome'].shape}, "
                f"must be ({used}, {OUTCOMES})"
            )
        if (self._np_images is not None) != ("images" in rows):
            raise LearningError(f"replay: {path} and this buffer differ in keeping pictures or not")
        self._restore(rows, used)

    def _restore(self, rows: dict[str, Any], used: int) -> None:
        self._np_state[:used], self._np_action[:used] = rows["state"], rows["action"]
        self._np_features[: used * self.feature_copies] = rows["features"]
        columns = rows["outcome"].shape[1]  # 3 in files from before the grasp penalty: it was zero
        self._np_outcome[:used, :columns], self._np_outcome[:used, columns:] = rows["outcome"], 0.0
        if self._np_images is not None:
            self._np_images[:used] = rows["images"]
        self._np_next[:] = NONE
        self._np_next[:used] = rows["next_slot"]
        self._previous[:], self._place[:] = NONE, NONE
        linked = np.flatnonzero(self._np_next != NONE)
        self._previous[self._np_next[linked]] = linked
        self._count = len(rows["ready"])
        self._np_ready[: self._count] = rows["ready"]
        self._place[rows["ready"]] = np.arange(self._count)
        self._head, self._used = int(rows["head"]), used
        self._open = {str(a): (int(e), int(k), int(s)) for a, e, k, s in rows["open"]}
        self._last_sequence = {str(a): int(s) for a, s in rows["sequences"]}


def _text_table(rows: list[list[Any]], columns: int) -> np.ndarray:
    """Names and numbers as an array of text, which .npz stores without pickle."""
    return np.array([[str(value) for value in row] for row in rows], dtype=np.str_).reshape(-1, columns)


def _zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Zeros whose pages are committed when they are first written: torch.zeros would fill them all now."""
    kinds = {torch.float32: np.float32, torch.float16: np.float16, torch.uint8: np.uint8}
    return torch.from_numpy(np.zeros(shape, kinds[dtype]))
