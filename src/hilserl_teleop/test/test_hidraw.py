# SPDX-License-Identifier: Apache-2.0
"""SpaceMice through hidraw: reports in the models' byte layouts, sysfs, and the real node on device files."""

import importlib.util
import json
import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from hilserl_ros import codec
from hilserl_ros.testing import RosGraph
from hilserl_task import TaskError, load_task
from hilserl_task.device_spec import DeviceSpec
from hilserl_teleop import hid_find
from hilserl_teleop.driver import DeviceGone
from hilserl_teleop.hid_models import MODELS, PRO_BUTTONS, model_of
from hilserl_teleop.hid_reports import ButtonBits, Deflection, parse
from hilserl_teleop.hidraw_node import HidrawDriver, HidrawNode
from hilserl_teleop.reader import Reader
from hilserl_teleop.watchdog import State

_spec = importlib.util.spec_from_file_location("devices", Path(__file__).with_name("devices.py"))
devices = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(devices)

COMPACT = (0x256F, 0xC635, "3Dconnexion SpaceMouse Compact")
WIRELESS_CABLE = (0x256F, 0xC62E, "3Dconnexion SpaceMouse Wireless")
PRO = (0x046D, 0xC62B, "3Dconnexion SpaceMouse Pro")
PRO_BLUETOOTH = (0x256F, 0xC638, "SpaceMouse Pro Wireless BT")


@pytest.fixture
def kernel(tmp_path):
    kernel = devices.Hidraw(tmp_path)
    yield kernel
    kernel.close()


def driver_of(kernel, **keys):
    return HidrawDriver(DeviceSpec(driver="hidraw", **keys), kernel.sys, kernel.dev)


def opened(kernel, **keys):
    driver = driver_of(kernel, **keys)
    driver.open()
    return driver


@pytest.mark.parametrize(
    ("report", "meaning"),
    [
        # Recorded: SpaceMouse Compact (CloudCompare pull request 2339), SpaceNavigator (AndunHH/spacemouse).
        ("01 12 00 00 00 f8 00", Deflection(0, (18, 0, 248))),
        ("02 1d 00 00 00 1b 00", Deflection(3, (29, 0, 27))),
        ("02 00 00 e2 ff 00 00", Deflection(3, (0, -30, 0))),
        ("03 01 00", ButtonBits(1)),
        ("03 03 00", ButtonBits(3)),
        # By the report descriptor of the SpaceMouse Wireless: six axes in report 1, battery in 0x17.
        ("01 5e 01 a2 fe 00 00 00 00 ff ff 01 00", Deflection(0, (350, -350, 0, 0, -1, 1))),
        ("17 64 01", None),
        ("", None),
        ("01", None),
        ("02 00 00", None),
        ("03", None),
    ],
)
def test_reports(report, meaning):
    assert parse(bytes.fromhex(report)) == meaning


def push(direction, combined):
    """Reports of a push of 175 counts along one of the device's axes, by the models' two layouts."""
    counts = [0] * 6
    counts[abs(direction) - 1] = 175 if direction > 0 else -175
    if combined:
        return (b"\x01" + struct.pack("<6h", *counts)).hex()
    return "\n".join((bytes([1 + k]) + struct.pack("<3h", *counts[3 * k : 3 * k + 3])).hex() for k in (0, 1))


# Device axis (x right, y towards the person, z down) that a push moves, and the stick axis it has to move.
PUSHES = {
    "forward": (-2, 0),
    "left": (-1, 1),
    "up": (-3, 2),
    "roll": (-5, 3),
    "pitch": (-4, 4),
    "yaw": (-6, 5),
}


@pytest.mark.parametrize("push_to", PUSHES)
@pytest.mark.parametrize(
    ("model", "combined"), [(COMPACT, False), (WIRELESS_CABLE, True), (PRO, False), (PRO_BLUETOOTH, True)]
)
def test_every_model_moves_every_axis_the_same_way(kernel, model, combined, push_to):
    """A reader of seven bytes, as the original's, sees no rotation of models with six axes in one report."""
    kernel.plug(0, *model)
    driver = opened(kernel)
    direction, axis = PUSHES[push_to]
    kernel.report(0, push(direction, combined))
    assert driver.poll(0.0)
    np.testing.assert_allclose(driver.axes, 0.5 * np.eye(6)[axis])
    assert not driver.poll(0.0)
    kernel.report(0, push(1, combined).replace("af00", "0000"))
    driver.poll(0.0)
    assert not driver.axes.any()
    driver.close()
    driver.close()


