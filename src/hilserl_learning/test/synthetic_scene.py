# SPDX-License-Identifier: Apache-2.0
"""A textured plane seen by two cameras that move with the tcp: enough to fit read-outs and classifiers on."""

import numpy as np


def smooth_texture(rng: np.random.Generator, size: int) -> np.ndarray:
    coarse = rng.uniform(0, 255, (size // 8, size // 8, 3)).repeat(8, 0).repeat(8, 1)
    kernel = np.ones(9) / 9
    for axis in (0, 1):
        coarse = np.apply_along_axis(lambda line: np.convolve(line, kernel, "same"), axis, coarse)
    return coarse


def scene(episodes: int, frames: int, seed: int = 0):
    """Pictures [N, 2, 128, 128, 3], goal_T_tcp [N, 6] with x, y in 1.5 cm, episodes [N].

    One pixel is 1 mm for camera 1; camera 2 sees it turned by 90 degrees. Light differs per episode.
    """
    rng = np.random.default_rng(seed)
    textures = [smooth_texture(rng, 176) for _ in range(2)]
    images, poses, groups = [], [], []
    for episode in range(episodes):
        light = rng.normal(0, 8, 3)
        for _ in range(frames):
            x, y = rng.integers(-15, 16, 2)
            views = [t[20 + y : 148 + y, 20 + x : 148 + x] for t in textures]
            views[1] = np.rot90(views[1])
            noise = rng.normal(0, 3, (2, 128, 128, 3))
            images.append(np.clip(np.stack(views) + light + noise, 0, 255).astype(np.uint8))
            poses.append([x * 1e-3, y * 1e-3, 0, 0, 0, 0])
            groups.append(episode)
    return np.stack(images), np.array(poses) + rng.normal(0, 1e-4, (len(poses), 6)), np.array(groups)
