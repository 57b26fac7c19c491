# SPDX-License-Identifier: Apache-2.0
"""What a scripted person sees, from an observation and the simulator's truth of the same moment."""

from __future__ import annotations

from collections.abc import Sequence

from hilserl_msgs.msg import Observation, SimGroundTruth
from hilserl_ros import codec
from hilserl_task.gripper import THRESHOLD
from hilserl_teleop.craft import View


def view_from_messages(arms: Sequence[str], observation: Observation, truth: SimGroundTruth) -> View:
    """The view of a moment.

    Args:
        arms: names, in the task's order.

    Raises:
        ValueError: an arm or its base is missing, or a pose is none.
    """
    world_T = {
        name: codec.matrix_from_pose(pose)
        for name, pose in zip(truth.frame_names, truth.world_t_frames, strict=True)
    }
    states = {arm.name: arm for arm in observation.arms}
    for arm in arms:
        if arm not in states:
            raise ValueError(f"observation: no arm '{arm}' among {list(states)}")
        if f"{arm}/base" not in world_T:
            raise ValueError(f"truth: no frame '{arm}/base' among {list(world_T)}")
    if len(truth.gripper_goals) != len(arms):
        raise ValueError(f"truth: {len(truth.gripper_goals)} gripper goals, must be {len(arms)}, one an arm")
    goals = dict(zip(arms, truth.gripper_goals, strict=True))
    return View(
        step=int(observation.step),
        world_T_tcp={arm: world_T[f"{arm}/base"] @ codec.matrix_from_pose(states[arm].pose) for arm in arms},
        opening={arm: float(states[arm].gripper_position) for arm in arms},
        hand_open={arm: goals[arm] >= THRESHOLD for arm in arms},
        world_T=world_T,
        world_T_goal=world_T[f"{arms[0]}/base"] @ codec.matrix_from_pose(truth.base_t_goal),
        depth=float(truth.insertion_depth),
        success=bool(truth.success),
        kind=str(truth.kind),
    )