@pytest.mark.parametrize("model", [COMPACT, WIRELESS_CABLE])
def test_two_buttons(kernel, model):
    kernel.plug(0, *model)
    driver = opened(kernel)
    kernel.report(0, "03 01 00")
    driver.poll(0.0)
    assert driver.pressed == {"left", "0"}
    kernel.report(0, "03 03 00\n03 02 00\n03 00 00")
    driver.poll(0.0)
    assert not driver.pressed
    assert driver.tapped == {"right", "1"}
    assert driver.usual_buttons.success == "left"
    driver.close()


@pytest.mark.parametrize("model", [PRO, PRO_BLUETOOTH])
def test_fifteen_buttons(kernel, model):
    assert len(PRO_BUTTONS) == 15
    kernel.plug(0, *model)
    driver = opened(kernel)
    for number, (name, bit) in enumerate(PRO_BUTTONS.items()):
        kernel.report(0, (b"\x03" + (1 << bit).to_bytes(4, "little")).hex())
        driver.poll(0.0)
        assert driver.pressed == {name, str(number)}
    assert driver.usual_buttons.gripper in driver.known_buttons
    driver.close()


def test_usual_buttons_exist_on_every_model():
    for model in (*MODELS.values(), model_of(0x256F, 0xFFFF)):
        for action, button in model.usual:
            assert button is None or str(button) in model.known, f"{model.name}: {action}"


def test_finds_six_axis_interfaces_only(kernel):
    kernel.plug(0, 0x256F, 0xC652, "3Dconnexion Universal Receiver", descriptor=devices.MOUSE_DESCRIPTOR)
    kernel.plug(1, 0x256F, 0xC652, "3Dconnexion Universal Receiver", "usb-1/input1")
    kernel.plug(2, 0x046D, 0xC52B, "Logitech Unifying Receiver")
    kernel.plug(10, *PRO_BLUETOOTH, "a0:b1", "c2:d3", bus=5)
    found = hid_find.find(kernel.sys, kernel.dev)
    assert [(device.path.name, device.bus) for device in found] == [
        ("hidraw1", "USB"),
        ("hidraw10", "Bluetooth"),
    ]
    assert hid_find.find(kernel.sys / "none", kernel.dev) == []


def test_one_of_several_is_chosen_by_port_serial_path_or_name(kernel):
    kernel.plug(0, *COMPACT, "usb-1/input0")
    kernel.plug(1, *COMPACT, "usb-2/input0", "S123")
    kernel.plug(2, *PRO)
    found = hid_find.find(kernel.sys, kernel.dev)

    def chosen(**keys):
        return hid_find.choose(found, DeviceSpec(driver="hidraw", **keys)).path.name

    assert chosen(path="usb-2/input0") == chosen(serial="S123") == "hidraw1"
    assert chosen(product="spacemouse pro") == "hidraw2"
    link = kernel.dev / "left_hand"
    link.symlink_to(kernel.dev / "hidraw0")
    assert chosen(path=str(link)) == "hidraw0"
    with pytest.raises(TaskError, match=r"3 devices fit any SpaceMouse.*usb-1/input0.*example: path"):
        chosen()
    with pytest.raises(DeviceGone, match="with serial 'S9'; plugged in: 3Dconnexion SpaceMouse Compact"):
        chosen(serial="S9")


def test_no_permission_names_the_udev_rule(kernel):
    if os.geteuid() == 0:
        # Root may read anything, so the kernel is asked as somebody else.
        path = kernel.plug(0, *COMPACT)
        path.chmod(0)
        for folder in (kernel.dev, *list(kernel.dev.parents)[:-1]):
            folder.chmod(folder.stat().st_mode | 0o555)
        os.seteuid(65534)
    try:
        with pytest.raises(DeviceGone, match=r"no permission.*60-hilserl-spacemouse\.rules"):
            opened(kernel)
    finally:
        if os.getuid() == 0:
            os.seteuid(0)


