# SPDX-License-Identifier: Apache-2.0
"""Where every episode began: `run_dir/metrics/starts.jsonl`, one line an episode.

Proprioception is relative to the start of the episode; with this line it can be put back into the base frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geometry_msgs.msg import Pose

from hilserl_agent.metrics import append_row
from hilserl_msgs.msg import Observation

STARTS = Path("metrics") / "starts.jsonl"


def start_poses(observation: Observation) -> dict[str, list[float]]:
    """base_T_start of every arm: x, y, z [m] and quaternion x, y, z, w."""
    return {arm.name: pose_list(arm.start_pose) for arm in observation.arms}


def pose_list(pose: Pose) -> list[float]:
    """x, y, z [m] and quaternion x, y, z, w of a pose, to 1e-6."""
    p, q = pose.position, pose.orientation
    return [round(float(value), 6) for value in (p.x, p.y, p.z, q.x, q.y, q.z, q.w)]


def write_start(run_dir: Path, observation: Observation, **about: Any) -> None:
    """Appends the line of the episode that begins with this observation.

    Args:
        about: actor_id, phase, seed of the reset, ...

    Raises:
        OSError: disk full or not writable.
    """
    row = {**about, "episode": int(observation.episode), "base_T_start": start_poses(observation)}
    append_row(run_dir / STARTS, row)
