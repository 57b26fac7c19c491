# SPDX-License-Identifier: Apache-2.0
"""Learner speed with and without the feature cache, as JSON: name -> {value, unit, how}.

Without the cache the pictures of both observations are cropped and encoded in every update, as the original
does; everything else is the same. One update is one critic step on a batch of 256; every second one is
joined by an actor and a temperature step. Profiles `original` (a) and `default` (b) have the same networks,
the whole ResNet-10 included; what sets them apart is where its features come from.

    python3 bench_updates.py [--seconds 5] [--quick] [--out results.json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hilserl_learning.frames import FrameStore
from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.perception import Perception
from hilserl_learning.profiles import profile, with_values
from hilserl_learning.replay import ReplayBuffer, slots_for
from hilserl_learning.sac import RLPDAgent
from hilserl_learning.sampling import RLPDSampler

IMAGES = (2, 128, 128, 3)


def trunk_of(cfg: LearnerConfig) -> Perception:
    """The trunk that the profile runs on, as `fit_perception` builds it."""
    return Perception(
        cfg.n_cameras,
        "readout" if cfg.encoder == "readout" else "maps",
        width=cfg.trunk_width,
        stages=cfg.trunk_stages,
        map_size=cfg.map_size,
        components=cfg.readout_components,
    )


def fitted_perception(cfg: LearnerConfig) -> Perception:
    """A read-out on random pictures: the speed does not depend on what they show."""
    rng = np.random.default_rng(0)
    perception = trunk_of(cfg)
    pictures = rng.integers(0, 256, (cfg.readout_components + 20, *IMAGES), dtype=np.uint8)
    perception.fit_readout(pictures, rng.normal(size=(len(pictures), 6)), np.arange(len(pictures)) % 10)
    return perception


def filled_sampler(cfg: LearnerConfig, with_images: bool, frames: int = 600) -> RLPDSampler:
    """Two buffers of random episodes of 50 steps."""
    rng = np.random.default_rng(0)
    buffers = []
    maps = cfg.encoder == "resnet10" and not with_images
    for _ in range(2):
        shape, copies = IMAGES if with_images else None, cfg.stored_copies
        store = FrameStore(
            slots_for(frames), cfg.state_dim, cfg.feature_dim, shape, copies,
            torch.uint8 if maps else torch.float32, cfg.map_size**2,
        )  # fmt: skip
        buffer = ReplayBuffer(frames, cfg.state_dim, cfg.feature_dim, cfg.action_dim, shape, frames=store)
        for number in range(frames):
            episode, k = divmod(number, 50)
            frame = [
                {
                    "state": rng.normal(size=cfg.state_dim),
                    "features": np.abs(rng.normal(size=cfg.feature_dim * copies)),
                    "images": rng.integers(0, 256, IMAGES, dtype=np.uint8) if with_images else None,
                }
                for _ in range(2)
            ]
            end = {f"next_{key}": value for key, value in frame[1].items()} if k == 49 else {}
            action = rng.uniform(-1, 1, cfg.action_dim)
            buffer.add_step("bench", number, episode, k, **frame[0], action=action, reward=float(k == 49),
                            terminated=k == 49, truncated=False, **end)  # fmt: skip
        buffers.append(buffer)
    return RLPDSampler(buffers[0], buffers[1], cfg.batch_size, torch.Generator().manual_seed(0))


def rate(cycle: Callable[[], Any], per_cycle: int, seconds: float, warm_up: int) -> tuple[float, float, int]:
    """Updates per wall second, CPU ms per update, cycles measured (at least one)."""
    for _ in range(warm_up):
        cycle()
    cycles, wall, cpu = 0, time.perf_counter(), time.process_time()
    while cycles == 0 or time.perf_counter() - wall < seconds:
        cycle()
        cycles += 1
    updates = cycles * per_cycle
    return updates / (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu) / updates, cycles


def measure(
    name: str, cfg: LearnerConfig, perception: Perception, cached: bool, seconds: float
) -> dict[str, Any]:
    """Two entries: rate and CPU time of one configuration."""
    if not cached:
        cfg = with_values(cfg, augmentation="crop")
    elif cfg.augmentation == "crop":
        cfg = with_values(cfg, augmentation="none")
    agent = RLPDAgent(cfg, perception=perception)
    sampler = filled_sampler(cfg, with_images=not cached)
    cycle = cfg.critic_updates_per_actor_update
    per_second, cpu_ms, cycles = rate(
        lambda: agent.update(sampler), cycle, seconds, warm_up=3 if cached else 0
    )
    how = f"batch {cfg.batch_size}, 2 cameras 128x128, {trunk_text(cfg)}, 1 thread, {cycles} cycles"
    return {
        f"{name}": {"value": per_second, "unit": "1/s", "how": how},
        f"{name}.cpu_ms": {"value": cpu_ms, "unit": "ms", "how": "CPU time of one update; " + how},
    }


def trunk_text(cfg: LearnerConfig) -> str:
    """What the trunk's cost depends on."""
    return f"trunk width {cfg.trunk_width}, {cfg.trunk_stages} stages, maps {cfg.map_size}x{cfg.map_size}"


def speedup(results: dict[str, Any]) -> dict[str, Any]:
    """(b) over (a), by CPU time: other processes do not change it."""
    slow = results["learner.original.updates_per_s.uncached.cpu_ms"]["value"]
    fast = results["learner.default.updates_per_s.cached.cpu_ms"]["value"]
    how = "CPU time of an update: profile original, crops in the update, over profile default, crops stored"
    return {"learner.default_over_original": {"value": slow / fast, "unit": "1", "how": how}}


def measure_acting(cfg: LearnerConfig, perception: Perception) -> dict[str, Any]:
    """CPU time from two pictures to an action."""
    agent = RLPDAgent(with_values(cfg, augmentation="none"))
    images = np.random.default_rng(0).integers(0, 256, IMAGES, dtype=np.uint8)
    state = np.zeros(cfg.state_dim, np.float32)
    _, cpu_ms, cycles = rate(lambda: agent.act(state, perception.encode(images)[0]), 1, 1.0, warm_up=5)
    how = f"{trunk_text(cfg)}, read-out and policy, {cycles} steps"
    return {"learner.act_cpu_ms": {"value": cpu_ms, "unit": "ms", "how": how}}


def main() -> None:
    """Measures and prints; see the module text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="per configuration")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="leave out the whole ResNet-10 (10 to 40 s for an uncached cycle)",
    )
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    torch.set_num_threads(1)  # OpenMP workers that spin cost more than they give on two cores

    fast = profile("fast", state_dim=18, action_dim=6, feature_dim=60)
    readout = fitted_perception(fast)
    results = measure("learner.updates_per_s.cached", fast, readout, True, options.seconds)
    results |= measure("learner.updates_per_s.uncached", fast, readout, False, options.seconds)
    results |= measure_acting(fast, readout)
    if not options.quick:
        original = profile("original", state_dim=18, action_dim=6)
        maps = trunk_of(original)
        default = profile("default", state_dim=18, action_dim=6)
        results |= measure("learner.default.updates_per_s.cached", default, maps, True, options.seconds)
        results |= measure("learner.original.updates_per_s.cached", original, maps, True, options.seconds)
        results |= measure("learner.original.updates_per_s.uncached", original, maps, False, options.seconds)
        results |= speedup(results)
    text = json.dumps(results, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
