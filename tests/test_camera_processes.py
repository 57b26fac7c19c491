# SPDX-License-Identifier: Apache-2.0
"""Camera processes as the bring-up starts them: from a device path to the pictures of an observation."""

import signal
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilserl_bringup.commands import command
from hilserl_bringup.node_specs import RunContext, graph_specs
from hilserl_msgs.msg import CartesianControllerState, Observation
from hilserl_msgs.srv import BeginEpisode
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph, own_domain
from hilserl_task import load_task

ROBOT = ("scene=null", "pacing=realtime", "operator.kind=spacenav", "operator.interventions=false")


def write_clip(path, rgb):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (96, 64))
    for _ in range(90):
        writer.write(np.full((64, 96, 3), rgb[::-1], np.uint8))
    writer.release()
    return path


@pytest.fixture
def processes(tmp_path):
    """The observation and the camera processes of a training with two cameras, one of them compressed."""
    red, blue = write_clip(tmp_path / "red.avi", (200, 0, 0)), write_clip(tmp_path / "blue.avi", (0, 0, 200))
    crop = "crop: {left: 16, top: 0, right: 80, bottom: 64}"
    overrides = (
        *ROBOT,
        f"cameras=[{{name: front, driver: v4l2, device: {red}, {crop}}}, "
        f"{{name: side, driver: v4l2, device: {blue}, transport: compressed}}]",
    )
    own_domain()
    task = load_task("ram_insertion", overrides)
    specs = graph_specs(task, "train", RunContext("ram_insertion", tmp_path, overrides=overrides))
    chosen = [spec for spec in specs if spec.package in ("hilserl_cameras", "hilserl_observation")]
    started = [subprocess.Popen(command(spec, tmp_path), stderr=subprocess.DEVNULL) for spec in chosen]
    yield [spec.name for spec in chosen], started
    for process in started:
        process.kill()


def test_pictures_of_two_camera_processes_meet_in_one_observation(processes):
    names, started = processes
    assert names == ["v4l2_front", "v4l2_side", "observation"]
    with RosGraph() as graph:
        peer = graph.peer()
        arm = peer.create_publisher(
            CartesianControllerState, topics.controller_state("arm"), qos.sensor("realtime")
        )
        clock = peer.get_clock()

        def state():
            pose = codec.pose_from_matrix(np.eye(4))
            now = codec.header(clock.now().nanoseconds)
            arm.publish(
                CartesianControllerState(
                    header=now, pose=pose, joint_position=[0.0] * 7, joint_velocity=[0.0] * 7
                )
            )

        peer.create_timer(0.02, state)
        seen = peer.collect(Observation, topics.OBSERVATION, qos.OBSERVATION)
        front, side = topics.camera_image("arm", "front"), topics.camera_image("arm", "side")
        graph.connect(peer, {front: "publisher", f"{side}/compressed": "publisher"}, 60)
        client = peer.create_client(BeginEpisode, topics.BEGIN_EPISODE)
        request = BeginEpisode.Request(episode=3, not_before=codec.stamp_from_ns(clock.now().nanoseconds))
        graph.spin_until(client.service_is_ready, 30, "observation node")
        reply = graph.call(client, request, 30)
        assert reply.accepted, reply.message
        graph.spin_until(lambda: len(seen) >= 5, what="observations")
        assert seen[0].camera_names == ["front", "side"]
        pictures = codec.images_of_observation(seen[-1]).astype(int)
        assert pictures.shape == (2, 128, 128, 3)
        assert np.abs(pictures[0] - (200, 0, 0)).max() < 12  # video and JPEG are not exact
        assert np.abs(pictures[1] - (0, 0, 200)).max() < 12
    for process in started:
        process.send_signal(signal.SIGINT)
    assert [process.wait(20) for process in started] == [0, 0, 0]


def test_a_camera_that_offers_something_else_ends_its_process_with_a_clear_line(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", (0, 0, 0))
    overrides = (*ROBOT, f"cameras=[{{name: side, driver: v4l2, device: {clip}, width: 640, height: 480}}]")
    own_domain()
    task = load_task("ram_insertion", overrides)
    specs = graph_specs(task, "train", RunContext("ram_insertion", Path(tmp_path), overrides=overrides))
    (spec,) = [spec for spec in specs if spec.package == "hilserl_cameras"]
    done = subprocess.run(command(spec, tmp_path), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "camera 'side'" in done.stderr
    assert "offers no 640 x 480; it offers 96 x 64" in done.stderr
