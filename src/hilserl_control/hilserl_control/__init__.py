# SPDX-License-Identifier: Apache-2.0
"""The control law as a Python module: what the simulated arm runs is what a ros2_control plugin runs."""

from ._hilserl_control import (
    JOINT_LIMIT_EFFORT,
    JOINT_LIMIT_POSITION,
    JOINT_LIMIT_RATE,
    LIMIT_CLIP,
    LIMIT_INVALID_TARGET,
    LIMIT_SPEED,
    LIMIT_WORKSPACE,
    LIMIT_WRENCH_CAP,
    MAX_JOINTS,
    CartesianImpedance,
    ControllerConfig,
    Gains,
    State,
)

__all__ = [
    "JOINT_LIMIT_EFFORT",
    "JOINT_LIMIT_POSITION",
    "JOINT_LIMIT_RATE",
    "LIMIT_CLIP",
    "LIMIT_INVALID_TARGET",
    "LIMIT_SPEED",
    "LIMIT_WORKSPACE",
    "LIMIT_WRENCH_CAP",
    "MAX_JOINTS",
    "CartesianImpedance",
    "ControllerConfig",
    "Gains",
    "State",
]
