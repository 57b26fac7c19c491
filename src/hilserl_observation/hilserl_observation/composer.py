# SPDX-License-Identifier: Apache-2.0
"""Makes the Observation message of a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilserl_msgs.msg import ArmState, CartesianControllerState, Observation, Reward
from hilserl_observation.assembler import Step
from hilserl_ros import codec, topics
from hilserl_task import Task
from hilserl_task.frames import Array
from hilserl_task.spaces import ArmReading, state_vector


@dataclass(frozen=True)
class ArmSample:
    """A controller state whose numbers are known to be finite. Units and frames as in ArmReading."""

    message: CartesianControllerState
    base_T_tcp: Array
    twist: Array
    wrench: Array
    joints: Array

    @staticmethod
    def of(message: CartesianControllerState, joints: int | None = None) -> ArmSample:
        """Checks and decodes a message.

        Args:
            joints: number of joints that the state needs; None: none of them.

        Raises:
            ValueError: NaN or infinite pose, twist, wrench or joints; quaternion of length zero; another
                number of joints than the state needs.
        """
        positions = codec.finite("joint_position", message.joint_position, joints)
        velocities = codec.finite("joint_velocity", message.joint_velocity, joints)
        return ArmSample(
            message=message,
            base_T_tcp=codec.matrix_from_pose(message.pose),
            twist=codec.vector_from_twist(message.twist),
            wrench=codec.vector_from_wrench(message.external_wrench),
            joints=np.concatenate([positions, velocities]),
        )


class Composer:
    """Remembers start poses, gripper positions and what the episode began as; everything else is in the step.

    Attributes:
        gripper_positions: by arm, 0 closed .. 1 open; the task's until a gripper reports.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._starts: dict[str, Array] = {}
        self._joint_state = task.observation.joint_state
        self._start_class: float | None = None
        self._episode = -1
        self._learned_grippers = {arm.name for arm in task.arms if arm.gripper.learned}
        self.gripper_positions = {arm.name: arm.gripper.position for arm in task.arms}

    def observation(self, step: Step) -> Observation:
        """The message; step 0 defines the start poses of its episode."""
        parts = step.sensors.parts
        samples: dict[str, ArmSample] = {
            arm.name: parts[topics.controller_state(arm.name)].value for arm in self._task.arms
        }
        if step.first:
            self._episode = step.episode
            self._start_class = 0.0 if self._task.observation.start_class else None
            self._starts = {name: sample.base_T_tcp for name, sample in samples.items()}
        pictures = [(camera.name, parts[camera.input_topic]) for camera in self._task.cameras]
        return Observation(
            header=codec.header(step.sensors.stamp_ns, self._task.arms[0].base_frame),
            episode=step.episode,
            step=step.step,
            arms=[self._arm_state(name, sample) for name, sample in samples.items()],
            camera_names=[name for name, _ in pictures],
            images=[codec.image_from_array(part.value, part.stamp_ns, name) for name, part in pictures],
            state=codec.floats32(self._proprioception(samples)),
        )

    def take_reward(self, message: Reward) -> None:
        """Remembers what the classifier makes of step 0 of this episode, if the task asks for it."""
        pair = self._task.reward.flip_between
        if self._start_class is None or pair is None or (message.episode, message.step) != (self._episode, 0):
            return
        likeliest = likeliest_class(message)
        self._start_class = {pair[0]: 1.0, pair[1]: -1.0}.get(likeliest, 0.0)

    def _proprioception(self, samples: dict[str, ArmSample]) -> NDArray[np.float32]:
        readings = [
            ArmReading(
                sample.base_T_tcp,
                self._starts[name],
                sample.twist,
                sample.wrench,
                self.gripper_positions[name] if name in self._learned_grippers else None,
                sample.joints if self._joint_state else None,
            )
            for name, sample in samples.items()
        ]
        return state_vector(readings, self._start_class)

    def _arm_state(self, name: str, sample: ArmSample) -> ArmState:
        return ArmState(
            name=name,
            pose=sample.message.pose,
            start_pose=codec.pose_from_matrix(self._starts[name]),
            twist=sample.message.twist,
            wrench=sample.message.external_wrench,
            joint_position=sample.message.joint_position,
            joint_velocity=sample.message.joint_velocity,
            gripper_position=self.gripper_positions[name],
        )


def likeliest_class(message: Reward) -> str:
    """Name of the class with the highest probability; empty without classes, or when they do not fit."""
    names, values = list(message.class_names), np.array(message.class_probabilities, float)
    if not names or len(names) != len(values) or not np.isfinite(values).all():
        return ""
    return names[int(values.argmax())]
