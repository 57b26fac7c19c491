# SPDX-License-Identifier: Apache-2.0
"""Keys to stick, and the real node in a real pseudo-terminal."""

import os
import pty
import signal
import subprocess
import sys
import termios
import time
from functools import partial

import numpy as np
import pytest
from geometry_msgs.msg import TwistStamped
from sensor_msgs.msg import Joy

from hilserl_ros import qos, topics
from hilserl_ros.testing import RosGraph
from hilserl_task import TaskError
from hilserl_task.device_spec import BUTTON_ACTIONS
from hilserl_teleop.keyboard_node import KeyboardDriver
from hilserl_teleop.keys import AXES, BUTTONS, HELP, SPEED_KEYS, USUAL_BUTTONS, KeyDecoder, KeyStick
from hilserl_teleop.terminal import Terminal

COMMAND = [sys.executable, "-m", "hilserl_teleop.keyboard_node"]


def test_keys_move_along_the_axes_of_the_map():
    for key, (axis, sign) in AXES.items():
        keys = KeyStick()
        assert keys.press(key, 10.0)
        expected = np.zeros(6)
        expected[axis] = 0.5 * sign
        np.testing.assert_allclose(keys.stick(10.05), expected)


def test_deflection_fades_to_neutral_within_a_fifth_of_a_second():
    keys = KeyStick()
    keys.press("w", 10.0)
    values = [keys.stick(10.0 + age)[0] for age in (0.0, 0.09, 0.12, 0.15, 0.19)]
    assert values[0] == values[1] == 0.5
    assert values[1] > values[2] > values[3] > values[4] > 0
    assert not keys.stick(10.21).any()


def test_key_repeat_keeps_moving_and_the_opposite_key_turns_round():
    keys = KeyStick()
    for k in range(30):
        keys.press("a", k / 30)
        assert keys.stick(k / 30 + 0.03)[1] == 0.5
    keys.press("d", 1.0)
    assert keys.stick(1.0)[1] == -0.5


def test_two_axes_at_once():
    keys = KeyStick()
    keys.press("w", 0.0)
    keys.press("f", 0.05)
    assert keys.stick(0.06)[[0, 2]].tolist() == [0.5, -0.5]


@pytest.mark.parametrize("key", sorted(BUTTONS))
def test_buttons_are_pressed_and_come_up_again(key):
    keys = KeyStick()
    assert keys.press(key, 1.0)
    assert keys.pressed(1.1) == {key}
    assert not keys.pressed(1.21)
    assert not keys.stick(1.1).any()


def test_a_key_means_one_thing():
    assert not BUTTONS & {*AXES, *SPEED_KEYS, "h"}


def test_speed_has_limits():
    keys = KeyStick()
    for _ in range(20):
        keys.press("+", 0.0)
    assert keys.speed == 1.0
    for _ in range(20):
        keys.press("-", 0.0)
    assert keys.speed == 0.1
    assert not keys.press("!", 0.0)


def test_decoder_knows_letters_arrows_and_splits_reads():
    decoder = KeyDecoder()
    assert decoder.feed("wW \x7f\x08") == ["w", "w", "space", "backspace", "backspace"]
    assert decoder.feed("\x1b[A\x1b[5~x") == ["up", "page_up", "x"]
    assert decoder.feed("\x1b") == []
    assert decoder.feed("[") == []
    assert decoder.feed("Da") == ["left", "a"]
    assert decoder.feed("\x1bOC") == ["right"]


def test_help_names_every_key():
    usual = [getattr(USUAL_BUTTONS, action) for action in BUTTON_ACTIONS]
    for key in (*AXES, *usual):
        assert key.replace("_", " ") in HELP


def test_terminal_reads_single_keys_and_is_restored():
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    terminal = Terminal(slave)
    assert termios.tcgetattr(slave)[3] & (termios.ICANON | termios.ECHO) == 0
    os.write(master, b"w")
    deadline = time.monotonic() + 5
    text = ""
    while not text and time.monotonic() < deadline:
        text = terminal.read()
    assert text == "w"
    assert terminal.read() == ""
    terminal.restore()
    terminal.restore()
    assert termios.tcgetattr(slave) == before
    os.close(master)
    with pytest.raises(EOFError):
        terminal.read()
    terminal.restore()
    os.close(slave)


def test_node_in_a_real_terminal_publishes_keys_and_restores_the_terminal():
    with RosGraph() as graph:
        peer = graph.peer()
        joys = peer.collect(Joy, topics.JOY, qos.TELEOP)
        twists = peer.collect(TwistStamped, topics.TWIST, qos.TELEOP)
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        process = subprocess.Popen(COMMAND, stdin=slave, stdout=subprocess.PIPE, text=True)
        try:
            graph.spin_until(lambda: joys and twists, 30, "first reading")
            assert not any(twists[-1].twist.linear.__getattribute__(axis) for axis in "xyz")

            def typed(keys, seen):  # again and again, as a key held down
                os.write(master, keys)
                graph.spin_for(0.03)
                return seen()

            forward = partial(typed, b"w", lambda: any(t.twist.linear.x > 0 for t in twists))
            graph.spin_until(forward, 5, "w")
            up = partial(typed, b" \x1b[5~", lambda: any(t.twist.linear.z > 0 for t in twists))
            graph.spin_until(up, 5, "page up")
            graph.spin_until(lambda: any(j.buttons[0] for j in joys), 5, "success")
            graph.spin_until(lambda: not joys[-1].buttons[0] and not any(joys[-1].axes), 5, "neutral")
            os.write(master, b"g")
            graph.spin_until(lambda: list(joys[-1].buttons) == [0, 0, 0, 1], 5, "gripper")

            count = len(joys)
            graph.spin_until(lambda: len(joys) > count + 30, 10, "readings of a still hand")
            assert joys[-1].header.stamp.sec > 0

            process.send_signal(signal.SIGINT)
            graph.spin_until(lambda: process.poll() is not None, 10, "end")
            assert process.returncode == 0
            assert termios.tcgetattr(slave) == before
            assert "keyboard teleoperation" in process.stdout.read()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            os.close(master)
            os.close(slave)


def test_a_driver_without_a_terminal_of_its_own_is_given_one():
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    driver = KeyboardDriver(os.ttyname(slave))
    driver.open()
    assert "keyboard teleoperation" in os.read(master, 4096).decode()
    os.write(master, b"wg")
    deadline = time.monotonic() + 5
    while not driver.poll(10.0) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert driver.axes.tolist() == [0.5, 0, 0, 0, 0, 0]
    assert driver.pressed == {"g"}
    driver.close()
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
    with pytest.raises(TaskError, match=r"tty: '/dev/pts/none' cannot be opened"):
        KeyboardDriver("/dev/pts/none").open()


def test_without_a_terminal_it_says_what_to_do():
    result = subprocess.run(COMMAND, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "stdin is no terminal" in result.stderr
    assert "Traceback" not in result.stderr
