# SPDX-License-Identifier: Apache-2.0
"""Does training with stored crops reach the success of fresh crops in every update?

A task small enough to train often on a CPU, with everything of the learner but the ROS graph: a camera of
64 x 64 pixels over a textured plane; two actions move it by up to 6 pixels a step; success, and the only
reward, is to be within 6 pixels of one place of the plane, from up to 24 pixels away in both axes, in 12
steps. The picture is all the policy sees, and a crop moves it by up to 4 pixels. Ten scripted
demonstrations, no interventions; one update cycle per step. The learner is profile `default` on the first
stage of a quarter-width trunk.

    python3 cache_equivalence.py [--seeds 3] [--steps 1000] [--only crop cached2 ...] [--out table.json]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hilserl_learning.evaluation import wilson_interval
from hilserl_learning.feature_cache import FeatureCache
from hilserl_learning.frames import FrameStore
from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.perception import Perception
from hilserl_learning.profiles import profile
from hilserl_learning.replay import ReplayBuffer, slots_for
from hilserl_learning.sac import RLPDAgent
from hilserl_learning.sampling import RLPDSampler

SIZE, RANGE_PX, STEP_PX, NEAR_PX, LENGTH = 64, 24, 6, 6, 12
STATE = np.zeros(18, np.float32)  # proprioception says nothing here
VARIANTS: dict[str, dict[str, Any]] = {
    "crop": {"augmentation": "crop", "dtype": torch.float32},
    "cached2": {"augmentation": "cached", "feature_copies": 2, "dtype": torch.uint8},
    "cached4": {"augmentation": "cached", "feature_copies": 4, "dtype": torch.uint8},
    "cached2_float32": {"augmentation": "cached", "feature_copies": 2, "dtype": torch.float32},
    "none": {"augmentation": "none", "dtype": torch.float32},
}


class Plane:
    """A texture, and a window that moves over it."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        side = SIZE + 2 * RANGE_PX
        coarse = np.random.default_rng(99).uniform(0, 255, (side // 8, side // 8, 3)).astype(np.float32)
        rows = torch.from_numpy(coarse).permute(2, 0, 1)[None]
        self.texture = torch.nn.functional.interpolate(rows, (side, side), mode="bicubic")[0].permute(1, 2, 0)

    def reset(self) -> NDArray[np.uint8]:
        """Starts somewhere that is no success yet."""
        self.steps, self.at = 0, np.zeros(2)
        while np.abs(self.at).max() <= NEAR_PX:
            self.at = self.rng.uniform(-RANGE_PX, RANGE_PX, 2)
        return self.picture()

    def picture(self) -> NDArray[np.uint8]:
        """uint8 [1, SIZE, SIZE, 3], with sensor noise."""
        row, column = (np.rint(self.at).astype(int) + RANGE_PX).tolist()
        window = self.texture[row : row + SIZE, column : column + SIZE].numpy()
        return np.clip(window + self.rng.normal(0, 3, window.shape), 0, 255).astype(np.uint8)[None]

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.uint8], bool, bool]:
        """Next picture, success, out of time."""
        self.at = np.clip(self.at + STEP_PX * action, -RANGE_PX, RANGE_PX)
        self.steps += 1
        success = bool(np.abs(self.at).max() <= NEAR_PX)
        return self.picture(), success, not success and self.steps >= LENGTH


class Trial:
    """One training."""

    def __init__(self, seed: int, augmentation: str, dtype: torch.dtype, feature_copies: int = 1):
        trunk = {"width": 0.25, "stages": 1, "map_size": 8}
        self.perception = Perception(1, "maps", image_size=SIZE, **trunk)  # type: ignore[arg-type]
        self.cfg: LearnerConfig = profile(
            "default", state_dim=18, action_dim=2, n_cameras=1, trunk_width=0.25, trunk_stages=1,
            map_channels=16, map_size=8, augmentation=augmentation, feature_copies=feature_copies,
            batch_size=128, learning_rate=1e-3,
        )  # fmt: skip
        dim, shape = self.perception.feature_dim, (1, SIZE, SIZE, 3)
        frames = FrameStore(slots_for(8000, 8000), 18, dim, shape, feature_copies, dtype, 64, seed=seed)
        self.online, self.demo = (
            ReplayBuffer(8000, 18, dim, 2, shape, frames=frames, gives_images=augmentation == "crop")
            for _ in range(2)
        )
        self.cache = FeatureCache(self.perception, frames) if feature_copies > 1 else None
        self.agent = RLPDAgent(self.cfg, seed, perception=self.perception)
        generator = torch.Generator().manual_seed(seed)
        self.sampler = RLPDSampler.of(self.cfg, self.online, self.demo, generator)
        self.plane, self.seed, self.sequence, self.episode = Plane(seed), seed, 0, 0

    def run_episode(self, buffer: ReplayBuffer | None, scripted: bool = False, learn: bool = False) -> bool:
        """Plays one episode; returns its success."""
        picture, done, success = self.plane.reset(), False, False
        features = self.perception.encode(picture)[0]
        self.episode += 1
        while not done:
            if scripted:
                wanted = -self.plane.at / STEP_PX + self.plane.rng.normal(0, 0.3, 2)
                action = np.clip(wanted, -1, 1).astype(np.float32)
            else:
                action = self.agent.act(STATE, features)
            step, before, seen = self.plane.steps, picture, features
            picture, success, late = self.plane.step(action)
            features, done = self.perception.encode(picture)[0], success or late
            if buffer is not None:
                self.sequence += 1
                end = {"next_state": STATE, "next_features": features, "next_images": picture} if done else {}
                buffer.add_step("plane", self.sequence, self.episode, step, STATE, seen, action,
                                float(success), success, late, images=before, **end)  # fmt: skip
            if learn:
                self.agent.update(self.sampler)
                if self.cache is not None:
                    self.cache.fill(4)
        return success

    def train(self, steps: int, evaluation: int = 100) -> dict[str, Any]:
        """Demonstrations, training, evaluation."""
        for _ in range(10):
            self.run_episode(self.demo, scripted=True)
        first, outcomes, begun = self.sequence, [], time.process_time()
        while self.sequence - first < steps:
            outcomes.append(self.run_episode(self.online, learn=True))
        cpu = time.process_time() - begun
        self.plane.rng = np.random.default_rng(10_000 + self.seed)  # the same starts for every variant
        successes = sum(self.run_episode(None) for _ in range(evaluation))
        return {"success": successes, "of": evaluation, "training_success": float(np.mean(outcomes)),
                "last_30": float(np.mean(outcomes[-30:])), "cpu_s": round(cpu, 1)}  # fmt: skip


def main() -> None:
    """Trains every variant with every seed and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1000, help="environment steps = update cycles")
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    for seed in range(options.seeds):
        for name in options.only:
            table[name].append(Trial(seed, **VARIANTS[name]).train(options.steps))
            print(f"seed {seed} {name:16} {table[name][-1]}", flush=True)
    for name, rows in table.items():
        hits, tries = sum(row["success"] for row in rows), sum(row["of"] for row in rows)
        low, high = wilson_interval(hits, tries)
        cpu = np.mean([row["cpu_s"] for row in rows])
        print(f"{name:16} success {hits}/{tries} (95 %: {low:.3f} to {high:.3f}), CPU {cpu:.0f} s a training")
    if options.out:
        options.out.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
