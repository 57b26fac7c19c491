# SPDX-License-Identifier: Apache-2.0
"""Replay buffer that stores every frame once and knows exactly which frame follows which.

An entry of the ring is one transition: the slots of its two frames in a `FrameStore`, action and outcome. The
second frame is known when the next step of the same actor and episode arrives, or when the caller passes the
final frame; only then can the transition be sampled. So no batch ever mixes two episodes, two intervention
segments, or the two ends of the ring (defect D1 of the original: the first transition of every later
intervention segment got the picture of the previous segment).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hilserl_learning import archive
from hilserl_learning.errors import LearningError, finite_vector
from hilserl_learning.feature_rows import reserved
from hilserl_learning.frames import FrameStore

NONE = -1
REWARD, TERMINATED, TRUNCATED, GRASP_PENALTY = range(4)  # columns of an outcome
OUTCOMES = 4


class Batch(NamedTuple):
    """Transitions, float32 unless said otherwise, first axis B.

    After n steps, `reward` and `grasp_penalty` are discounted sums, the flags are those of the last step, and
    `next_*` is the frame after it.

    `terminated`: 1 where the task ended (success), `truncated`: 1 where the time limit cut the episode.
    `images`, `next_images`: uint8 [B, n_cam, H, W, 3], or None when the buffer does not give them out.
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
        """The batch on another device. To CUDA through pinned memory, so that the copy waits for nothing."""
        device = torch.device(device)
        pin = device.type == "cuda"
        moved = [
            t if t is None or t.device == device else (t.pin_memory() if pin and not t.is_cuda else t)
            .to(device, non_blocking=True)
            for t in self
        ]  # fmt: skip
        return Batch(*moved)  # type: ignore[arg-type]


