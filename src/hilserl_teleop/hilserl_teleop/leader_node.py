# SPDX-License-Identifier: Apache-2.0
"""A leader arm as input device: the follower makes the leader's movements.

ros2 run hilserl_teleop leader --ros-args -p task:=my_task
"""

from __future__ import annotations

import time
from collections import deque

import numpy as np
from geometry_msgs.msg import PoseStamped
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import JointState, Joy

from hilserl_ros import codec, qos
from hilserl_ros.node import WARN, HilserlNode, run
from hilserl_task import TaskError
from hilserl_task.action_spec import ActionSpec
from hilserl_task.device_spec import DeviceSpec
from hilserl_task.frames import Array, rotate_both
from hilserl_teleop.chain import Chain
from hilserl_teleop.device_node import DeviceNode
from hilserl_teleop.driver import Driver

SILENT_S = 0.15  # neutral within 0.2 s
ROUNDING_S = 1e-6
DEADBAND = 0.05  # of one step: encoders of a leader at rest flicker


class Movement:
    """Turns poses of the leader into stick deflection.

    The stick asks for a displacement per step, so the deflection is what the leader's hand moved within the
    last step, in units of what a full stick moves: the follower makes the same movement, until the leader is
    faster than a full stick. What is beyond that is not caught up: the two need not stand in the same pose.

    Args:
        action: what a full stick means.
        period_s: one step.
        hand_axes: deflection in the axes of the leader's hand (operator.frame: tcp), else of its base.
    """

    def __init__(self, action: ActionSpec, period_s: float, hand_axes: bool) -> None:
        self._scales = np.repeat([action.translation_scale_m, action.rotation_scale_rad], 3)
        self._period_s, self._hand_axes = period_s, hand_axes
        self._poses: deque[tuple[float, Array]] = deque()

    def reset(self) -> None:
        """Forgets the past: after a silence, the way moved meanwhile is not caught up."""
        self._poses.clear()

    def deflection(self, now_s: float, base_T_hand: Array) -> Array:
        """(6,) of the newest pose; zero until a whole step has been seen."""
        self._poses.append((now_s, base_T_hand))
        while len(self._poses) > 1 and now_s - self._poses[1][0] > self._period_s - ROUNDING_S:
            self._poses.popleft()
        then_s, base_T_then = self._poses[0]
        if now_s - then_s < self._period_s - ROUNDING_S:
            return np.zeros(6)
        turned = Rotation.from_matrix(base_T_hand[:3, :3] @ base_T_then[:3, :3].T).as_rotvec()
        moved = np.concatenate([base_T_hand[:3, 3] - base_T_then[:3, 3], turned])
        moved *= self._period_s / (now_s - then_s)
        if self._hand_axes:
            moved = rotate_both(base_T_hand[:3, :3].T, moved)
        return moved / self._scales


class LeaderDriver(Driver):
    """Poses, or joint positions and a URDF, of a leader arm; its buttons from a Joy topic.

    Args:
        node: subscribes on its behalf.
        spec: of a device with a `leader` section.
        movement: turns its poses into deflection.

    Raises:
        TaskError: the URDF is not usable.
    """

    deadband = DEADBAND
    silent_s = SILENT_S

    def __init__(self, node: HilserlNode, spec: DeviceSpec, movement: Movement) -> None:
        super().__init__()
        leader = spec.leader
        assert leader is not None  # the task file's check
        self._node, self._movement = node, movement
        self._positions: dict[str, float] = {}
        self._poses: list[tuple[float, Array]] = []
        self._heard_s = -np.inf
        self._tapped: frozenset[str] = frozenset()
        if leader.joint_topic is not None:
            self._chain = Chain(leader.urdf or "", leader.base, leader.tip)
            node.create_subscription(JointState, leader.joint_topic, self._on_joints, qos.sensor("realtime"))
        else:
            node.create_subscription(PoseStamped, leader.pose_topic, self._on_pose, qos.sensor("realtime"))
        if leader.joy_topic is not None:
            node.create_subscription(Joy, leader.joy_topic, self._on_joy, qos.TELEOP)
        self.title = str(leader.joint_topic or leader.pose_topic)

    def poll(self, now_s: float) -> bool:
        """Takes in all poses."""
        poses, self._poses = self._poses, []
        for at_s, pose in poses:
            if at_s - self._heard_s > SILENT_S:
                self._movement.reset()
            self._heard_s = at_s
            self.axes = self._movement.deflection(at_s, pose)
        self.tapped, self._tapped = self._tapped, frozenset()
        return bool(poses)

    def _on_pose(self, message: PoseStamped) -> None:
        try:
            self._poses.append((time.monotonic(), codec.matrix_from_pose(message.pose)))
        except ValueError as error:
            self._node.diagnose(WARN, "leader pose unusable", reason=error)

    def _on_joints(self, message: JointState) -> None:
        """Some drivers publish the gripper apart, so a message need not have all joints."""
        try:
            positions = codec.finite("position", message.position, len(message.name))
        except ValueError as error:
            self._node.diagnose(WARN, "leader joints unusable", reason=error)
            return
        self._positions.update(zip(message.name, positions.tolist(), strict=True))
        missing = [name for name in self._chain.joint_names if name not in self._positions]
        if missing:
            self._node.diagnose(WARN, "leader joints missing", joints=missing, published=list(message.name))
        elif not set(message.name).isdisjoint(self._chain.joint_names):
            self._poses.append((time.monotonic(), self._chain.base_T_tip(self._positions)))

    def _on_joy(self, message: Joy) -> None:
        before = self.pressed
        self.pressed = frozenset(str(number) for number, level in enumerate(message.buttons) if level)
        self._tapped |= self.pressed - before


class LeaderNode(DeviceNode):
    """Leader arm."""

    def __init__(self) -> None:
        super().__init__("leader")

    def make_driver(self, spec: DeviceSpec) -> Driver:
        """Scaled for the arm it moves."""
        arms = {arm.name: arm for arm in self.task.arms}
        if spec.arm is None and len(arms) > 1:
            raise TaskError(
                f"operator.devices: a leader moves one arm, the task has {list(arms)}; "
                f"example: {{driver: leader, arm: {next(iter(arms))}}}"
            )
        arm = arms[spec.arm] if spec.arm else self.task.arms[0]
        if arm.action.type == "wrench":
            raise TaskError(
                f"operator.devices: a leader makes movements, but arm '{arm.name}' has action.type: wrench; "
                "use a stick, e.g. {driver: spacenav}"
            )
        movement = Movement(arm.action, self.task.period_s, self.task.operator.frame == "tcp")
        return LeaderDriver(self, spec, movement)


def main() -> None:
    """Entry point of the executable `leader`."""
    run(LeaderNode)


if __name__ == "__main__":
    main()
