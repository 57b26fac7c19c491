# SPDX-License-Identifier: Apache-2.0
"""Stored crops: computed in batches off the update path, each once; pictures bring them back."""

import numpy as np
import pytest
import torch
from golden_agents import golden_case
from synthetic_scene import scene

from hilserl_learning.augmentation import crop
from hilserl_learning.errors import LearningError
from hilserl_learning.feature_cache import FeatureCache, rebuild
from hilserl_learning.feature_rows import FeatureRows, bytes_per_row
from hilserl_learning.frames import FrameStore
from hilserl_learning.perception import Perception
from hilserl_learning.replay import ReplayBuffer, slots_for

FRAMES = 12
SHAPE = (2, 128, 128, 3)
# Largest error of a feature relative to the largest of the same camera, channel and picture.
TOLERANCE = {torch.float32: 1e-6, torch.float16: 2.0**-11, torch.uint8: 1 / 509}


@pytest.fixture(scope="module")
def images():
    return scene(episodes=2, frames=FRAMES // 2)[0]


@pytest.fixture(scope="module")
def perception():
    torch.set_num_threads(1)
    return Perception(2, "maps", width=0.25, stages=1, map_size=16)


def filled(perception, images, copies=3, dtype=torch.float32, seed=0, pictures="png"):
    """One episode whose features are what an actor sends: of the frame itself."""
    store = FrameStore(slots_for(50), 1, perception.feature_dim, SHAPE, copies, dtype,
                       feature_block=perception.map_size**2, pictures=pictures, seed=seed)  # fmt: skip
    replay = ReplayBuffer(50, 1, perception.feature_dim, 1, SHAPE, frames=store)
    features = perception.encode(images)
    last = len(images) - 2
    for k in range(last + 1):
        end = {}
        if k == last:
            end = {"next_state": [k + 1], "next_features": features[k + 1], "next_images": images[k + 1]}
        replay.add_step("a", k, 0, k, [k], features[k], [0], 0, k == last, False, images=images[k], **end)
    return replay, features


def by_state(batch) -> dict[int, list[np.ndarray]]:
    """Distinct feature vectors that were sampled for each frame number."""
    found: dict[int, dict[bytes, np.ndarray]] = {}
    for state, features in ((batch.state, batch.features), (batch.next_state, batch.next_features)):
        for number, row in zip(state[:, 0].int().tolist(), features.numpy(), strict=True):
            found.setdefault(number, {})[row.tobytes()] = row
    return {number: list(rows.values()) for number, rows in found.items()}


def test_a_frame_has_its_own_features_at_once_and_its_crops_later(perception, images):
    replay, features = filled(perception, images)
    for number, rows in by_state(replay.sample(400, torch.Generator().manual_seed(0))).items():
        assert len(rows) == 1
        np.testing.assert_array_equal(rows[0], features[number])
    cache = FeatureCache(perception, replay.frames)
    assert cache.pending == FRAMES
    assert cache.fill(5) == 5
    assert cache.pending == FRAMES - 5
    found = by_state(replay.sample(1000, torch.Generator().manual_seed(0)))
    assert [len(found[k]) for k in range(FRAMES)] == [3] * 5 + [1] * (FRAMES - 5)
    assert cache.fill(100) == FRAMES - 5
    assert cache.fill(100) == 0


def test_copies_are_features_of_crops_shared_by_all_cameras(perception, images):
    replay, _ = filled(perception, images)
    FeatureCache(perception, replay.frames).fill(FRAMES)
    store = replay.frames
    slots = store.live_slots()
    offsets = store.crop_offsets(slots)
    assert (offsets[:, 0] == 4).all()
    assert offsets[:, 1:].min() >= 0
    assert offsets[:, 1:].max() <= 8
    assert len(np.unique(offsets[:, 1:].reshape(-1, 2), axis=0)) > FRAMES  # of 24 draws of 81
    for copy in range(3):
        cropped = crop(torch.from_numpy(store.images(slots)), torch.from_numpy(offsets[:, copy]))
        stored = store.features.get(torch.from_numpy(slots * 3 + copy)).numpy()
        np.testing.assert_allclose(stored, perception.encode(cropped.numpy()), atol=1e-5)


def test_both_observations_of_a_transition_pick_their_copies_independently(perception, images):
    replay, _ = filled(perception, images[:2], copies=2)
    FeatureCache(perception, replay.frames).fill(2)
    batch = replay.sample(1000, torch.Generator().manual_seed(0))
    first, second = (
        (rows == rows[0]).all(1).double() for rows in (batch.features[:, :100], batch.next_features[:, :100])
    )
    assert abs(float(first.mean()) - 0.5) < 0.06
    assert abs(float(second.mean()) - 0.5) < 0.06
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.1


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_rebuilt_features_equal_the_stored_ones(perception, images, dtype):
    replay, _ = filled(perception, images, dtype=dtype)
    FeatureCache(perception, replay.frames).fill(FRAMES)
    store = replay.frames
    rows = torch.from_numpy((store.live_slots()[:, None] * 3 + np.arange(3)).ravel())
    before = store.features.get(rows)
    store.features.values[:] = 0
    assert not torch.equal(store.features.get(rows), before)
    assert rebuild(perception, store) == FRAMES
    step = before.abs().max() * TOLERANCE[dtype] * 2  # rounding may fall to the next level
    torch.testing.assert_close(store.features.get(rows), before, atol=float(step), rtol=0)


def test_crops_do_not_depend_on_when_they_are_computed(perception, images, tmp_path):
    replay, _ = filled(perception, images, seed=3)
    replay.save(tmp_path / "early.npz")
    FeatureCache(perception, replay.frames).fill(FRAMES)
    again, _ = filled(perception, images, seed=3)
    again.load(tmp_path / "early.npz")
    cache = FeatureCache(perception, again.frames)
    for _ in range(30):  # the frames that were replaced are still in the queue, and skipped
        cache.fill(1)
    ours, theirs = (r.sample(64, torch.Generator().manual_seed(1)) for r in (replay, again))
    torch.testing.assert_close(ours.features, theirs.features)
    torch.testing.assert_close(ours.next_features, theirs.next_features)


def test_frames_that_are_gone_are_skipped(perception, images):
    store = FrameStore(20, 1, perception.feature_dim, SHAPE, 2)
    replay = ReplayBuffer(2, 1, perception.feature_dim, 1, SHAPE, frames=store)
    features = perception.encode(images)
    for k in range(len(images) - 1):
        replay.add_step("a", k, 0, k, [k], features[k], [0], 0, False, False, images=images[k])
    cache = FeatureCache(perception, store)
    assert cache.pending == len(images) - 1
    assert cache.fill(100) == len(store) == 2


def test_what_does_not_fit_is_named(perception):
    with pytest.raises(LearningError, match="keeps none"):
        FeatureCache(perception, FrameStore(4, 1, perception.feature_dim, None, 2))
    with pytest.raises(LearningError, match="8192 features a frame, the buffer takes 12"):
        FeatureCache(perception, FrameStore(4, 1, 12, SHAPE, 2))


# -- storage types ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
def test_storage_error_is_within_what_is_stated(dtype, scale):
    maps = np.maximum(np.random.default_rng(0).normal(0, scale, (50, 64 * 16)), 0).astype(np.float32)
    maps[0] = 0.0
    maps[1, :16] = [0.0] * 15 + [7.7 * scale]
    rows = FeatureRows(60, 64 * 16, dtype, block=16)
    rows.check(maps)
    rows.put(5, maps)
    error = np.abs(rows.get(torch.arange(5, 55)).numpy() - maps).reshape(50, 64, 16)
    peak = maps.reshape(50, 64, 16).max(2, keepdims=True)
    assert (error <= peak * TOLERANCE[dtype] + 1e-5 * (dtype == torch.uint8) + 1e-7).all()
    size = rows.values.nbytes + (0 if rows.scales is None else rows.scales.nbytes)
    assert size == 60 * bytes_per_row(64 * 16, dtype, 16)


def test_values_that_a_type_cannot_hold_are_named():
    with pytest.raises(LearningError, match=r"too large to be stored as torch\.float16"):
        FeatureRows(2, 16, torch.float16).check(np.full(16, 1e5, np.float32))
    with pytest.raises(LearningError, match="negative"):
        FeatureRows(2, 16, torch.uint8).check(np.full(16, -1.0, np.float32))
    with pytest.raises(LearningError, match="feature_block: 16, must divide the feature size 60"):
        FeatureRows(2, 60, torch.uint8)
    with pytest.raises(LearningError, match=r"feature_dtype: torch\.int8"):
        FeatureRows(2, 16, torch.int8)


# Largest change of any output by the storage, relative to its standard deviation over the batch.
EFFECT = {torch.float16: 0.002, torch.uint8: 0.03}


@pytest.mark.parametrize("name", ["A", "B"])
@pytest.mark.parametrize("dtype", EFFECT)
def test_effect_of_the_storage_on_encoder_policy_and_critic(name, dtype):
    """On the reference batches of the original, with its parameters."""
    case = golden_case(name)
    agent, batch = case.agent(), case.batch
    rows = FeatureRows(8, batch.features.shape[1], dtype, block=16)
    rows.put(0, batch.features.numpy())
    outputs = []
    for features in (batch.features, rows.get(torch.arange(8))):
        with torch.no_grad():
            encoded = agent.encoder(features, batch.state)
            mean, std = agent.policy(agent.policy_input(features, batch.state))
            outputs.append((encoded, mean, std, agent.critic(encoded, batch.action[:, :6])))
    for exact, stored in zip(*outputs, strict=True):
        assert 0 < (stored - exact).abs().max() < EFFECT[dtype] * exact.std()
