# SPDX-License-Identifier: Apache-2.0
"""Replay memory as profile `default` uses it: two cameras of 128 x 128, whole ResNet-10, two crops a frame.

Pictures are those of the shipped demonstrations, as they are and with a camera's noise; features are random.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hilserl_learning.feature_cache import FeatureCache
from hilserl_learning.frames import FrameStore
from hilserl_learning.perception import Perception
from hilserl_learning.pictures import encode_png
from hilserl_learning.replay import ReplayBuffer, slots_for
from hilserl_learning.replay_budget import replay_budget
from hilserl_ros.bags import read_episodes

BAGS = Path(__file__).resolve().parents[2] / "rosbags" / "ram_insertion"
TRANSITIONS, CAPACITY, BATCH = 2000, 200_000, 256
STATE, ACTION, FEATURES, COPIES, BLOCK = 18, 6, 2 * 512 * 16, 2, 16
GREY_LEVELS = 4.0  # standard deviation of the added noise
ORIGINAL_GB = (
    98.3  # its code, USB task: 2 buffers x 200 000 x (3 policy pictures + 1 classifier picture twice)
)


def entry(value: float, unit: str, how: str) -> dict[str, Any]:
    """One result."""
    return {"value": value, "unit": unit, "how": how}


def noisy(images: np.ndarray) -> np.ndarray:
    """The same pictures with the noise of a camera."""
    noise = np.random.default_rng(0).normal(0, GREY_LEVELS, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def measure_buffer(images: np.ndarray) -> dict[str, Any]:
    """Insert and sample rates, memory of a transition."""
    shape = images.shape[1:]
    frames = FrameStore(slots_for(CAPACITY), STATE, FEATURES, shape, COPIES, torch.uint8, BLOCK, "png")
    buffer = ReplayBuffer(CAPACITY, STATE, FEATURES, ACTION, shape, frames=frames, gives_images=False)
    features = np.abs(np.random.default_rng(0).normal(size=(len(images), FEATURES))).astype(np.float32)
    state, action = np.zeros(STATE), np.zeros(ACTION)
    begun = time.process_time()
    for k in range(TRANSITIONS):
        index = k % len(images)
        buffer.add_step(
            "bench", k, 0, k, state, features[index], action, 0, False, False, images=images[index]
        )
    inserts = TRANSITIONS / (time.process_time() - begun)
    generator = torch.Generator().manual_seed(0)
    begun, count = time.process_time(), 20
    for _ in range(count):
        buffer.sample(BATCH, generator)
    samples = count / (time.process_time() - begun)
    ratio = float(np.mean([len(encode_png(i)) for i in images])) / images[0].size
    budget = replay_budget(
        CAPACITY, STATE, FEATURES, ACTION, shape, COPIES, torch.uint8, BLOCK, "png", picture_ratio=ratio
    )
    how = f"2 cameras 128x128 as PNG, {COPIES} x {FEATURES} features as uint8"
    return {
        "replay.inserts_per_s": entry(inserts, "1/s", f"{how}, CPU time"),
        "replay.batches_per_s": entry(
            samples, "1/s", f"batch {BATCH}, features of both frames; {how}, CPU time"
        ),
        "replay.bytes_per_transition": entry(
            budget.per_transition, "B", f"pictures of the simulation; {how}"
        ),
    }


def measure_copies(images: np.ndarray) -> dict[str, Any]:
    """What one frame costs the learner beside the updates."""
    perception = Perception(2, "maps")
    frames = FrameStore(
        slots_for(20), STATE, perception.feature_dim, images.shape[1:], COPIES, torch.uint8, BLOCK, "png"
    )
    zero = np.zeros(perception.feature_dim, np.float32)
    for k, image in enumerate(images[:8]):
        frames.put(frames.check("", np.zeros(STATE), zero, image), "bench", "frame", k)
    begun = time.process_time()
    done = FeatureCache(perception, frames).fill(8)
    cost = 1e3 * (time.process_time() - begun) / done
    how = (
        "one more crop of a frame: picture decoded, cropped, 2 cameras through the whole ResNet-10, CPU time"
    )
    return {"replay.crop_cpu_ms": entry(cost, "ms", how)}


def measure_full(images: np.ndarray) -> dict[str, Any]:
    """Full buffers of three cameras, computed from the PNG size of these pictures."""
    results = {}
    for name, pictures in (("simulation", images), ("noise", noisy(images))):
        ratio = float(np.mean([len(encode_png(i)) for i in pictures])) / images[0].size
        sizes = {"image_shape": (3, 128, 128, 3), "pictures": "png", "picture_ratio": ratio}
        budget = replay_budget(CAPACITY, 19, 0, 7, **sizes)  # type: ignore[arg-type]
        how = (
            f"2 x {CAPACITY} transitions, 3 cameras, no frame shared, PNG of {ratio:.2f} of the pixels; "
            f"original {ORIGINAL_GB} GB, of this {100 * budget.memory / 1e9 / ORIGINAL_GB:.0f} %"
        )
        results[f"replay.full_gb.pictures.{name}"] = entry(budget.memory / 1e9, "GB", how)
        if name == "noise":
            continue
        on_disk = replay_budget(
            CAPACITY, 19, 3 * 512 * 16, 7, (3, 128, 128, 3), COPIES, torch.uint8, BLOCK, "disk"
        )
        how = (
            f"the same with {COPIES} crops' features as uint8 in memory, pictures on disk "
            f"({on_disk.disk / 1e9:.0f} GB at most): {100 * on_disk.memory / 1e9 / ORIGINAL_GB:.0f} % of "
            "the original"
        )
        results["replay.full_gb.features"] = entry(on_disk.memory / 1e9, "GB", how)
    return results


def main() -> None:
    """Measures and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = np.concatenate([episode.images for episode in read_episodes(BAGS)])
    results = measure_buffer(images) | measure_copies(images) | measure_full(images)
    options.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
