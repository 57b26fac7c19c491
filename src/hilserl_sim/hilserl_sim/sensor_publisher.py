# SPDX-License-Identifier: Apache-2.0
"""Publishes what a robot's controller, gripper and cameras would, and the simulator's ground truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState

from hilserl_msgs.msg import CartesianControllerState, SimGroundTruth
from hilserl_ros import codec, qos, topics
from hilserl_sim.snapshot import Snapshot
from hilserl_task import Task
from hilserl_task.frames import pose_matrix


class SensorPublisher:
    """One publisher a topic; messages of one snapshot carry one stamp."""

    def __init__(self, node: Node, task: Task) -> None:
        self._task = task
        create, sensor = node.create_publisher, qos.sensor(task.pacing)
        self._states = {
            arm.name: create(CartesianControllerState, topics.controller_state(arm.name), sensor)
            for arm in task.arms
        }
        self._grippers = {
            arm.name: create(JointState, topics.gripper_state(arm.name), sensor) for arm in task.arms
        }
        self._images = {camera.name: create(Image, camera.topic, sensor) for camera in task.cameras}
        self._truth = create(SimGroundTruth, topics.SIM_GROUND_TRUTH, qos.SIM_GROUND_TRUTH)

    def publish_state(self, snapshot: Snapshot, episode: int) -> None:
        """Truth first: who answers an observation finds it there."""
        self._truth.publish(_truth_message(snapshot, self._task.arms[0].base_frame, episode))
        for arm in self._task.arms:
            self._grippers[arm.name].publish(_gripper_message(snapshot, arm.name))
            self._states[arm.name].publish(_state_message(snapshot, arm.name, arm.base_frame))

    def publish_images(self, stamp_ns: int, pictures: dict[str, NDArray[np.uint8]]) -> None:
        """Pictures (height, width, 3) uint8 RGB by camera name."""
        for name, picture in pictures.items():
            frame = f"{name}_color_optical_frame"
            self._images[name].publish(codec.image_from_array(picture, stamp_ns, frame))


def _state_message(snapshot: Snapshot, arm: str, base_frame: str) -> CartesianControllerState:
    """Controller state of one arm."""
    measured, law = snapshot.measured[arm], snapshot.law[arm]
    return CartesianControllerState(
        header=codec.header(snapshot.stamp_ns, base_frame),
        pose=codec.pose_from_matrix(measured.base_T_tcp),
        reference=codec.pose_from_matrix(pose_matrix(law.reference_position, law.reference_quaternion)),
        twist=codec.twist_from_vector(measured.twist),
        error=np.asarray(law.error),
        error_clipped=np.asarray(law.error_clipped),
        push_negative=np.asarray(law.push_negative),
        push_positive=np.asarray(law.push_positive),
        external_wrench=codec.wrench_from_vector(measured.wrench),
        commanded_wrench=codec.wrench_from_vector(law.wrench),
        joint_position=codec.floats64(measured.joint_position),
        joint_velocity=codec.floats64(measured.joint_velocity),
        joint_effort=codec.floats64(law.effort),
        target_age=float(law.target_age),
        mode=int(law.mode),
        holding=bool(law.holding),
        wrench_stale=bool(law.wrench_stale),
        limit_flags=np.asarray(law.limit_flags, np.uint8),
        joint_limit_flags=codec.bytes_field(np.asarray(law.joint_limit_flags, np.uint8)),
    )


def _gripper_message(snapshot: Snapshot, arm: str) -> JointState:
    """Gripper opening, 0 closed to 1 open."""
    return JointState(
        header=codec.header(snapshot.stamp_ns),
        name=[f"{arm}_gripper"],
        position=[snapshot.measured[arm].gripper],
        velocity=[0.0],
    )


def _truth_message(snapshot: Snapshot, base_frame: str, episode: int) -> SimGroundTruth:
    """Privileged state."""
    truth = snapshot.truth
    return SimGroundTruth(
        header=codec.header(snapshot.stamp_ns, base_frame),
        episode=episode,
        success=truth.success,
        insertion_depth=truth.insertion_depth,
        base_t_tcp=codec.pose_from_matrix(truth.base_T_tcp),
        base_t_goal=codec.pose_from_matrix(truth.base_T_goal),
        base_t_board=codec.pose_from_matrix(truth.base_T_board),
        frame_names=list(snapshot.frames),
        world_t_frames=[codec.pose_from_matrix(frame) for frame in snapshot.frames.values()],
        kind=truth.kind,
        events=list(snapshot.events),
        gripper_goals=list(snapshot.gripper_goals.values()),
    )
