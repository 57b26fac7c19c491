# SPDX-License-Identifier: Apache-2.0
"""The RealSense node on librealsense's own software device: real contexts, sensors, queues, time stamps."""

import time
from functools import partial
from pathlib import Path

import numpy as np
import pyrealsense2 as rs
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hilserl_cameras.frame import CameraLost
from hilserl_cameras.realsense import RealSenseNode
from hilserl_cameras.realsense_devices import RealSenseDevices
from hilserl_cameras.realsense_source import RealSenseSource
from hilserl_cameras.testing import SoftwareCamera
from hilserl_ros import codec, qos, topics
from hilserl_ros.image_transport import rgb_from_compressed
from hilserl_ros.testing import RosGraph
from hilserl_task import TaskError
from hilserl_task.camera_spec import CameraSpec

TASK = str(Path(__file__).resolve().parents[3] / "config" / "tasks" / "ram_insertion.yaml")
DEVICE_EPOCH_MS = 5_000.0  # the clocks of the devices began at power-up
ROBOT = ["scene=null", "pacing=realtime", "operator.kind=spacenav"]
TWO = [
    *ROBOT,
    "cameras.0={name: wrist_1, driver: realsense, serial: '111', width: 640, height: 480, fps: 30}",
    "cameras.1={name: wrist_2, driver: realsense, serial: '222'}",
]


