# SPDX-License-Identifier: Apache-2.0
"""What an arm is told, as its controller wants to hear it."""

from __future__ import annotations

from std_msgs.msg import Header

from hilserl_msgs.msg import CartesianTarget
from hilserl_ros import codec
from hilserl_task.action_codec import ArmTarget

_FRAMES = {"base": CartesianTarget.WRENCH_FRAME_BASE, "tcp": CartesianTarget.WRENCH_FRAME_TCP}


def target_message(target: ArmTarget, header: Header) -> CartesianTarget:
    """Mode POSE, or mode WRENCH.

    Raises:
        ValueError: not finite.
    """
    if target.base_T_target is not None:
        pose = codec.pose_from_matrix(target.base_T_target)
        return CartesianTarget(header=header, mode=CartesianTarget.MODE_POSE, pose=pose)
    assert target.wrench is not None
    return CartesianTarget(
        header=header,
        mode=CartesianTarget.MODE_WRENCH,
        wrench=codec.wrench_from_vector(target.wrench),
        wrench_frame=_FRAMES[target.frame],
    )
