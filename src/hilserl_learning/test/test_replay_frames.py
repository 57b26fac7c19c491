# SPDX-License-Identifier: Apache-2.0
"""Frames are stored once, whoever refers to them; what they cost does not grow with the buffer."""

import sys
import tracemalloc

import numpy as np
import pytest
import scipy.stats
import torch
from test_replay import SHAPE, assert_consistent, buffer, fill, step

from hilserl_learning.errors import LearningError
from hilserl_learning.frames import FrameStore
from hilserl_learning.pictures import decode_png
from hilserl_learning.replay import ReplayBuffer, slots_for
from hilserl_learning.sampling import add_with_intervention


def pair(capacity=100, pictures="raw", folder=None) -> tuple[ReplayBuffer, ReplayBuffer]:
    frames = FrameStore(slots_for(capacity, capacity), 2, 3, SHAPE, pictures=pictures, folder=folder)
    online, demo = (ReplayBuffer(capacity, 2, 3, 1, SHAPE, frames=frames) for _ in range(2))
    return online, demo


def add_run(online, demo, corrected, length=10, first=0):
    for k in range(length):
        add_with_intervention(online, demo, k in corrected, **step(first + k, first, k, last=k == length - 1))


def test_an_episode_of_n_steps_is_n_plus_one_frames():
    replay = buffer()
    fill(replay, 3, 5)
    assert len(replay) == 15
    assert len(replay.frames) == 18