def picture(value, height=480, width=640):
    """Red on the left, the value everywhere else: swapped colours or axes show."""
    rgb = np.full((height, width, 3), value, np.uint8)
    rgb[:, : width // 2] = (250, 0, 0)
    return rgb


class Bench:
    """Two software cameras, the node, and who listens."""

    def __init__(self, graph, *serials):
        self.graph = graph
        self.context = rs.context()
        self.devices = RealSenseDevices(self.context)
        self.cameras = {serial: SoftwareCamera(serial).with_exposure() for serial in serials}
        for camera in self.cameras.values():
            camera.plug_in(self.context)
        self.node = graph.add(partial(RealSenseNode, self.devices))
        self.peer = graph.peer()
        self.diagnostics = self.peer.collect(DiagnosticArray, topics.DIAGNOSTICS, qos.DIAGNOSTICS)
        self.started_s = time.monotonic()

    def listen(self, kind, topic):
        seen = self.peer.collect(kind, topic, qos.sensor("realtime"))
        self.graph.connect(self.peer, {topic: "publisher"})
        self.graph.spin_until(lambda: self.node.count_subscribers(topic), what=f"subscriber of {topic}")
        return seen

    def device_ms(self):
        """What the clocks of the devices say: they run with the host's, but began elsewhere."""
        return DEVICE_EPOCH_MS + (time.monotonic() - self.started_s) * 1e3

    def show_until(self, serial, condition, rgb=None, what="pictures", **how):
        """The camera sees the picture, 50 times a second, until the condition holds."""
        rgb = picture(7) if rgb is None else rgb

        def shown():
            self.cameras[serial].show(rgb, self.device_ms(), **how)
            self.graph.spin_for(0.02)
            return condition()

        return self.graph.spin_until(shown, what=what)

    def wait_for_status(self, name, *words):
        def found():
            for status in (status for array in reversed(self.diagnostics) for status in array.status):
                text = " ".join([status.message, *(f"{fact.key} {fact.value}" for fact in status.values)])
                if name in status.name and all(word in text for word in words):
                    return status
            return None

        return found


def topic(name):
    return topics.camera_image("arm", name)


def test_two_cameras_in_one_process_under_the_names_of_realsense2_camera():
    with RosGraph(task=TASK, overrides=TWO) as graph:
        bench = Bench(graph, "111", "222")
        first, second = bench.listen(Image, topic("wrist_1")), bench.listen(Image, topic("wrist_2"))
        small = bench.listen(CompressedImage, topic("wrist_1") + "/compressed")
        info = bench.listen(CameraInfo, "arm/wrist_1/color/camera_info")
        bench.show_until("111", lambda: first and small and info, picture(11))
        bench.show_until("222", lambda: second, picture(22))
        assert first[0].encoding == "rgb8"
        assert first[0].header.frame_id == "wrist_1_color_optical_frame"
        np.testing.assert_array_equal(codec.array_from_image(first[0]), picture(11))
        np.testing.assert_array_equal(codec.array_from_image(second[0]), picture(22))
        assert small[0].format == "rgb8; jpeg compressed bgr8"
        assert np.abs(rgb_from_compressed(small[0]).astype(int) - picture(11)).mean() < 2
        assert (info[0].width, info[0].height, info[0].distortion_model) == (640, 480, "plumb_bob")
        assert list(info[0].k) == [380.0, 0.0, 320.0, 0.0, 381.0, 240.0, 0.0, 0.0, 1.0]
        np.testing.assert_allclose(info[0].d, [0.1, -0.2, 0.0, 0.01, 0.3], rtol=1e-6)


def test_hardware_stamps_become_ros_time_and_keep_the_distances_of_the_device():
    with RosGraph(task=TASK, overrides=TWO) as graph:
        bench = Bench(graph, "111", "222")
        seen = bench.listen(Image, topic("wrist_1"))
        bench.show_until("111", lambda: len(seen) >= 3)
        before = len(seen)
        marks_ms = []
        for _ in range(8):
            marks_ms.append(bench.device_ms())
            # Late by some milliseconds, each time others: only the stamp of the device tells the truth.
            graph.spin_for(0.03 + 0.01 * (len(marks_ms) % 3))
            bench.cameras["111"].show(picture(1), marks_ms[-1])
        graph.spin_until(lambda: len(seen) >= before + 8, what="eight pictures")
        stamps_ms = [codec.ns_from_stamp(message.header.stamp) * 1e-6 for message in seen[before:]]
        np.testing.assert_allclose(np.diff(stamps_ms), np.diff(marks_ms), atol=1.0)
        age_ms = bench.peer.get_clock().now().nanoseconds * 1e-6 - stamps_ms[-1]
        assert -1 < age_ms < 1000


def test_stamps_in_system_time_are_kept():
    with RosGraph(task=TASK, overrides=TWO) as graph:
        bench = Bench(graph, "111", "222")
        seen, shown_ns = bench.listen(Image, topic("wrist_1")), []

        def show():
            shown_ns.append(time.time_ns())
            domain = rs.timestamp_domain.global_time
            bench.cameras["111"].show(picture(1), shown_ns[-1] * 1e-6, domain=domain)
            graph.spin_for(0.02)
            return seen

        graph.spin_until(show, what="a picture")
        stamp_ns = codec.ns_from_stamp(seen[0].header.stamp)
        assert min(abs(stamp_ns - shown) for shown in shown_ns) < 2000  # ns; librealsense counts in float ms


def test_a_silent_camera_is_lost_and_streams_again_by_itself():
    with RosGraph(task=TASK, overrides=TWO) as graph:
        bench = Bench(graph, "111", "222")
        seen = bench.listen(Image, topic("wrist_1"))
        bench.show_until("111", lambda: seen)
        lost = bench.wait_for_status("realsense", "camera 'wrist_1' is lost", "no frame for 1 s", "losses 1")
        assert graph.spin_until(lost, what="loss").level == DiagnosticStatus.ERROR
        seen.clear()
        bench.show_until("111", lambda: len(seen) > 3)
        found = bench.wait_for_status("realsense: camera wrist_1", "losses 1", "Hz")
        bench.show_until("111", found, what="report of the loss")


def test_a_camera_plugged_in_later_streams_and_until_then_the_connected_ones_are_named():
    with RosGraph(task=TASK, overrides=TWO) as graph:
        bench = Bench(graph, "111")
        missing = bench.wait_for_status(
            "realsense", "'wrist_2' is lost", "'222' is not connected; connected: 111"
        )
        graph.spin_until(missing, what="diagnostic")
        seen = bench.listen(Image, topic("wrist_2"))
        bench.cameras["222"] = SoftwareCamera("222").plug_in(bench.context)
        bench.show_until("222", lambda: seen)


def test_unplugged_and_plugged_in_again_the_new_device_takes_over():
    """A replugged device is a new one to librealsense; the software device too is announced as such."""
    with RosGraph(task=TASK, overrides=TWO) as graph:
        bench = Bench(graph, "111", "222")
        seen = bench.listen(Image, topic("wrist_1"))
        bench.show_until("111", lambda: seen, picture(1))
        bench.cameras["111"] = SoftwareCamera("111").plug_in(bench.context)
        seen.clear()
        bench.show_until("111", lambda: seen, picture(99))
        np.testing.assert_array_equal(codec.array_from_image(seen[0]), picture(99))


def test_lost_frames_and_exposure_are_reported():
    with RosGraph(task=TASK, overrides=TWO) as graph:
        bench = Bench(graph, "111", "222")
        seen = bench.listen(Image, topic("wrist_1"))
        bench.show_until("111", lambda: len(seen) > 3, exposure=8000)
        bench.cameras["111"].show(picture(1), bench.device_ms(), skip=4, exposure=8000)
        found = bench.wait_for_status("realsense: camera wrist_1", "exposure 8000")

        def counted():
            status = found()
            facts = {fact.key: fact.value for fact in status.values} if status else {}
            # A busy machine loses frames of its own.
            return int(facts.get("lost_frames", 0)) >= 4

        bench.show_until("111", counted, what="report", exposure=8000)


# -- without ROS: what the device offers and takes -----------------------------------------------------


def source(camera, **keys):
    context = rs.context()
    devices = RealSenseDevices(context)
    camera.plug_in(context)
    spec = CameraSpec.model_validate({"name": "wrist_1", "driver": "realsense", "serial": "111", **keys})
    return RealSenseSource(spec, devices)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "640 x 480 at 30 Hz"),
        ({"fps": 15}, "640 x 480 at 15 Hz"),
        ({"width": 1280, "height": 720}, "1280 x 720 at 30 Hz"),
    ],
)
def test_the_profile_asked_for_is_opened(keys, expected):
    camera = source(SoftwareCamera("111"), **keys)
    assert camera.open() == f"Software D405 111, {expected}"
    camera.close()


