# SPDX-License-Identifier: Apache-2.0
"""Cameras of a task file: what is accepted, what is refused with which words."""

import pytest

from hilserl_task import TaskError, load_task

ROBOT = ("scene=null", "pacing=realtime", "operator.kind=spacenav")
REALSENSE = "cameras.0={name: wrist_1, driver: realsense, serial: '0123', width: 640, height: 480, fps: 30}"


def load(*overrides: str):
    return load_task("ram_insertion", [*ROBOT, *overrides])


def test_left_out_the_driver_is_the_simulation_in_a_scene_and_a_foreign_node_without():
    assert [camera.driver_in(True) for camera in load_task("ram_insertion").cameras] == ["simulated"] * 2
    assert [camera.driver_in(False) for camera in load().cameras] == ["external"] * 2


def test_topics_are_named_as_realsense2_camera_and_image_transport_name_them():
    raw, compressed = load("cameras.1.transport=compressed").cameras
    assert raw.input_topic == "arm/wrist_1/color/image_raw"
    assert compressed.input_topic == "arm/wrist_2/color/image_raw/compressed"
    assert raw.info_topic == "arm/wrist_1/color/camera_info"
    assert raw.frame_id == "wrist_1_color_optical_frame"


def test_settings_take_auto_or_a_number():
    camera = load(REALSENSE, "cameras.0.exposure=8000", "cameras.0.gain=64").cameras[0]
    assert (camera.exposure, camera.gain, camera.white_balance) == (8000.0, 64.0, None)


def test_the_device_is_no_matter_between_actor_and_learner_but_the_crop_is():
    plain = load()
    assert load(REALSENSE, "cameras.1.transport=compressed").config_hash() == plain.config_hash()
    crop = "cameras.0.crop={left: 0, top: 0, right: 9, bottom: 9}"
    assert load(crop).config_hash() != plain.config_hash()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["cameras.0.driver=simulated"], ["camera 'wrist_1'", "simulated needs a scene"]),
        (["scene={name: ram_insertion}", REALSENSE], ["driver realsense", "scene renders every camera"]),
        (
            ["scene={name: ram_insertion}", "cameras.0.transport=compressed"],
            ["camera 'wrist_1'", "transport: raw only"],
        ),
        (
            [REALSENSE, "cameras.1={name: wrist_2, driver: realsense, serial: '0123'}"],
            ["'wrist_1' and 'wrist_2'", "same serial '0123'"],
        ),
        ([REALSENSE, "cameras.1={name: wrist_2, driver: realsense}"], ["'wrist_2': serial is missing"]),
        (
            ["cameras.0={name: a, driver: realsense, serial: 128422270679}"],
            ["quotes: serial: '128422270679'"],
        ),
        (["cameras.0={name: a, driver: v4l2}"], ["driver v4l2 needs device", "/dev/v4l/by-id/"]),
        (
            ["cameras.0={name: a, driver: v4l2, device: /dev/video0, serial: '1'}"],
            ["serial needs driver: realsense"],
        ),
        (["cameras.0.exposure=auto"], ["exposure needs driver: realsense or v4l2, not external"]),
        ([REALSENSE, "cameras.0.exposure=-1"], ["cameras.0.exposure: must be auto or a number", "got -1"]),
        ([REALSENSE, "cameras.0.exposure=.nan"], ["cameras.0.exposure: must be auto or a number", "got nan"]),
        ([REALSENSE, "cameras.0.gain=automatic"], ["cameras.0.gain", "'automatic'"]),
        (
            [REALSENSE, "cameras.0.exposure=auto", "cameras.0.gain=64"],
            ["exposure auto does not go with gain 64"],
        ),
        ([REALSENSE, "cameras.0.height=null"], ["width and height go together"]),
        ([REALSENSE, "cameras.0.seriall='3'"], ["seriall: unknown key", "did you mean 'serial'?"]),
    ],
)
def test_a_wrong_camera_is_refused_with_its_name_value_and_rule(overrides, words):
    with pytest.raises(TaskError) as caught:
        load(*overrides)
    for word in words:
        assert word in str(caught.value)
