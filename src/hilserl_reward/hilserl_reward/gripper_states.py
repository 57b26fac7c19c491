# SPDX-License-Identifier: Apache-2.0
"""Commanded states of the grippers at frames of an episode, from its executed actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilserl_task import Task
from hilserl_task.gripper import commanded_open


def gripper_states(
    task: Task, actions: Mapping[int, ArrayLike], steps: Sequence[int]
) -> NDArray[np.bool_] | None:
    """Whether each arm's gripper was commanded open when frames were seen, [N, arms].

    Args:
        actions: executed values by step.
        steps: of the frames, in order.

    Returns:
        None where no gripper is learned, or an action before the last frame is missing or of another size.
    """
    if not task.action_layout.gripper_columns or not len(steps):
        return None
    rows = [actions.get(step) for step in range(max(steps))]
    if any(row is None or len(np.ravel(row)) != task.action_dim for row in rows):
        return None
    return commanded_open(task, np.array(rows))[list(steps)]