def test_a_profile_that_is_not_offered_lists_those_that_are():
    camera = source(SoftwareCamera("111"), width=848, height=480, fps=60)
    with pytest.raises(TaskError) as caught:
        camera.open()
    assert "'wrist_1'" in str(caught.value)
    assert "no 848 x 480 at 60 Hz; it offers 640 x 480 at 15, 30 Hz; 1280 x 720 at 30 Hz" in str(caught.value)


def test_a_bgr_stream_comes_out_as_rgb():
    software = SoftwareCamera("111", fmt=rs.format.bgr8)
    camera = source(software)
    camera.open()
    software.show(picture(5), 1.0)
    np.testing.assert_array_equal(camera.read(1.0).rgb, picture(5))
    camera.close()


def test_the_newest_of_waiting_frames_is_read():
    software = SoftwareCamera("111")
    camera = source(software)
    camera.open()
    for value in (1, 2, 3):
        software.show(picture(value), float(value))
    frame = camera.read(1.0)
    assert (frame.device_ms, frame.clock) == (3.0, "device")
    with pytest.raises(CameraLost, match=r"no frame for 0\.1 s"):
        camera.read(0.1)
    camera.close()
    camera.close()


def test_a_fixed_exposure_switches_the_automatic_off_and_auto_on_again():
    software = SoftwareCamera("111").with_exposure()
    fixed = source(software, exposure=8000)
    fixed.open()
    assert software.option(rs.option.exposure) == 8000
    assert software.option(rs.option.enable_auto_exposure) == 0
    fixed.close()
    automatic = SoftwareCamera("111").with_exposure()
    automatic.sensor.set_option(rs.option.enable_auto_exposure, 0)
    camera = source(automatic, exposure="auto")
    camera.open()
    assert automatic.option(rs.option.enable_auto_exposure) == 1
    camera.close()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"exposure": 200_000}, ["exposure: 200000 must be within 1 .. 165000", "example: exposure: 33000"]),
        (
            {"white_balance": 4600},
            ["white_balance", "has no option 'white_balance'", "leave white_balance out"],
        ),
    ],
)
def test_a_setting_the_device_does_not_take_is_refused_with_its_range(keys, words):
    camera = source(SoftwareCamera("111").with_exposure(), **keys)
    with pytest.raises(TaskError) as caught:
        camera.open()
    for word in words:
        assert word in str(caught.value)


def test_a_task_without_a_realsense_does_not_start():
    with (
        RosGraph(task=TASK, overrides=ROBOT),
        pytest.raises(TaskError, match="no camera has driver: realsense"),
    ):
        RealSenseNode()


def test_a_wrong_profile_ends_the_node_with_code_2():
    wrong = [*TWO, "cameras.1.width=848", "cameras.1.height=480"]
    with RosGraph(task=TASK, overrides=wrong) as graph:
        bench = Bench(graph, "111", "222")
        graph.spin_until(bench.node.ended.done, what="end of the node")
        assert bench.node.ended.result() == 2
