# SPDX-License-Identifier: Apache-2.0
"""Two ways to move that check a scene: an expert that knows the goal, and a blind push straight down."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hilserl_sim.world import SimWorld
from hilserl_task.action_codec import target_pose
from hilserl_task.frames import Array, inverse, position_and_rotvec

ALIGNED_M, ALIGNED_RAD = 0.0012, 0.012
HOVER_M = 0.006  # above the rim while aligning


def expert_action(world: SimWorld, rng: np.random.Generator, noise_m: float) -> Array:
    """(6,) action in the tcp frame: above the slot, align, then down with small sideways wiggles."""
    truth, scale = world.truth(), world.task.arms[0].action
    tcp_T_goal = inverse(truth.base_T_tcp) @ truth.base_T_goal
    error = position_and_rotvec(tcp_T_goal)
    sideways = error[:2] + rng.normal(0.0, noise_m, 2)
    aligned = np.abs(error[:2]).max() < ALIGNED_M and abs(error[5]) < ALIGNED_RAD
    # How far the edge is above HOVER_M over the rim; negative: go up.
    to_hover = -truth.insertion_depth - HOVER_M
    down = error[2] if aligned or truth.insertion_depth > 0.001 else to_hover
    action = np.zeros(6)
    action[:3] = np.append(sideways, down) / scale.translation_scale_m
    action[3:] = error[3:] / scale.rotation_scale_rad
    return np.clip(action, -1.0, 1.0)


def blind_action(world: SimWorld, rng: np.random.Generator, noise_m: float) -> Array:
    """(6,) action straight down, whatever is there."""
    return np.array([0, 0, 1.0, 0, 0, 0])


def run_episode(
    world: SimWorld,
    seed: int,
    act: Callable[[SimWorld, np.random.Generator, float], Array],
    noise_m: float = 0.0,
    moved: bool = False,
) -> int | None:
    """Resets, then acts. Steps until success, or None when the episode's length is not enough."""
    rng = np.random.default_rng(seed)
    world.reset(rng, board_moved=moved)
    for step in range(world.task.episode.max_steps):
        action = act(world, rng, noise_m)
        world.set_target(target_pose(world.measure().base_T_tcp, action, world.task.arms[0].action))
        world.advance(world.task.cycles_per_step)
        if world.truth().success:
            return step + 1
    return None