def test_the_udev_rule_covers_every_model_over_usb_and_bluetooth():
    text = (Path(__file__).parents[1] / "udev" / hid_find.UDEV_RULE).read_text()
    assert 'ATTRS{idVendor}=="256f"' in text
    assert 'KERNELS=="0005:256F:*"' in text
    for vendor, product in MODELS:
        if vendor == 0x046D:
            assert f"{product:04x}"[:3] == "c62"
            assert f"{product:04x}"[3] in "56789b"


@pytest.fixture
def node_on(kernel, monkeypatch):
    """Makes the node look at our kernel; everything else of it is as on a robot."""
    monkeypatch.setattr(hid_find, "find", lambda *_, real=hid_find.find: real(kernel.sys, kernel.dev))
    return HidrawNode


def graph_of(*specs):
    return RosGraph(task="ram_insertion", overrides=[f"operator.devices=[{', '.join(specs)}]"])


def test_calibration_of_the_task_file(kernel, node_on):
    kernel.plug(0, *PRO)
    spec = """{driver: hidraw, arm: arm, buttons: {success: menu, gripper: 14}, axes: {
        order: [1, 0, 2, 3, 4, 5], sign: [-1, 1, 1, 1, 1, 1], scale: [1, 2, 1, 1, 1, 1], deadband: 0.2}}"""
    with graph_of(spec) as graph:
        hand = devices.Hand(graph, "arm")
        graph.add(node_on)
        hand.wait_for_word("device ready")
        # 175 counts forward: device axis 0, so stick axis 1, doubled; 70 counts up: dead-band. Held.
        for _ in range(20):
            kernel.report(0, "01 00 00 51 ff ba ff\n02 00 00 00 00 00 00")
            graph.spin_for(0.02)
        np.testing.assert_allclose(hand.stick(), [0, 1, 0, 0, 0, 0], atol=1e-6)
        kernel.report(0, "01 d4 fe 00 00 00 00")  # 300 counts left: device axis 1
        hand.wait_for(lambda: hand.stick()[0], "x")
        np.testing.assert_allclose(hand.stick(), [-(300 / 350 - 0.2) / 0.8, 0, 0, 0, 0, 0], atol=1e-6)
        kernel.report(0, "01 00 00 00 00 00 00\n03 01 00 00 00")
        hand.wait_for(lambda: list(hand.joys[-1].buttons) == [1, 0, 0, 0], "menu is success")
        kernel.report(0, f"03 {(1 << PRO_BUTTONS['ctrl']).to_bytes(4, 'little').hex()}")
        hand.wait_for(lambda: list(hand.joys[-1].buttons) == [0, 0, 0, 1], "ctrl is gripper")


def test_unplugged_while_pushed_neutral_at_once_and_back_after_letting_go(kernel, node_on):
    kernel.plug(0, *COMPACT)
    with graph_of("{driver: hidraw}") as graph:
        hand = devices.Hand(graph)
        graph.add(node_on)
        hand.wait_for_word("device ready")
        kernel.report(0, "03 01 00\n01 00 00 51 ff 00 00")
        hand.wait_for(lambda: hand.stick()[0] and hand.joys[-1].buttons[0], "push and button")
        kernel.unplug(0)
        unplugged = time.time_ns()
        hand.wait_for_word("device gone")
        moved = [codec.ns_from_stamp(t.header.stamp) for t in hand.twists if t.twist.linear.x]
        assert moved[-1] - unplugged <= 0.2e9
        assert not any(hand.joys[-1].buttons)
        kernel.plug(7, *COMPACT)  # another number, as after a real replug
        for _ in range(70):  # the hand is on it the whole time
            kernel.report(7, "01 00 00 51 ff 00 00")
            graph.spin_for(0.02)
        assert not hand.stick().any()
        hand.wait_for_word("let go of the device")
        kernel.report(7, "01 00 00 00 00 00 00")
        hand.wait_for_word("device steers again")


