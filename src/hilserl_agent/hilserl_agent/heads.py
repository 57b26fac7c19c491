# SPDX-License-Identifier: Apache-2.0
"""Which poses the read-out of a task tells: one an arm; with a learned gripper one for each of its states.

Open, the next thing to reach is the pose at which the gripper closes; closed, the pose at which it opens or
at which the task is done. A grasp changes how the object sits in the hand, so each has a goal of its own.
An arm that throws or strikes (wrench actions) has none: its task is not done at a pose.
"""

from __future__ import annotations

from dataclasses import dataclass

from hilserl_learning.pose_targets import NearGoal
from hilserl_task import Task
from hilserl_task.gripper import starts_open

# A grasped object is carried over the whole scene, and beyond the frames it was fitted on a linear map does
# not even point to the goal: fitted within 3 cm of it, the closed head of USB insertion is off by 48 mm when
# 6 to 9 cm away; fitted on all frames, by 3 mm there and by 1.6 instead of 1.2 mm in the last centimetre.
GRASP_REGION = NearGoal(0.25, 0.25, 0.8)


@dataclass(frozen=True)
class Head:
    """One pose of the read-out.

    Attributes:
        name: `<arm>`, `<arm>/open` or `<arm>/closed`.
        arm: number of the arm, task-file order.
        gripper_open: commanded state for which it is right; None: the gripper is fixed.
        region: around its goal, in which it is fitted.
        needed: every run of the task has to show it. A gripper that starts closed may never close.
    """

    name: str
    arm: int
    gripper_open: bool | None
    region: NearGoal
    needed: bool = True


def heads_of(task: Task) -> tuple[Head, ...]:
    """All heads of a task, by arm, open before closed."""
    heads: list[Head] = []
    for number, arm in enumerate(task.arms):
        if arm.action.type == "wrench":
            continue
        if arm.gripper.learned:
            opens = starts_open(arm.gripper)
            heads.append(Head(f"{arm.name}/open", number, True, GRASP_REGION, needed=opens))
            heads.append(Head(f"{arm.name}/closed", number, False, GRASP_REGION))
        else:
            heads.append(Head(arm.name, number, None, NearGoal()))
    return tuple(heads)
