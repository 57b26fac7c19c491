# SPDX-License-Identifier: Apache-2.0
"""Devices in the task file: good ones load, wrong ones say what is wrong."""

import json
from pathlib import Path

import pytest

from hilserl_task import TaskError, load_task

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def shipped_config(monkeypatch):
    monkeypatch.setenv("HILSERL_CONFIG", str(REPOSITORY / "config"))


def devices_of(text):
    return load_task("ram_insertion", [f"operator.devices={text}"]).operator.devices


def test_a_task_without_devices_has_none():
    task = load_task("ram_insertion")
    assert task.operator.devices == ()
    assert task.operator.kind == "scripted"


@pytest.mark.parametrize("word", ["person", "spacenav"])
def test_the_older_word_for_a_person_is_understood(word):
    assert load_task("ram_insertion", [f"operator.kind={word}"]).operator.kind == "person"


def test_one_number_stands_for_all_axes():
    axes = devices_of("[{driver: hidraw, axes: {deadband: 0.1, scale: 2}}]")[0].axes
    assert axes.deadband == (0.1,) * 6
    assert axes.scale == (2.0,) * 6
    assert axes.order == (0, 1, 2, 3, 4, 5)


def test_what_is_left_out_is_the_drivers():
    device = devices_of("[{driver: hidraw}]")[0]
    assert device.axes.deadband is device.buttons is device.stuck_s is device.arm is None


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ("[{driver: spacemouse}]", ["devices.0.driver", "'spacemouse'", "'hidraw'"]),
        ("[{driver: hidraw, arm: left}]", ["devices.0 (hidraw)", "arm 'left'", "['arm']"]),
        (
            "[{driver: hidraw, arm: arm}, {driver: gamepad, arm: arm}]",
            ["devices.1 (gamepad)", "devices.0 already moves arm 'arm'"],
        ),
        ("[{driver: hidraw}, {driver: gamepad}]", ["devices.0 already is the device for all arms"]),
        ("[{driver: hidraw, arm: arm}, {driver: gamepad}]", ["devices.1: needs an arm", "arm: arm"]),
        ("[{driver: hidraw, axes: {order: [0, 0, 1, 2, 3, 4]}}]", ["axes.order", "permutation", "example"]),
        ("[{driver: hidraw, axes: {order: [0, 1, 2]}}]", ["axes.order", "permutation", "example"]),
        ("[{driver: hidraw, axes: {sign: [1, 1, 1, 1, 1, 0]}}]", ["axes.sign.5", "-1 or 1", "got 0"]),
        ("[{driver: hidraw, axes: {scale: [1, 2]}}]", ["axes.scale", "one number for all axes, or six"]),
        ("[{driver: hidraw, axes: {scale: .nan}}]", ["axes.scale", "finite"]),
        ("[{driver: hidraw, axes: {deadband: 1.0}}]", ["axes.deadband.0", "less than 1"]),
        ("[{driver: hidraw, axes: {exponent: 0.5}}]", ["axes.exponent", "0.5"]),
        ("[{driver: hidraw, axes: {signs: 1}}]", ["axes.signs", "did you mean 'sign'"]),
        (
            "[{driver: hidraw, buttons: {success: left, gripper: left}}]",
            ["button 'left' is both success and gripper"],
        ),
        ("[{driver: hidraw, buttons: {success: -1}}]", ["buttons.success"]),
        ("[{driver: hidraw, stuck_s: 0}]", ["stuck_s"]),
        ("[{driver: keyboard, path: /dev/x}]", ["path: '/dev/x' means nothing to driver: keyboard"]),
        ("[{driver: gamepad, topic: joy, serial: A}]", ["topic", "excludes"]),
        ("[{driver: leader}]", ["section 'leader'", "example"]),
        ("[{driver: hidraw, leader: {pose_topic: p}}]", ["section 'leader'"]),
        ("[{driver: leader, leader: {}}]", ["either joint_topic with urdf, or pose_topic"]),
        ("[{driver: leader, leader: {joint_topic: j, pose_topic: p}}]", ["either joint_topic"]),
        ("[{driver: leader, leader: {joint_topic: j}}]", ["joint_topic needs urdf"]),
    ],
)
def test_wrong_devices_name_key_value_and_rule(devices, words):
    with pytest.raises(TaskError) as caught:
        devices_of(devices)
    for word in words:
        assert word in str(caught.value)


ARMS = ("left", "right")


def two_armed(devices):
    arm = load_task("ram_insertion").arms[0].model_dump(mode="json")
    arms = [{**arm, "name": name} for name in ARMS]
    cameras = "cameras=[{name: wrist_1, arm: left}]"
    return load_task("ram_insertion", [f"arms={json.dumps(arms)}", cameras, f"operator.devices={devices}"])


def test_two_mice_for_two_arms():
    task = two_armed("[{driver: hidraw, arm: left, serial: A}, {driver: hidraw, arm: right, serial: B}]")
    assert [device.arm for device in task.operator.devices] == list(ARMS)


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        ("spacenav", "mixes all SpaceMice; use driver: hidraw"),
        ("keyboard", "one keyboard"),
        ("hidraw", "serial, path or product"),
    ],
)
def test_one_device_is_not_in_two_hands(driver, words):
    with pytest.raises(TaskError, match=words):
        two_armed(f"[{{driver: {driver}, arm: left}}, {{driver: {driver}, arm: right}}]")


def test_two_stock_drivers_are_two_devices():
    assert two_armed("[{driver: external, arm: left}, {driver: external, arm: right}]")
