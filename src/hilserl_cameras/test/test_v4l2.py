# SPDX-License-Identifier: Apache-2.0
"""The V4L2 node through OpenCV's real VideoCapture, on a video file: its end is the camera unplugged."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hilserl_cameras.frame import CameraLost
from hilserl_cameras.v4l2 import V4l2Node
from hilserl_cameras.v4l2_source import V4l2Source
from hilserl_ros import codec, qos, topics
from hilserl_ros.image_transport import rgb_from_compressed
from hilserl_ros.testing import RosGraph, own_domain
from hilserl_task import TaskError
from hilserl_task.camera_spec import CameraSpec

TASK = str(Path(__file__).resolve().parents[3] / "config" / "tasks" / "ram_insertion.yaml")
ROBOT = ["scene=null", "pacing=realtime", "operator.kind=spacenav"]
TOPIC = topics.camera_image("arm", "side")


def write_clip(path, frames=20, fps=20, size=(64, 48)):
    """A real video file whose frames can be told apart: grey grows by ten a frame, the left half is red."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
    assert writer.isOpened()
    for k in range(frames):
        bgr = np.full((size[1], size[0], 3), 10 * k, np.uint8)
        bgr[:, : size[0] // 2] = (0, 0, 240)
        writer.write(bgr)
    writer.release()
    return path


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.avi")


def overrides(clip, **keys):
    more = "".join(f", {key}: {value}" for key, value in keys.items())
    return [*ROBOT, f"cameras.1={{name: side, driver: v4l2, device: {clip}{more}}}"]


def source(device, **keys):
    spec = {"name": "side", "driver": "v4l2", "device": str(device), **keys}
    return V4l2Source(CameraSpec.model_validate(spec))


def grey(rgb):
    return int(np.median(rgb[:, rgb.shape[1] * 3 // 4 :]))


def test_a_file_plays_in_order_at_its_own_speed_and_then_is_lost(clip):
    camera = source(clip)
    assert camera.open() == f"{clip}, 64 x 48 at 20 Hz"
    began = time.monotonic()
    frames = [camera.read(1.0) for _ in range(20)]
    assert time.monotonic() - began > 0.9  # 20 frames at 20 Hz; a busy machine only makes it longer
    assert [round(grey(frame.rgb), -1) for frame in frames] == [10 * k for k in range(20)]
    assert frames[3].rgb[5, 5, 0] > 200  # red is the first channel
    assert frames[3].rgb[5, 5, 2] < 50
    np.testing.assert_allclose(np.diff([frame.device_ms for frame in frames]), 50.0, atol=1.0)
    with pytest.raises(CameraLost, match=r"clip\.avi ended"):
        camera.read(1.0)
    camera.close()
    camera.close()


def test_a_path_that_is_not_there_and_one_that_is_no_video(tmp_path):
    with pytest.raises(CameraLost, match=r"video77 does not exist; there are: "):
        source("/dev/video77").open()
    (tmp_path / "text.avi").write_text("no video")
    with pytest.raises(CameraLost, match=r"text\.avi cannot be opened"):
        source(tmp_path / "text.avi").open()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"width": 640, "height": 480}, ["'side'", "offers no 640 x 480; it offers 64 x 48"]),
        ({"fps": 60}, ["offers no 60 Hz", "it gives 20 Hz"]),
        ({"exposure": 100}, ["exposure", "does not take", "v4l2-ctl --list-ctrls", "leave exposure out"]),
        ({"white_balance": "auto"}, ["white_balance", "does not take"]),
        ({"pixel_format": "YUYV"}, ["offers no YUYV", "--list-formats-ext"]),
    ],
)
def test_what_the_device_does_not_offer_is_refused_with_what_it_does(clip, keys, words):
    with pytest.raises(TaskError) as caught:
        source(clip, **keys).open()
    for word in words:
        assert word in str(caught.value)


def test_pictures_come_under_image_transports_names_and_go_on_after_the_camera_was_lost(clip):
    with RosGraph(task=TASK, overrides=overrides(clip, image_format="png")) as graph:
        node = graph.add(V4l2Node)
        peer = graph.peer()
        profile = qos.sensor("realtime")
        raw, small = (
            peer.collect(Image, TOPIC, profile),
            peer.collect(CompressedImage, f"{TOPIC}/compressed", profile),
        )
        info = peer.collect(CameraInfo, "arm/side/color/camera_info", profile)
        diagnostics = peer.collect(DiagnosticArray, topics.DIAGNOSTICS, qos.DIAGNOSTICS)
        graph.spin_until(lambda: raw and small and info, what="pictures")
        assert small[0].format == "rgb8; png compressed bgr8"
        by_stamp = {codec.ns_from_stamp(message.header.stamp): message for message in raw}
        graph.spin_until(lambda: codec.ns_from_stamp(small[-1].header.stamp) in by_stamp, what="the same")
        same = by_stamp[codec.ns_from_stamp(small[-1].header.stamp)]
        np.testing.assert_array_equal(rgb_from_compressed(small[-1]), codec.array_from_image(same))
        assert raw[0].header.frame_id == "side_color_optical_frame"
        assert (info[0].width, info[0].height, info[0].k[0]) == (64, 48, 0.0)
        graph.spin_until(lambda: node.health()["side"].losses >= 1, what="end of the file")
        raw.clear()
        graph.spin_until(lambda: len(raw) > 3, what="pictures again")
        said = [status.message for array in diagnostics for status in array.status]
        assert any("camera 'side' is lost" in text and "ended" in text for text in said)
        stamps = [codec.ns_from_stamp(message.header.stamp) for message in raw]
        assert (np.diff(stamps) > 0).all()
        assert abs(peer.get_clock().now().nanoseconds - stamps[-1]) < 1_000_000_000


def test_the_camera_of_the_process_is_named_by_its_parameter(clip, tmp_path):
    other = write_clip(tmp_path / "other.avi", size=(80, 48))
    both = [
        *ROBOT,
        f"cameras.0={{name: front, driver: v4l2, device: {other}}}",
        f"cameras.1={{name: side, driver: v4l2, device: {clip}}}",
    ]
    with RosGraph(task=TASK, overrides=both) as graph, pytest.raises(TaskError, match="front, side"):
        graph.add(V4l2Node)
    with RosGraph(task=TASK, overrides=both, camera="front") as graph:
        graph.add(V4l2Node)
        seen = graph.peer().collect(Image, topics.camera_image("arm", "front"), qos.sensor("realtime"))
        graph.spin_until(lambda: seen, what="pictures of the front camera")
        assert seen[0].width == 80


def test_a_real_process_streams_and_ends_at_ctrl_c(clip):
    arguments = [f"task:={TASK}", f"overrides:={overrides(clip)!r}"]
    parameters = [word for argument in arguments for word in ("-p", argument)]
    own_domain()
    command = [sys.executable, "-m", "hilserl_cameras.v4l2", "--ros-args", *parameters]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        with RosGraph() as graph:
            seen = graph.peer().collect(Image, TOPIC, qos.sensor("realtime"))
            graph.spin_until(lambda: len(seen) > 3 or process.poll() is not None, 30, "pictures")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert len(seen) > 3, errors
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def test_a_wrong_task_is_one_line_and_exit_code_2(clip):
    wrong = f"overrides:={overrides(clip, width=640, height=480)!r}"
    command = [sys.executable, "-m", "hilserl_cameras.v4l2", "--ros-args", "-p", f"task:={TASK}", "-p", wrong]
    own_domain()
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "it offers 64 x 48" in done.stderr
    assert "Traceback" not in done.stderr