class ReplayBuffer:
    """Ring of transitions over a store of frames; insert, evict and sample cost the same at any size."""

    def __init__(
        self,
        capacity: int,
        state_dim: int,
        feature_dim: int,
        action_dim: int,
        image_shape: tuple[int, int, int, int] | None = None,
        feature_copies: int = 1,
        feature_dtype: torch.dtype = torch.float32,
        frames: FrameStore | None = None,
        gives_images: bool = True,
    ):
        """Memory is reserved here and committed as it fills.

        Args:
            capacity: transitions in the ring.
            image_shape: (n_cam, H, W, 3) to keep pictures, None to keep features only.
            feature_copies: stored augmentations per frame; sampling picks one at random.
            feature_dtype: torch.float16 or torch.uint8 (see `FeatureRows`) for large feature maps.
            frames: where frames lie, to be shared with another buffer; makes the four sizes above follow it.
                None: a store of its own.
            gives_images: batches carry the pictures that are kept; False where updates read features only.
        """
        if capacity < 2:
            raise LearningError(f"capacity: {capacity} transitions, must be at least 2, e.g. 200000")
        self.capacity, self.action_dim = capacity, action_dim
        if frames is None:
            frames = FrameStore(
                slots_for(capacity), state_dim, feature_dim, image_shape, feature_copies, feature_dtype
            )
        self.frames = frames
        expected = (state_dim, feature_dim, image_shape)
        found = (self.frames.state_dim, self.frames.feature_dim, self.frames.image_shape)
        if found != expected:
            raise LearningError(f"frames: (state, features, pictures) {found}, must be {expected}")
        self.state_dim, self.feature_dim, self.image_shape = expected
        self.gives_images = gives_images and image_shape is not None
        self._frame = reserved(capacity, dtype=np.int64)
        self._next_frame = np.full(capacity, NONE, np.int64)
        self._next_entry = np.full(capacity, NONE, np.int64)  # the transition that follows in the episode
        self._action = reserved(capacity, action_dim, dtype=np.float32)
        self._outcome = reserved(capacity, OUTCOMES, dtype=np.float32)
        self._ready = reserved(capacity, dtype=np.int64)  # first `_count` ones: entries to sample from
        self._place = np.full(capacity, NONE, np.int64)  # index of an entry in `_ready`
        self._count = 0
        self._head = 0
        self._used = 0  # entries that were ever written
        self._open: dict[str, tuple[int, int, int]] = {}  # actor -> (episode, step, entry)
        self._opener: dict[int, str] = {}  # entry -> actor, the inverse
        self._last_sequence: dict[str, int] = {}
        self._share_with_torch()

    def _share_with_torch(self) -> None:
        """The same memory for torch: its gathers are faster, numpy's single writes are."""
        self._t_frame, self._t_next_frame = torch.from_numpy(self._frame), torch.from_numpy(self._next_frame)
        self._t_next_entry, self._t_ready = torch.from_numpy(self._next_entry), torch.from_numpy(self._ready)
        self._t_action, self._t_outcome = torch.from_numpy(self._action), torch.from_numpy(self._outcome)

    def __len__(self) -> int:
        """Number of sampleable transitions."""
        return self._count

    def last_sequence(self, actor_id: str) -> int:
        """Highest sequence number taken from an actor; -1 before the first."""
        return self._last_sequence.get(actor_id, -1)

    # -- insert ---------------------------------------------------------------------------------------

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
        changes nothing (returns False), so that a batch may be sent again after a lost answer. In buffers
        that share a store, the same actor and number mean the same frames, which are then kept once.

        Args:
            features: [feature_dim] of the frame, or [feature_copies, feature_dim].
            grasp_penalty: for the grasp critic only (original: -0.02 for a command without effect).

        Raises:
            LearningError: wrong shape, NaN, or an episode end without its final frame.
            OSError: the disk that takes pictures is full. Either way nothing was stored.
        """
        if sequence <= self.last_sequence(actor_id):
            return False
        if (terminated or truncated) and next_state is None:
            raise LearningError(
                f"{actor_id} episode {episode} step {step}: the last step of an episode needs next_state and "
                "next_features, because no later step carries its final frame"
            )
        frame = self.frames.check("", state, features, images)
        action = finite_vector("action", action, self.action_dim)
        outcome = finite_vector(
            "reward, terminated, truncated, grasp_penalty",
            [reward, terminated, truncated, grasp_penalty],
            OUTCOMES,
        )
        final = None
        if next_state is not None:
            final = self.frames.check("next_", next_state, next_features, next_images)
        slot = self.frames.put(frame, actor_id, "frame", sequence)
        try:
            after = NONE if final is None else self.frames.put(final, actor_id, "next", sequence)
        except OSError:
            self.frames.release(slot)
            raise
        self._last_sequence[actor_id] = sequence
        before = self._close_open(actor_id, episode, step, slot)
        entry = self._new_entry(slot, action, outcome)
        if before not in (NONE, entry):
            self._next_entry[before] = entry
        if final is None:
            self._open[actor_id], self._opener[entry] = (episode, step, entry), actor_id
        else:
            self._complete(entry, after)
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
        frame = self.frames.check("", state, features, images)
        slot = self.frames.put(frame, actor_id, "frame", sequence)
        self._last_sequence[actor_id] = sequence
        self._close_open(actor_id, episode, step, slot)
        self.frames.release(slot)  # the transition owns it now
        return True

    def awaits(self, actor_id: str, episode: int, step: int) -> bool:
        """True when this frame is the successor of the actor's last stored step."""
        opened = self._open.get(actor_id)
        return opened is not None and opened[:2] == (episode, step - 1)

    def _close_open(self, actor_id: str, episode: int, step: int, slot: int) -> int:
        """Completes the actor's open transition if this frame follows it; returns its entry, else NONE."""
        follows = self.awaits(actor_id, episode, step)
        opened = self._open.pop(actor_id, None)
        if opened is None:
            return NONE
        entry = opened[2]
        del self._opener[entry]
        if not follows:
            return NONE
        self._complete(entry, self.frames.retain(slot))
        return entry

    def _complete(self, entry: int, slot: int) -> None:
        """Gives a transition its second frame, which it owns from now on, and makes it sampleable."""
        self._next_frame[entry] = slot
        self._ready[self._count], self._place[entry] = entry, self._count
        self._count += 1

    def _new_entry(self, slot: int, action: NDArray[np.float32], outcome: NDArray[np.float32]) -> int:
        """Writes over the oldest entry and returns its number."""
        entry = self._head
        if entry < self._used:
            self._evict(entry)
        self._head = (entry + 1) % self.capacity
        self._used = max(self._used, entry + 1)
        self._frame[entry], self._next_frame[entry], self._next_entry[entry] = slot, NONE, NONE
        self._action[entry], self._outcome[entry] = action, outcome
        return entry

    def _evict(self, entry: int) -> None:
        """Forgets the oldest transition. Nothing points to it: its predecessor is older, so gone."""
        actor_id = self._opener.pop(entry, None)
        if actor_id is not None:
            del self._open[actor_id]
        self._withdraw(entry)
        self.frames.release(int(self._frame[entry]))
        if self._next_frame[entry] != NONE:
            self.frames.release(int(self._next_frame[entry]))

    def _withdraw(self, entry: int) -> None:
        """Takes an entry out of the sampleable ones by moving the last one into its place."""
        place = self._place[entry]
        if place == NONE:
            return
        self._count -= 1
        moved = self._ready[self._count]
        self._ready[place], self._place[moved] = moved, place
        self._place[entry] = NONE

    # -- sample ---------------------------------------------------------------------------------------

    def sample(
        self,
        n: int,
        generator: torch.Generator | None = None,
        n_steps: int = 1,
        discount: float | None = None,
    ) -> Batch:
        """n transitions, uniform with replacement.

        Args:
            n_steps: rewards of up to so many steps are summed; fewer where the episode or the stored segment
                ends earlier. More than one needs `discount`, gamma in (0, 1].

        Raises:
            LearningError: there are none, or n_steps without a good discount.
        """
        if self._count == 0:
            raise LearningError("replay: no complete transition to sample yet; wait until len(buffer) > 0")
        if n_steps < 1 or (n_steps > 1 and discount is None) or not (discount is None or 0 < discount <= 1):
            raise LearningError(
                f"n_steps: {n_steps} with discount {discount}; must be at least 1, and discount in (0, 1] "
                "when it is more, e.g. n_steps=3, discount=0.97"
            )
        entries = self._t_ready[torch.randint(self._count, (n,), generator=generator)]
        last, sums, factor = self._ahead(entries, n_steps, 1.0 if discount is None else discount)
        flags = self._t_outcome[last]
        slots, after = self._t_frame[entries], self._t_next_frame[last]
        frames = self.frames
        return Batch(
            state=frames.states(slots),
            features=frames.sample_features(slots, generator),
            action=self._t_action[entries],
            reward=sums[0],
            terminated=flags[:, TERMINATED],
            truncated=flags[:, TRUNCATED],
            next_state=frames.states(after),
            next_features=frames.sample_features(after, generator),
            images=torch.from_numpy(frames.images(slots)) if self.gives_images else None,
            next_images=torch.from_numpy(frames.images(after)) if self.gives_images else None,
            grasp_penalty=sums[1],
            discount=None if discount is None else factor,
        )

    def _ahead(self, entries: Tensor, n_steps: int, discount: float) -> tuple[Tensor, Tensor, Tensor]:
        """Walks up to n_steps transitions.

        Returns:
            last transition [n] reached, discounted sums of reward and grasp penalty [2, n], gamma^k [n].
        """
        outcome = self._t_outcome[entries]
        sums = outcome[:, [REWARD, GRASP_PENALTY]].T.clone()
        factor = torch.full(entries.shape, discount)
        last = entries
        # No step follows one that ended its episode: it was complete at once (`add_step`).
        alive = torch.ones(entries.shape, dtype=torch.bool)
        for k in range(1, n_steps):
            following = self._t_next_entry[last]
            alive = alive & (following != NONE)
            following = torch.where(alive, following, last)
            alive = alive & (self._t_next_frame[following] != NONE)
            last = torch.where(alive, following, last)
            outcome = self._t_outcome[last]
            sums += torch.where(alive, discount**k * outcome[:, [REWARD, GRASP_PENALTY]].T, 0.0)
            factor = torch.where(alive, factor * discount, factor)
        return last, sums, factor

    # -- files ----------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Writes transitions, their frames and all indices as .npz, atomically."""
        used = self._used
        next_slots = self._next_frame[:used]
        slots = np.unique(np.concatenate([self._frame[:used], next_slots[next_slots != NONE]]))
        uid = self.frames.uid
        tables = {
            "frame_of": uid[self._frame[:used]],
            "next_frame_of": np.where(next_slots == NONE, NONE, uid[next_slots]),
            "next_entry": self._next_entry[:used],
            "action": self._action[:used],
            "outcome": self._outcome[:used],
            "ready": self._ready[: self._count],
            "head": np.array(self._head),
            "storage": np.array(self.frames.storage),
            "form": np.array(getattr(self.frames.pictures, "form", "none")),
            "open": _text_table([[a, *o] for a, o in self._open.items()], 4),
            "sequences": _text_table([[a, s] for a, s in self._last_sequence.items()], 2),
        }
        archive.write(Path(path), tables, self.frames, slots)

    def load(self, path: str | Path) -> None:
        """Replaces the content by `save`'s file; LearningError when sizes do not match or it is damaged.

        Frames that the store already holds for another buffer stay shared.
        """
        tables = archive.read_tables(Path(path))
        self._check_layout(Path(path), tables)
        self._clear()
        slots = archive.load_frames(Path(path), self.frames, str(tables["form"]))
        self._restore(tables, slots)
        for slot in slots.values():
            self.frames.release(slot)  # the transitions own them now

    def _check_layout(self, path: Path, tables: dict[str, NDArray]) -> None:
        """LearningError when the file's sizes are not this buffer's."""
        frames, columns = self.frames, archive.layout(path)
        if not {"action", "ready"} <= tables.keys() or "state" not in columns:
            raise LearningError(f"replay: {path} cannot be read (it is no replay buffer of this version)")
        used = len(tables["action"])
        found = (columns["state"][1], *columns["features"][1:], tables["action"].shape[1])
        expected = (self.state_dim, frames.copies_wanted, self.feature_dim, self.action_dim)
        if found != expected or used > self.capacity:
            raise LearningError(
                f"replay: {path} holds {used} transitions of (state, copies, features, action) = {found}; "
                f"this buffer takes {self.capacity} of {expected}"
            )
        if str(tables["storage"]) != frames.storage:
            raise LearningError(
                f"replay: {path} keeps {tables['storage']}, this buffer keeps {frames.storage}; load it with "
                "the settings it was made with"
            )

    def _clear(self) -> None:
        for entry in range(self._used):
            self._evict(entry)
        self._head = self._used = 0
        self._last_sequence = {}

    def _restore(self, tables: dict[str, NDArray], slots: dict[int, int]) -> None:
        used = self._used = len(tables["action"])
        for entry, (uid, after) in enumerate(zip(tables["frame_of"], tables["next_frame_of"], strict=True)):
            self._frame[entry] = self.frames.retain(slots[int(uid)])
            self._next_frame[entry] = NONE if after == NONE else self.frames.retain(slots[int(after)])
        self._next_entry[:used] = tables["next_entry"]
        self._action[:used], self._outcome[:used] = tables["action"], tables["outcome"]
        self._place[:], self._count = NONE, len(tables["ready"])
        self._ready[: self._count] = tables["ready"]
        self._place[tables["ready"]] = np.arange(self._count)
        self._head = int(tables["head"])
        self._open = {str(a): (int(e), int(k), int(s)) for a, e, k, s in tables["open"]}
        self._opener = {entry: actor for actor, (_, _, entry) in self._open.items()}
        self._last_sequence = {str(a): int(s) for a, s in tables["sequences"]}


def slots_for(*capacities: int) -> int:
    """Frames that these buffers can refer to at once, at worst: two a transition, and one on its way in."""
    return 2 * sum(capacities) + 2


def _text_table(rows: list[list[Any]], columns: int) -> NDArray[np.str_]:
    """Names and numbers as an array of text, which .npz stores without pickle."""
    return np.array([[str(value) for value in row] for row in rows], dtype=np.str_).reshape(-1, columns)
