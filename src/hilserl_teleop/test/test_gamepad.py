# SPDX-License-Identifier: Apache-2.0
"""A gamepad by the kernel's events, decoded with evdev's own types, and by the topic of a joy node."""

import importlib.util
import os
import struct
from pathlib import Path

import evdev
import numpy as np
import pytest
from evdev import AbsInfo, InputDevice, InputEvent, ecodes
from sensor_msgs.msg import Joy

from hilserl_ros import qos
from hilserl_ros.testing import RosGraph
from hilserl_task.device_spec import DeviceSpec
from hilserl_teleop import gamepad_node
from hilserl_teleop.calibration import ButtonMap, Calibration
from hilserl_teleop.driver import DeviceGone
from hilserl_teleop.gamepad import DEADBAND, KNOWN, USUAL, Gamepad, is_gamepad
from hilserl_teleop.gamepad_node import GamepadDriver, GamepadNode

_spec = importlib.util.spec_from_file_location("devices", Path(__file__).with_name("devices.py"))
devices = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(devices)

STICK = AbsInfo(0, -32768, 32767, 16, 128, 0)  # Xbox pad under xpad
TRIGGER = AbsInfo(0, 0, 1023, 0, 0, 0)
HAT = AbsInfo(0, -1, 1, 0, 0, 0)
XBOX = {
    ecodes.ABS_X: STICK, ecodes.ABS_Y: STICK, ecodes.ABS_RX: STICK, ecodes.ABS_RY: STICK,
    ecodes.ABS_Z: TRIGGER, ecodes.ABS_RZ: TRIGGER, ecodes.ABS_HAT0X: HAT, ecodes.ABS_HAT0Y: HAT,
}  # fmt: skip
BYTE = AbsInfo(128, 0, 255, 0, 0, 0)  # DualShock 4 under hid-playstation
PLAYSTATION = {
    **dict.fromkeys((ecodes.ABS_X, ecodes.ABS_Y, ecodes.ABS_RX, ecodes.ABS_RY), BYTE),
    **dict.fromkeys((ecodes.ABS_Z, ecodes.ABS_RZ), AbsInfo(0, 0, 255, 0, 0, 0)),
    ecodes.ABS_HAT0X: HAT,
}
# struct input_event of a 64-bit kernel: two longs of time, type, code, value.
WIRE = struct.Struct("llHHi")


def event(kind, code, value):
    """As read from /dev/input: through the bytes of the kernel's structure."""
    return InputEvent(*WIRE.unpack(WIRE.pack(1700000000, 42, kind, code, value)))


def test_the_wire_is_what_evdev_reads():
    assert WIRE.size == 24
    assert event(ecodes.EV_ABS, ecodes.ABS_X, -5).value == -5
    assert evdev.categorize(event(ecodes.EV_KEY, ecodes.BTN_SOUTH, 1)).keystate == 1


@pytest.mark.parametrize(
    ("code", "value", "expected"),
    [
        (ecodes.ABS_Y, -32768, (1, 0, 0, 0, 0, 0)),  # left stick away from the person: forward
        (ecodes.ABS_X, -32768, (0, 1, 0, 0, 0, 0)),
        (ecodes.ABS_RZ, 1023, (0, 0, 1, 0, 0, 0)),
        (ecodes.ABS_Z, 1023, (0, 0, -1, 0, 0, 0)),
        (ecodes.ABS_HAT0X, 1, (0, 0, 0, 1, 0, 0)),
        (ecodes.ABS_RY, -32768, (0, 0, 0, 0, 1, 0)),
        (ecodes.ABS_RX, -32768, (0, 0, 0, 0, 0, 1)),
        (ecodes.ABS_HAT0Y, 1, (0, 0, 0, 0, 0, 0)),
    ],
)
def test_every_control_moves_its_axis(code, value, expected):
    pad = Gamepad(XBOX)
    assert pad.take(event(ecodes.EV_ABS, code, value))
    np.testing.assert_allclose(pad.axes, expected, atol=1e-4)


def test_pads_with_other_ranges_rest_at_zero():
    pad = Gamepad(PLAYSTATION)
    assert np.abs(pad.axes).max() < 0.01
    pad.take(event(ecodes.EV_ABS, ecodes.ABS_Y, 0))
    assert pad.axes[0] == 1.0
    assert not Gamepad({ecodes.ABS_X: AbsInfo(0, 0, 0, 0, 0, 0)}).axes.any()


def test_buttons_mean_the_four_actions():
    buttons = ButtonMap(USUAL, KNOWN)
    pad = Gamepad(XBOX)
    for k, code in enumerate((ecodes.BTN_SOUTH, ecodes.BTN_EAST, ecodes.BTN_NORTH, ecodes.BTN_WEST)):
        pad.take(event(ecodes.EV_KEY, code, 1))
        assert buttons.levels(pad.pressed) == tuple(i == k for i in range(4))
        assert not pad.take(event(ecodes.EV_KEY, code, 2))  # auto-repeat
        pad.take(event(ecodes.EV_KEY, code, 0))
    assert not pad.pressed


