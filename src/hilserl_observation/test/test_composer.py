# SPDX-License-Identifier: Apache-2.0
"""The observation of two arms."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from hilserl_msgs.msg import CartesianControllerState, Reward
from hilserl_observation.assembler import Part, SensorSet, Step
from hilserl_observation.composer import ArmSample, Composer
from hilserl_ros import codec, topics
from hilserl_task import load_task
from hilserl_task.spaces import state_names

CONFIG = Path(__file__).resolve().parents[3] / "config" / "tasks" / "ram_insertion.yaml"


def two_arms(tmp_path):
    data = yaml.safe_load(CONFIG.read_text())
    first = data["arms"][0]
    data["arms"] = [{**first, "name": name} for name in ("left", "right")]
    data["cameras"] = [{"name": name, "arm": name} for name in ("left", "right")]
    path = tmp_path / "two_arms.yaml"
    path.write_text(yaml.safe_dump(data))
    return load_task(str(path))


def arm(yaw: float) -> ArmSample:
    base_T_tcp = np.eye(4)
    base_T_tcp[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    return ArmSample.of(CartesianControllerState(pose=codec.pose_from_matrix(base_T_tcp)))


def test_defect_d5_each_gripper_is_read_at_its_own_arm_at_reset_as_in_every_step(tmp_path):
    """D5: at reset the original's handover task read the right arm's yaw for its gripper (column 19 for 13).
    Here grippers are named, and no state vector holds one."""
    task = two_arms(tmp_path)
    composer = Composer(task)
    composer.gripper_positions |= {"left": 0.25, "right": 0.75}
    picture = np.zeros((128, 128, 3), np.uint8)
    for step, yaws in enumerate([(0.0, 0.0), (0.1, 0.4)]):
        parts = {camera.input_topic: Part(1, picture) for camera in task.cameras}
        parts |= {
            topics.controller_state(name): Part(1, arm(yaw))
            for name, yaw in zip(("left", "right"), yaws, strict=True)
        }
        message = composer.observation(Step(0, step, SensorSet(parts)))
        assert [(a.name, a.gripper_position) for a in message.arms] == [("left", 0.25), ("right", 0.75)]
        state = dict(zip(state_names(task), message.state, strict=True))
        assert {name: round(state[f"{name}/start_rotvec_z_rad"], 6) for name in ("left", "right")} == {
            "left": yaws[0],
            "right": yaws[1],
        }
        assert not any("gripper" in name for name in state)


def flipping_step(task, episode, step):
    message = CartesianControllerState(pose=codec.pose_from_matrix(np.eye(4)))
    message.joint_position = message.joint_velocity = [0.0] * 7
    parts = {camera.input_topic: Part(1, np.zeros((128, 128, 3), np.uint8)) for camera in task.cameras}
    parts[topics.controller_state("arm")] = Part(1, ArmSample.of(message, 7))
    return Step(episode, step, SensorSet(parts))


def test_the_state_tells_what_the_episode_began_as_once_it_was_judged():
    task = load_task("object_flipping")
    composer = Composer(task)

    def seen(episode, step):
        return composer.observation(flipping_step(task, episode, step)).state[
            state_names(task).index("reward/start_class")
        ]

    def judge(episode, step, probabilities):
        names = ["side_a", "side_b", "lost"]
        composer.take_reward(
            Reward(episode=episode, step=step, class_names=names, class_probabilities=probabilities)
        )

    assert seen(4, 0) == 0.0
    judge(4, 0, [0.1, 0.8, 0.1])
    judge(4, 1, [0.9, 0.1, 0.0])  # later ones change nothing
    judge(3, 0, [0.9, 0.1, 0.0])  # nor late ones
    assert [seen(4, step) for step in (1, 2)] == [-1.0, -1.0]
    assert seen(5, 0) == 0.0
    judge(5, 0, [0.8, 0.1, 0.1])
    assert seen(5, 1) == 1.0
    for nothing in ([0.1, 0.1, 0.8], [0.8, 0.2], [float("nan"), 0.5, 0.5], []):
        seen(6, 0)
        judge(6, 0, nothing)
        assert seen(6, 1) == 0.0


def test_joints_enter_the_state_where_the_task_wants_them_and_must_be_complete():
    task = load_task("ram_insertion", ["observation.joint_state=true"])
    message = CartesianControllerState(pose=codec.pose_from_matrix(np.eye(4)))
    message.joint_position, message.joint_velocity = [0.1 * n for n in range(7)], [float(n) for n in range(7)]
    parts = {camera.input_topic: Part(1, np.zeros((128, 128, 3), np.uint8)) for camera in task.cameras}
    parts[topics.controller_state("arm")] = Part(1, ArmSample.of(message, 7))
    state = Composer(task).observation(Step(0, 0, SensorSet(parts))).state
    named = dict(zip(state_names(task), state, strict=True))
    for number in range(1, 8):
        assert named[f"arm/joint_{number}_position_rad"] == pytest.approx(0.1 * (number - 1))
        assert named[f"arm/joint_{number}_velocity_radps"] == pytest.approx(number - 1)
    message.joint_velocity = [0.0] * 6
    with pytest.raises(ValueError, match="joint_velocity: 6 numbers, must be 7"):
        ArmSample.of(message, 7)
    ArmSample.of(message)  # without joints in the state their number means nothing