def test_link_lost_while_pushed(kernel, node_on):
    """A wireless mouse out of reach: its receiver stays, reports stop."""
    kernel.plug(0, *WIRELESS_CABLE)
    with graph_of("{driver: hidraw}") as graph:
        hand = devices.Hand(graph)
        graph.add(node_on)
        hand.wait_for_word("device ready")
        for _ in range(20):
            kernel.report(0, push(-2, True))
            graph.spin_for(0.016)
        assert hand.stick()[0] > 0
        count = len(hand.twists)
        hand.wait_for(lambda: len(hand.twists) > count + 1, "the last report is read")
        last = codec.ns_from_stamp(hand.twists[-1].header.stamp)
        for _ in range(20):
            kernel.report(0, "17 10 00")  # the battery's report is no sign of a hand
            graph.spin_for(0.02)
        hand.wait_for_word("device stuck")
        moved = [codec.ns_from_stamp(t.header.stamp) for t in hand.twists if t.twist.linear.x]
        assert moved[-1] - last <= 0.2e9


def test_a_button_that_is_held_through_trouble_is_not_pressed_again(kernel):
    """A gripper that toggles by itself drops what it holds."""
    kernel.plug(0, *COMPACT)
    spec = DeviceSpec(driver="hidraw", buttons={"gripper": "left", "success": "right"})
    reader = Reader(spec, HidrawDriver(spec, kernel.sys, kernel.dev))
    for now in (10.0, 10.2):
        reader.read(now)
    kernel.report(0, "03 01 00\n01 00 00 51 ff 00 00")
    assert reader.read(10.3).buttons == (False, False, False, True)
    assert reader.read(10.6).state is State.STUCK
    kernel.report(0, "01 00 00 00 00 00 00")  # the stick is let go of, the button is not
    reader.read(10.7)
    back = reader.read(10.9)
    assert (back.state, back.buttons) == (State.STEERING, (False,) * 4)
    kernel.report(0, "03 03 00")
    assert reader.read(11.0).buttons == (True, False, False, False), "another button counts at once"
    kernel.report(0, "03 00 00")
    reader.read(11.1)
    kernel.report(0, "03 01 00")
    assert reader.read(11.2).buttons == (False, False, False, True)
    reader.close()


def test_a_button_that_the_model_has_not_ends_with_a_clear_error(kernel, node_on):
    kernel.plug(0, *COMPACT)
    with graph_of("{driver: hidraw, buttons: {success: key_1}}") as graph:
        graph.peer()
        with pytest.raises(
            TaskError, match=r"operator\.devices\.0\.buttons\.success: 'key_1'.*left, right, 0, 1"
        ):
            node_on()


def test_two_mice_for_two_arms(kernel, node_on):
    kernel.plug(0, *COMPACT, "usb-1/input0")
    kernel.plug(1, *COMPACT, "usb-2/input0")
    arms = [arm.model_dump(mode="json") for arm in load_task("ram_insertion").arms] * 2
    named = [{**arm, "name": name} for arm, name in zip(arms, ("left", "right"), strict=True)]
    overrides = [
        f"arms={json.dumps(named)}",
        "cameras=[{name: wrist_1, arm: left}]",
        "scene=null",
        "pacing=realtime",
        "operator.devices=[{driver: hidraw, arm: left, path: usb-1/input0}, "
        "{driver: hidraw, arm: right, path: usb-2/input0}]",
        "operator.kind=person",
    ]
    for index, arm in enumerate(("left", "right")):
        with RosGraph(task="ram_insertion", overrides=overrides, device=index) as graph:
            hand = devices.Hand(graph, arm)
            graph.add(node_on)
            hand.wait_for_word("device ready")
            kernel.report(index, "01 00 00 51 ff 00 00")
            hand.wait_for(lambda hand=hand: hand.stick()[0] > 0, f"{arm} moves")
            kernel.report(index, "01 00 00 00 00 00 00")
    with (
        RosGraph(task="ram_insertion", overrides=overrides),
        pytest.raises(TaskError, match=r"several.*device:=0"),
    ):
        node_on()