def test_a_worn_stick_beside_its_centre_is_neutral():
    calibration = Calibration(DeviceSpec(driver="gamepad").axes, DEADBAND)
    worn = np.array([0.09, -0.09, 0, 0, 0, 0])
    assert not calibration.stick(worn).any()
    assert calibration.centred(worn)
    assert calibration.stick(np.eye(6)[0])[0] == 1.0
    assert 0 < calibration.stick(0.11 * np.eye(6)[0])[0] < 0.02


def test_lost_events_are_noticed():
    assert Gamepad.overrun(event(ecodes.EV_SYN, ecodes.SYN_DROPPED, 0))
    assert not Gamepad.overrun(event(ecodes.EV_SYN, ecodes.SYN_REPORT, 0))


def test_what_is_a_gamepad():
    sticks = [ecodes.ABS_X, ecodes.ABS_Y]
    assert is_gamepad({ecodes.EV_ABS: sticks, ecodes.EV_KEY: [ecodes.BTN_SOUTH]})
    assert not is_gamepad({ecodes.EV_ABS: sticks, ecodes.EV_KEY: [ecodes.BTN_TOUCH]})
    assert not is_gamepad({ecodes.EV_KEY: [ecodes.KEY_A]})


def test_without_a_pad_the_driver_says_what_to_do():
    driver = GamepadDriver(DeviceSpec(driver="gamepad", serial="no such pad"))
    with pytest.raises(DeviceGone, match=r"no gamepad found.*usermod -aG input"):
        driver.open()


@pytest.fixture
def pad(monkeypatch):
    """A driver on evdev's own device, whose file is a pipe of the kernel's structures; and where to write."""
    reader, writer = os.pipe2(os.O_NONBLOCK)
    device = InputDevice.__new__(InputDevice)
    device.fd, device.path, device.name = reader, "/dev/input/event7", "Xbox Wireless Controller"
    monkeypatch.setattr(InputDevice, "capabilities", lambda *_: {ecodes.EV_ABS: list(XBOX.items())})
    monkeypatch.setattr(InputDevice, "active_keys", lambda _: [])
    monkeypatch.setattr(gamepad_node, "choose", lambda _: device)
    driver = GamepadDriver(DeviceSpec(driver="gamepad"))
    driver.open()
    yield driver, writer
    os.close(writer)
    driver.close()


def test_the_driver_reads_the_device_file(pad):
    driver, writer = pad
    assert not driver.poll(0.0)
    syn = (ecodes.EV_SYN, ecodes.SYN_REPORT, 0)
    tap = [(ecodes.EV_KEY, ecodes.BTN_SOUTH, 1), syn, (ecodes.EV_KEY, ecodes.BTN_SOUTH, 0), syn]
    for kind, code, value in [(ecodes.EV_ABS, ecodes.ABS_X, 32767), *tap]:
        os.write(writer, WIRE.pack(1, 2, kind, code, value))
    assert driver.poll(0.1)
    np.testing.assert_allclose(driver.axes, [0, -1, 0, 0, 0, 0], atol=1e-4)
    assert not driver.pressed
    assert driver.tapped == {"south", "0"}
    assert not driver.poll(0.2)
    assert not driver.tapped
    assert driver.axes[1] == pytest.approx(-1, abs=1e-4)


def test_an_unplugged_pad_is_gone_at_once(pad):
    driver, _ = pad
    os.close(driver._device.fd)  # the kernel answers with an error, as for a device that is gone
    with pytest.raises(DeviceGone, match=r"Xbox Wireless Controller.*unplugged"):
        driver.poll(0.0)
    driver._device.fd = -1


GRAPH = {"task": "ram_insertion", "overrides": ["operator.devices=[{driver: gamepad, topic: pad/joy}]"]}


def test_topic_of_a_joy_node_steers_and_its_silence_is_neutral():
    with RosGraph(**GRAPH) as graph:
        hand = devices.Hand(graph)
        pad = graph.peer("pad").create_publisher(Joy, "pad/joy", qos.TELEOP)
        node = graph.add(GamepadNode)
        hand.wait_for_word("device silent")

        def play(until, what, **joy):
            def step():
                pad.publish(Joy(**joy))
                graph.spin_for(0.02)
                return until()

            graph.spin_until(step, 10, what)

        rest = {"axes": [0.0] * 6, "buttons": [0] * 15}
        play(lambda: any("device ready" in s.message for s in hand.said), "ready", **rest)
        # Left stick forward, right trigger (0 to -1), right stick left; d-pad right; B.
        pushed = {"axes": [0.0, 1.0, 0.55, 0.0, 0.0, -0.55], "buttons": [0, 1] + [0] * 12 + [1]}
        play(lambda: hand.stick()[0] == 1, "motion", **pushed)
        np.testing.assert_allclose(hand.stick(), [1, 0, 0.5, 1, 0, 0.5], atol=1e-6)
        assert list(hand.joys[-1].buttons) == [0, 1, 0, 0]
        graph.spin_until(lambda: not hand.stick().any(), 5, "neutral")
        hand.wait_for(lambda: not any(hand.joys[-1].buttons), "released")
        for bad in ([float("nan")] * 6, [1.0] * 4):
            for _ in range(15):
                pad.publish(Joy(axes=bad, buttons=[1]))
                graph.spin_for(0.02)
            assert not hand.stick().any()
        assert not node.ended.done()
