# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from synthetic_scene import scene

from hilserl_learning.errors import LearningError
from hilserl_learning.feature_rows import bytes_per_row
from hilserl_learning.frames import FrameStore
from hilserl_learning.pictures import encode_png
from hilserl_learning.replay import ReplayBuffer, slots_for
from hilserl_learning.replay_budget import free_memory, replay_budget, require_memory

ORIGINAL_BYTES = 98.3e9  # 200 000 x 2 buffers x 5 pictures of 128 x 128 (its code, USB task)
THREE_CAMERAS = {
    "capacity": 200_000,
    "state_dim": 19,
    "feature_dim": 3 * 512 * 16,
    "action_dim": 7,
    "image_shape": (3, 128, 128, 3),
}


def test_the_stated_budget_of_three_cameras():
    """Full buffers, no frame shared: 200 000 transitions x 2 with pictures and features of two crops each."""
    cached = replay_budget(**THREE_CAMERAS, feature_copies=2, feature_dtype=torch.uint8, pictures="disk")
    assert cached.memory < 0.25 * ORIGINAL_BYTES
    assert cached.disk < 0.45 * ORIGINAL_BYTES
    pixels_only = THREE_CAMERAS | {"feature_dim": 0}
    simulated = replay_budget(**pixels_only, pictures="png", picture_ratio=0.28)
    assert simulated.memory < 0.20 * ORIGINAL_BYTES
    noisy = replay_budget(**pixels_only, pictures="png")
    assert 0.30 * ORIGINAL_BYTES < noisy.memory < 0.45 * ORIGINAL_BYTES  # noise cannot be compressed away
    raw = replay_budget(**pixels_only, pictures="raw")
    assert raw.memory == pytest.approx(0.62 * ORIGINAL_BYTES, rel=0.02)


@pytest.mark.parametrize("pictures", ["raw", "png", "disk"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_budget_equals_what_buffers_hold(pictures, dtype, tmp_path):
    """Counts the bytes of everything that grows with the content."""
    images = scene(episodes=1, frames=20)[0]
    shape, length = images.shape[1:], 19
    store = FrameStore(slots_for(95, 95), 4, 32, shape, 2, dtype, pictures=pictures, folder=tmp_path)
    buffers = [ReplayBuffer(95, 4, 32, 3, shape, frames=store) for _ in range(2)]
    for actor, replay in zip("ab", buffers, strict=True):
        for number in range(95):
            episode, k = divmod(number, length)
            end = {}
            if k == length - 1:
                end = {"next_state": np.ones(4), "next_features": np.ones(64), "next_images": images[k + 1]}
            replay.add_step(actor, number, episode, k, np.ones(4), np.ones(64), np.ones(3), 0,
                            k == length - 1, False, images=images[k], **end)  # fmt: skip
    assert [len(replay) for replay in buffers] == [95, 95]
    ratio = float(np.mean([len(encode_png(image)) for image in images])) / images[0].size
    budget = replay_budget(95, 4, 32, 3, shape, 2, dtype, pictures=pictures, picture_ratio=ratio,
                           episode_steps=length)  # fmt: skip
    assert budget.frames == len(store) == 200
    rows = store.features.values.nbytes + (
        0 if store.features.scales is None else store.features.scales.nbytes
    )
    assert budget.features == rows * 200 // store.slots == 200 * 2 * bytes_per_row(32, dtype, 16)
    dumped = sum(len(store.pictures.dump(slot)) for slot in store.live_slots().tolist())
    assert budget.pictures + budget.disk == pytest.approx(dumped, rel=0.15)
    assert (budget.disk > 0) == (pictures == "disk")
    names = ("_frame", "_next_frame", "_next_entry", "_ready", "_place", "_action", "_outcome")
    arrays = [getattr(replay, name) for replay in buffers for name in names]
    per_frame = [store.state, store.copies, store.uid, store._references]
    assert budget.rest == sum(a.nbytes for a in arrays) + sum(a[:200].nbytes for a in per_frame)


def test_shared_frames_count_once():
    apart, shared = (replay_budget(**THREE_CAMERAS, shared=share) for share in (0.0, 0.5))
    assert shared.pictures == pytest.approx(apart.pictures / 2, rel=1e-4)


def test_too_little_memory_says_what_is_enough():
    budget = replay_budget(**THREE_CAMERAS)
    require_memory(budget, 2 * budget.memory)
    require_memory(budget)  # nothing is known about the machine
    with pytest.raises(
        LearningError, match=r"400000 transitions: .* GB.*enough for (\d+) transitions"
    ) as error:
        require_memory(budget, budget.memory // 2)
    fits = int(str(error.value).split("enough for ")[1].split()[0])
    require_memory(replay_budget(**THREE_CAMERAS | {"capacity": fits // 2 - 1}), budget.memory // 2)
    on_disk = replay_budget(**THREE_CAMERAS, pictures="disk")
    with pytest.raises(LearningError, match="replay disk"):
        require_memory(on_disk, 10 * on_disk.memory, on_disk.disk - 1)


def test_free_memory_is_the_machines_or_the_containers(tmp_path):
    assert free_memory(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 100 kB\nMemAvailable: 50 kB\n")
    assert free_memory(tmp_path) == 51200
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("10\n")
    assert free_memory(tmp_path) == 51200
    (group / "memory.max").write_text("1010\n")
    assert free_memory(tmp_path) == 1000
    (group / "memory.current").write_text("1000\n")  # most of it files that were read
    (group / "memory.stat").write_text("anon 90\nactive_file 300\ninactive_file 500\nshmem 10\n")
    assert free_memory(tmp_path) == 810
    assert free_memory() > 0
