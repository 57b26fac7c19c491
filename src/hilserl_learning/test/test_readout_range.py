# SPDX-License-Identifier: Apache-2.0
"""Which frames a read-out is fitted on."""

import numpy as np

from hilserl_learning.pose_targets import FEW_FRAMES, NearGoal


def test_far_frames_are_left_out_unless_there_is_little_else():
    targets = np.zeros((FEW_FRAMES + 3, 6))
    targets[0, 0], targets[1, 2], targets[2, 5] = 0.05, -0.1, 0.5
    near = NearGoal().holds(targets)
    assert near.tolist() == [False] * 3 + [True] * FEW_FRAMES
    assert NearGoal().holds(targets[:50]).all()
