# SPDX-License-Identifier: Apache-2.0
"""Proprioception and action spaces of a task.

Per arm 18 numbers, none of which tells where the arm is in the base frame (paper, 'relative
observations'; original: relative_env.py): pose relative to the start of the episode, twist and
external wrench, both in the tcp frame. A learned gripper adds its opening (original: gripper_pose), and
`observation.joint_state` the joints' positions and velocities (paper: dynamic tasks), which do tell.
`observation.start_class` adds what the episode began as, which no later picture tells (original: egg_flip).
"""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium
import numpy as np
from numpy.typing import NDArray

from hilserl_task.frames import Array, inverse, position_and_rotvec, rotate_both
from hilserl_task.schema import ArmSpec, Task

STATE_NAMES = (
    *(f"start_position_{axis}_m" for axis in "xyz"),
    *(f"start_rotvec_{axis}_rad" for axis in "xyz"),
    *(f"tcp_linear_velocity_{axis}_mps" for axis in "xyz"),
    *(f"tcp_angular_velocity_{axis}_radps" for axis in "xyz"),
    *(f"tcp_force_{axis}_n" for axis in "xyz"),
    *(f"tcp_torque_{axis}_nm" for axis in "xyz"),
)
START_CLASS_NAME = "reward/start_class"  # 1, -1: first, second of reward.flip_between; 0: not judged yet
GRIPPER_NAME = "gripper_position"  # 0 closed .. 1 open; of learned grippers only


@dataclass(frozen=True)
class ArmReading:
    """Measured state of one arm.

    Attributes:
        base_T_tcp, base_T_start: 4x4 poses now and at step 0.
        twist: (6,) of the tcp in base axes, m/s and rad/s.
        wrench: (6,) external, at and in the tcp frame, N and Nm.
        gripper: measured opening of a learned gripper, 0 closed .. 1 open; None: fixed.
        joints: (2 n,) positions [rad], then velocities [rad/s]; None: not in the state.
    """

    base_T_tcp: Array
    base_T_start: Array
    twist: Array
    wrench: Array
    gripper: float | None = None
    joints: Array | None = None


def state_names(task: Task) -> list[str]:
    """Name of every entry of the state vector, `<arm>/<entry>`."""
    joint_state = task.observation.joint_state
    names = [f"{arm.name}/{name}" for arm in task.arms for name in _arm_names(arm, joint_state)]
    return names + [START_CLASS_NAME] * task.observation.start_class


def _arm_names(arm: ArmSpec, joint_state: bool) -> list[str]:
    names = [*STATE_NAMES, *([GRIPPER_NAME] if arm.gripper.learned else [])]
    return names + (joint_names(arm.joints) if joint_state else [])


def joint_names(joints: int) -> list[str]:
    """Entries of the joints of one arm."""
    numbers = range(1, joints + 1)
    return [f"joint_{n}_position_rad" for n in numbers] + [f"joint_{n}_velocity_radps" for n in numbers]


def state_vector(arms: list[ArmReading], start_class: float | None = None) -> NDArray[np.float32]:
    """Proprioception, float32, as `state_names` names it: 18 numbers an arm, one more with a learned
    gripper, two more a joint with joint state; in the end `start_class`, where the task has it."""
    parts: list[Array] = []
    for arm in arms:
        start_T_tcp = inverse(arm.base_T_start) @ arm.base_T_tcp
        twist = rotate_both(arm.base_T_tcp[:3, :3].T, arm.twist)
        parts += [position_and_rotvec(start_T_tcp), twist, arm.wrench]
        if arm.gripper is not None:
            parts.append(np.array([arm.gripper]))
        if arm.joints is not None:
            parts.append(arm.joints)
    if start_class is not None:
        parts.append(np.array([start_class]))
    return np.concatenate(parts).astype(np.float32)


def observation_space(task: Task) -> gymnasium.spaces.Dict:
    """`state` and one uint8 picture a camera."""
    size = task.observation.image_size
    pictures = {
        camera.name: gymnasium.spaces.Box(0, 255, (size, size, 3), np.uint8) for camera in task.cameras
    }
    state = gymnasium.spaces.Box(-np.inf, np.inf, (len(state_names(task)),), np.float32)
    return gymnasium.spaces.Dict({"state": state, **pictures})


def action_space(task: Task) -> gymnasium.spaces.Box:
    """Normalized actions, [-1, 1]."""
    return gymnasium.spaces.Box(-1.0, 1.0, (task.action_dim,), np.float32)
