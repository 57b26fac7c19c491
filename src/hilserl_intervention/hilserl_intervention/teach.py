# SPDX-License-Identifier: Apache-2.0
"""Writes the pose in which the task is done into the task file, from where the arm is now."""

from __future__ import annotations

import argparse
import sys
import time

import rclpy
from rclpy.node import Node
from scipy.spatial.transform import Rotation

from hilserl_msgs.msg import CartesianControllerState
from hilserl_ros import codec, qos, topics
from hilserl_task import TaskError, load_task
from hilserl_task.completion import complete_with_shell
from hilserl_task.edit import edit_task_file, with_value
from hilserl_task.frames import Array
from hilserl_task.loader import find_task_file
from hilserl_task.reset_spec import TaughtPose

PATIENCE_S = 5.0
SAMPLES = 20
STILL_M = 0.001  # an arm that moves more than this meanwhile is not taught


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the executable `teach`; exit code 2 with one line on bad input."""
    options = _parse(arguments)
    try:
        task = load_task(options.task, options.set)
        names = [arm.name for arm in task.arms]
        if options.arm not in (None, *names):
            raise TaskError(
                f"--arm: '{options.arm}' is not one of the arms {names}; example: --arm {names[0]}"
            )
        for name in [options.arm] if options.arm else names:
            _teach(options.task, name)
    except TaskError as error:
        print(f"teach: {error}", file=sys.stderr)
        return 2
    return 0


def _teach(task: str, arm: str) -> None:
    base_T_tcp = _measure(arm)
    pose = {
        "position_m": [round(float(value), 5) for value in base_T_tcp[:3, 3]],
        "rotation_rad": [round(float(v), 5) for v in Rotation.from_matrix(base_T_tcp[:3, :3]).as_rotvec()],
    }
    path = find_task_file(task)
    taught = TaughtPose.model_validate(pose)
    edit_task_file(
        path,
        lambda text: with_value(text, ("reset", "taught_poses", arm), pose),
        lambda changed: changed.reset.taught_poses.get(arm) == taught,
        f"reset: {{taught_poses: {{{arm}: {pose}}}}}",
    )
    print(f"teach: {path}: reset.taught_poses.{arm}: {pose}")


def _measure(arm: str) -> Array:
    """base_T_tcp (4x4) of an arm at rest.

    Raises:
        TaskError: no controller speaks, or the arm moves.
    """
    rclpy.init()
    node = Node("teach")
    poses: list[Array] = []

    def on_state(message: CartesianControllerState) -> None:
        poses.append(codec.matrix_from_pose(message.pose))

    topic = topics.controller_state(arm)
    node.create_subscription(CartesianControllerState, topic, on_state, qos.sensor("realtime"))
    deadline = time.monotonic() + PATIENCE_S
    try:
        while len(poses) < SAMPLES and time.monotonic() < deadline:
            rclpy.spin_once(node, timeout_sec=0.1)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    if len(poses) < SAMPLES:
        raise TaskError(
            f"{topic}: {len(poses)} states in {PATIENCE_S:g} s; is the controller of arm '{arm}' active?"
        )
    spread = max(float(abs(pose[:3, 3] - poses[-1][:3, 3]).max()) for pose in poses)
    if spread > STILL_M:
        raise TaskError(f"arm '{arm}' moves ({1e3 * spread:.1f} mm); hold it still and teach again")
    return poses[-1]


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="teach", description=__doc__)
    parser.add_argument("--task", required=True, metavar="NAME", help="name or path of the task file")
    parser.add_argument("--arm", metavar="NAME", help="only this arm (default: all of the task)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=c", help="change a key of the task"
    )
    complete_with_shell(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