def test_a_corrected_step_is_one_frame_for_both_buffers():
    online, demo = pair()
    add_run(online, demo, corrected={2, 3, 9})
    assert len(online) == 10
    assert len(demo) == 3
    assert len(online.frames) == 11  # demonstrations refer to five of them, and brought none
    for replay in (online, demo):
        assert_consistent(replay.sample(100, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("pictures", ["raw", "png", "disk"])
def test_frames_live_until_the_last_owner_lets_go(tmp_path, pictures):
    online, demo = pair(20, pictures, tmp_path)
    for run in range(8):  # the experience wraps round several times, the demonstrations do not
        add_run(online, demo, corrected={4, 5}, first=11 * run)
    assert len(demo) == 16
    assert len(online) == 20
    assert_consistent(demo.sample(200, torch.Generator().manual_seed(0)))
    assert_consistent(online.sample(200, torch.Generator().manual_seed(0)))
    # demonstrations: 3 frames a run; experience: the last two runs of 11 frames, in which 6 are common
    assert len(online.frames) == 8 * 3 + 2 * 11 - 6


@pytest.mark.parametrize("written", ["raw", "png", "disk"])
@pytest.mark.parametrize("read", ["raw", "disk"])
def test_files_keep_frames_shared(tmp_path, written, read):
    online, demo = pair(50, written, tmp_path)
    add_run(online, demo, corrected={4, 5})
    for name, replay in (("online", online), ("demo", demo)):
        replay.save(tmp_path / f"{name}.npz")
    other_online, other_demo = pair(50, read, tmp_path)
    other_online.load(tmp_path / "online.npz")
    other_demo.load(tmp_path / "demo.npz")
    assert len(other_online.frames) == len(online.frames) == 11
    for mine, theirs in ((online, other_online), (demo, other_demo)):
        ours, again = (r.sample(64, torch.Generator().manual_seed(1)) for r in (mine, theirs))
        assert all(a is b is None or torch.equal(a, b) for a, b in zip(ours, again, strict=True))
    other_online.load(tmp_path / "online.npz")  # replaces, adds nothing
    assert len(other_online.frames) == 11
    add_run(other_online, other_demo, corrected={4, 5}, first=20)
    assert_consistent(other_online.sample(200))
    assert_consistent(other_demo.sample(200))


def test_load_names_another_storage(tmp_path):
    replay = buffer()
    fill(replay, 1, 3)
    replay.save(tmp_path / "replay.npz")
    half = ReplayBuffer(100, 2, 3, 1, SHAPE, feature_dtype=torch.float16)
    with pytest.raises(LearningError, match=r"torch.float32.*this buffer keeps features torch.float16"):
        half.load(tmp_path / "replay.npz")


def test_a_full_disk_leaves_no_trace(tmp_path, monkeypatch):
    _, demo = pair(20, "disk", tmp_path)
    demo.add_step(**step(0, 0, 0))
    calls = []

    def full(descriptor, data, offset):
        calls.append(offset)
        if len(calls) == 2:  # the final frame, after the frame itself
            raise OSError(28, "No space left on device")
        return len(data)

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(OSError, match="pictures of a frame"):
        demo.add_step(**step(1, 0, 1, last=True))
    monkeypatch.undo()
    assert len(demo.frames) == 1
    assert demo.last_sequence("a") == 0
    assert demo.add_step(**step(1, 0, 1, last=True))
    assert_consistent(demo.sample(50))


def test_damaged_pictures_are_named():
    with pytest.raises(LearningError, match="damaged"):
        decode_png(b"\x89PNG broken", SHAPE)


def test_pictures_survive_every_storage_bit_by_bit(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    for kind in ("raw", "png", "disk"):
        store = FrameStore(4, 1, 0, images.shape, pictures=kind, folder=tmp_path)
        slot = store.put(store.check("", [0], None, images), "a", "frame", 0)
        assert np.array_equal(store.images(torch.tensor([slot]))[0], images), kind
    with pytest.raises(LearningError, match="needs a folder"):
        FrameStore(4, 1, 0, images.shape, pictures="disk")


# -- the same work at any size ------------------------------------------------------------------------


def lines_and_bytes(action) -> tuple[int, int]:
    """Python lines run and most memory held meanwhile by `action`."""
    lines = 0

    def count(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        return count

    tracemalloc.start()
    before, tracer = tracemalloc.get_traced_memory()[0], sys.gettrace()
    tracemalloc.reset_peak()
    sys.settrace(count)
    try:
        action()
    finally:
        sys.settrace(tracer)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return lines, peak - before


def test_insert_and_sample_do_the_same_work_at_any_size():
    work = {}
    for capacity in (200, 20_000):
        replay = buffer(capacity)
        number = fill(replay, capacity // 10 + 5, 10)  # full and wrapped round
        add = {"actor_id": "a", "sequence": number, "episode": number, "step": 0}
        insert = lines_and_bytes(lambda r=replay, n=number, a=add: r.add_step(**step(n, 0, 0) | a))
        sample = lines_and_bytes(lambda r=replay: r.sample(64, torch.Generator().manual_seed(0)))
        work[capacity] = (insert, sample)
    for small, large in zip(work[200], work[20_000], strict=True):
        assert large[0] == small[0]
        assert large[1] < small[1] + 1000  # an array over all entries would be at least 20 kB


# -- uniform sampling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("wraps", [0, 1, 7])
def test_every_transition_is_equally_likely(wraps):
    """Two actors in turn, episodes of odd lengths, some broken off, in a ring that wraps round."""
    replay = buffer(60)
    rng = np.random.default_rng(wraps)
    number = {"a": 0, "b": 100_000}
    for episode in range(8 + 24 * wraps):
        actor = "ab"[episode % 2]
        length, broken = int(rng.integers(1, 9)), rng.random() < 0.3
        for k in range(length):
            replay.add_step(**step(number[actor], episode, k, k == length - 1 and not broken, actor))
            number[actor] += 1
        number[actor] += 1
    batch = replay.sample(60_000, torch.Generator().manual_seed(0))
    assert_consistent(batch)
    names, counts = np.unique(batch.state[:, 0].numpy(), return_counts=True)
    assert len(names) == len(replay)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


# -- n-step returns -----------------------------------------------------------------------------------


def slow_returns(rows: dict, start: tuple, n: int, gamma: float):
    """Sum, penalty, gamma^k, frame number behind, ended: by the definition, one step after the other."""
    actor, episode, k = start
    total = penalty = 0.0
    for j in range(n):
        row = rows[actor, episode, k + j]
        total += gamma**j * row["reward"]
        penalty += gamma**j * row["penalty"]
        if row["ended"] or j == n - 1 or not rows.get((actor, episode, k + j + 1), {}).get("complete"):
            return total, penalty, gamma ** (j + 1), row["frame"] + 1, row["ended"]
    raise AssertionError


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_n_step_returns_equal_a_slow_reference(n, seed):
    """Random rewards; episodes that end, time out, break off or lose a step; two actors; a full ring."""
    replay, rows, rng = buffer(80), {}, np.random.default_rng(seed)
    number, order = {"a": 0, "b": 1000}, []
    for episode in range(40):
        actor, length = "ab"[int(rng.integers(2))], int(rng.integers(1, 12))
        lost = int(rng.integers(0, 20))
        end = ["terminated", "truncated", "broken"][int(rng.integers(3))]
        for k in range(length):
            number[actor] += 1
            if k == lost:
                continue
            last = k == length - 1 and end != "broken"
            reward, penalty = float(rng.normal()), float(rng.normal())
            values = step(number[actor], episode, k, last, actor) | {"reward": reward}
            values |= {"terminated": last and end == "terminated", "truncated": last and end == "truncated"}
            replay.add_step(**values, grasp_penalty=penalty)
            rows[actor, episode, k] = {"reward": reward, "penalty": penalty, "ended": last,
                                       "frame": number[actor], "complete": last}  # fmt: skip
            if (actor, episode, k - 1) in rows:
                rows[actor, episode, k - 1]["complete"] = True
            order.append((actor, episode, k))
        number[actor] += 1
    kept = [key for key in order[-80:] if rows[key]["complete"]]
    for key in order[:-80]:
        rows.pop(key)
    batch = replay.sample(3000, torch.Generator().manual_seed(0), n, 0.9)
    starts = {rows[key]["frame"]: key for key in kept}
    assert set(batch.state[:, 0].int().tolist()) == set(starts)
    for i, frame in enumerate(batch.state[:, 0].int().tolist()):
        total, penalty, factor, after, ended = slow_returns(rows, starts[frame], n, 0.9)
        assert batch.reward[i].item() == pytest.approx(total, abs=1e-5)
        assert batch.grasp_penalty[i].item() == pytest.approx(penalty, abs=1e-5)
        assert batch.discount[i].item() == pytest.approx(factor, abs=1e-6)
        assert batch.next_state[i, 0] == after
        assert bool(batch.terminated[i] + batch.truncated[i]) == ended


def test_n_steps_do_not_cross_between_intervention_segments():
    online, demo = pair()
    add_run(online, demo, corrected={2, 3, 6})
    batch = demo.sample(100, torch.Generator().manual_seed(0), 5, 0.5)
    ends = {2: 4, 3: 4, 6: 7}
    assert all(int(b) == ends[int(a)] for a, b in zip(batch.state[:, 0], batch.next_state[:, 0], strict=True))


@pytest.mark.parametrize(("n", "discount"), [(0, 0.9), (2, None), (2, 0.0), (2, 1.5)])
def test_bad_n_steps_are_named(n, discount):
    replay = buffer()
    fill(replay, 1, 3)
    with pytest.raises(LearningError, match="n_steps: "):
        replay.sample(4, None, n, discount)
