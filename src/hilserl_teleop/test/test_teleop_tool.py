# SPDX-License-Identifier: Apache-2.0
"""The tool: list, check and calibrate on a kernel's hidraw and in a real terminal; what it writes."""

import importlib.util
import io
import os
import pty
import re
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from geometry_msgs.msg import TwistStamped
from rich.console import Console
from sensor_msgs.msg import Joy

from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph
from hilserl_task import TaskError, load_task
from hilserl_task.device_spec import AxesSpec, ButtonsSpec, DeviceSpec
from hilserl_teleop import check, hid_find, teleop_tool
from hilserl_teleop.device_file import device_yaml, write_device
from hilserl_teleop.hidraw_node import HidrawDriver
from hilserl_teleop.wizard import Wizard

_spec = importlib.util.spec_from_file_location("devices", Path(__file__).with_name("devices.py"))
devices = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(devices)

TASK = Path(__file__).resolve().parents[3] / "config" / "tasks" / "ram_insertion.yaml"
COMPACT = (0x256F, 0xC635, "3Dconnexion SpaceMouse Compact")
CALIBRATED = DeviceSpec(
    driver="hidraw",
    arm="arm",
    path="usb-1/input0",
    axes=AxesSpec(order=(1, 0, 2, 3, 4, 5), sign=(-1, 1, 1, 1, 1, 1), deadband=0.04),
    buttons=ButtonsSpec(success="left", discard="right"),
)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    (tmp_path / "kernel").mkdir()
    kernel = devices.Hidraw(tmp_path / "kernel")
    monkeypatch.setattr(hid_find, "find", lambda *_, real=hid_find.find: real(kernel.sys, kernel.dev))
    kernel.plug(0, *COMPACT)
    yield kernel
    kernel.close()


@pytest.fixture
def task_file(tmp_path):
    path = tmp_path / "ram_insertion.yaml"
    path.write_bytes(TASK.read_bytes())
    return path


def lines_added(before, after):
    """Every old line is still there, in order; the new ones."""
    old, new = iter(before.splitlines()), []
    expected = next(old, None)
    for line in after.splitlines():
        if line == expected:
            expected = next(old, None)
        else:
            new.append(line)
    assert expected is None, f"lost or changed: {expected}"
    return new


def test_a_device_is_written_and_everything_else_stays(task_file):
    before = task_file.read_text()
    write_device(task_file, 0, CALIBRATED)
    added = lines_added(before, task_file.read_text())
    assert added[0] == "  devices:"
    assert load_task(str(task_file)).operator.devices == (CALIBRATED,)
    other = CALIBRATED.model_copy(update={"path": "usb-9/input0"})
    write_device(task_file, 0, other)
    assert load_task(str(task_file)).operator.devices == (other,)
    assert lines_added(before, task_file.read_text())
    assert os.listdir(task_file.parent) == [task_file.name]


BLOCKS = """\
operator:
  kind: person   # me
  devices:   # two hands
    - driver: hidraw   # mine
      arm: left
    # the other
    - {driver: external, arm: right}   # stock

training: {window_episodes: 5}   # end
"""
LIST = "[{driver: hidraw, arm: left}, {driver: external, arm: right}]"
OPERATORS = [
    BLOCKS,
    f"operator:\n  devices: {LIST}  # both\n",
    f"operator: {{devices: {LIST}, hold_s: 0.1}}  # one line\n",
]


def two_armed(operator):
    task = yaml.safe_load(TASK.read_text())
    task["arms"] = [{**task["arms"][0], "name": name} for name in ("left", "right")]
    task["cameras"] = [{"name": "wrist_1", "arm": "left"}]
    for key in ("operator", "training"):
        del task[key]
    return yaml.safe_dump(task) + operator


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("index", [0, 1])
def test_one_device_of_two_is_replaced_in_any_style(task_file, operator, index):
    task_file.write_text(two_armed(operator))
    before = load_task(str(task_file))
    new = CALIBRATED.model_copy(update={"arm": ("left", "right")[index]})
    write_device(task_file, index, new)
    after = load_task(str(task_file))
    assert after.operator.devices[index] == new
    assert after.operator.devices[1 - index] == before.operator.devices[1 - index]
    assert after.training == before.training
    comments = set(re.findall(r"#.*", operator))
    lost = comments - set(re.findall(r"#.*", task_file.read_text()))
    assert lost <= ({"# mine"} if index == 0 else set())


@pytest.mark.parametrize(
    "operator",
    [
        "",
        "operator: {}\n",
        "operator: {hold_s: 0.1}   # short\n",
        "operator:\n  devices: []   # none yet\n",
        "operator:\n  devices:\n  - {driver: external, arm: left}   # left\n",
        "operator: {devices: [{driver: external, arm: left}]}\n",
    ],
)
def test_a_device_is_added_in_any_style(task_file, operator):
    task_file.write_text(two_armed(operator))
    earlier = load_task(str(task_file)).operator.devices
    new = CALIBRATED.model_copy(update={"arm": "right"})
    write_device(task_file, len(earlier), new)
    assert load_task(str(task_file)).operator.devices == (*earlier, new)
    assert set(re.findall(r"#.*", operator)) <= set(re.findall(r"#.*", task_file.read_text()))


def test_what_cannot_be_written_leaves_the_file_as_it_was(task_file):
    before = task_file.read_bytes()
    with pytest.raises(TaskError, match=r"device: 3, but operator.devices has 0"):
        write_device(task_file, 3, CALIBRATED)
    with pytest.raises(TaskError, match="'other' is not one of the arms"):
        write_device(task_file, 0, CALIBRATED.model_copy(update={"arm": "other"}))
    assert task_file.read_bytes() == before
    assert os.listdir(task_file.parent) == [task_file.name]


def test_shown_yaml_is_the_device():
    for indent in (0, 60):
        assert DeviceSpec.model_validate(yaml.safe_load(device_yaml(CALIBRATED, indent))) == CALIBRATED


class Person:
    """Reads what the wizard says and does it on a SpaceMouse that is built in turned by 90 degrees."""

    PUSHES = {  # device axis (1 based, signed) for each prompt: forward pushes the device to its right
        "x": 1, "y": -2, "z": -3, "roll": -5, "pitch": -4, "yaw": -6,
    }  # fmt: skip

    def __init__(self, kernel):
        self._kernel, self.said = kernel, []

    def hear(self, text):
        self.said.append(text)
        name = text.split(":")[0]
        if name in self.PUSHES and text.endswith("then let go."):
            first = name == "y" and not any("two axes" in line for line in self.said)
            self._in_background(self._push, self.PUSHES[name], first)
        if text.startswith("Press the button for success"):
            self._in_background(self._press, 0)
        if text.startswith("Press the button for discard"):
            self._in_background(self._press, 0)  # the same one: refused
        if "is taken" in text:
            self._in_background(self._press, 1)
        if text.startswith("Press the button for failure"):
            os.write(self.terminal, b"\n")
        if text.startswith("Press the button for gripper"):
            os.write(self.terminal, b"\ny\n")  # and yes, write it

    def _in_background(self, action, *arguments):
        threading.Thread(target=action, args=arguments, daemon=True).start()

    def _push(self, direction, sloppy):
        for size in (60, 180, 280, 280, 150, 0):
            counts = [0] * 6
            counts[abs(direction) - 1] = size if direction > 0 else -size
            if sloppy:
                counts[2] = size
            for k in (0, 1):
                report = bytes([k + 1]) + b"".join(
                    c.to_bytes(2, "little", signed=True) for c in counts[3 * k : 3 * k + 3]
                )
                self._kernel.report(0, report.hex())
            time.sleep(0.03)

    def _press(self, bit):
        time.sleep(0.05)
        self._kernel.report(0, f"03 0{1 << bit} 00")
        time.sleep(0.05)
        self._kernel.report(0, "03 00 00")


def test_the_wizard_finds_order_sign_scale_and_buttons(kernel):
    driver = HidrawDriver(DeviceSpec(driver="hidraw"))
    driver.open()
    person = Person(kernel)
    person.terminal, keyboard = pty.openpty()
    wizard = Wizard(driver, person.hear, keyboard)
    axes, buttons = wizard.axes(), wizard.buttons()
    assert axes.order == (1, 0, 2, 3, 4, 5)
    assert axes.sign == (-1, 1, 1, 1, 1, 1)
    assert axes.scale == (1.25,) * 6
    assert axes.deadband == (0.02,) * 6
    assert buttons == ButtonsSpec(success="left", discard="right")
    assert any("two axes moved" in line for line in person.said)
    driver.close()
    os.close(person.terminal)
    os.close(keyboard)


def test_calibrate_writes_the_task_file(kernel, task_file, monkeypatch, capsys):
    before, person = task_file.read_text(), Person(kernel)
    person.terminal, keyboard = pty.openpty()
    monkeypatch.setattr(sys, "stdin", os.fdopen(keyboard))
    monkeypatch.setattr(teleop_tool, "Wizard", lambda driver, _, stdin: Wizard(driver, person.hear, stdin))
    assert run("calibrate", "--task", str(task_file), "--driver", "hidraw", "--arm", "arm") == 0
    (device,) = load_task(str(task_file)).operator.devices
    assert (device.arm, device.axes.order) == ("arm", (1, 0, 2, 3, 4, 5))
    assert "written: operator.devices.0" in capsys.readouterr().out.replace("\n", " ")
    assert lines_added(before, task_file.read_text())
    os.close(person.terminal)
    sys.stdin.close()


def test_a_device_that_does_not_rest_is_refused(kernel):
    driver = HidrawDriver(DeviceSpec(driver="hidraw"))
    driver.open()
    kernel.report(0, "01 60 00 00 00 00 00")
    with pytest.raises(TaskError, match=r"0\.27 at rest"):
        Wizard(driver, print).axes()
    driver.close()


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        teleop_tool.main(arguments)
    return ended.value.code


def test_list_shows_what_is_plugged_in(kernel, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SPNAV_SOCKET", str(kernel.dev / "none"))
    assert run("list") == 0
    shown = capsys.readouterr().out
    for word in ("hidraw", "3Dconnexion SpaceMouse Compact", "USB", "usb-1/input0", "yes"):
        assert word in shown
    kernel.unplug(0)
    assert run("list") == 1
    assert "no SpaceMouse and no gamepad found" in capsys.readouterr().out


def test_check_shows_bars_of_the_calibrated_stick(kernel, capsys, task_file):
    write_device(task_file, 0, CALIBRATED.model_copy(update={"axes": AxesSpec(deadband=0.5)}))

    shown_enough = threading.Event()

    def hand():
        while not shown_enough.wait(0.01):
            if time.monotonic() - started > 1.0:  # the device has rested
                kernel.report(0, "01 00 00 f7 fe 00 00\n03 01 00")

    started, thread = time.monotonic(), threading.Thread(target=hand)
    thread.start()
    try:
        assert run("check", "--task", str(task_file), "--seconds", "2.5") == 0
    finally:
        shown_enough.set()
        thread.join()
    shown = capsys.readouterr().out
    assert "3Dconnexion SpaceMouse Compact" in shown
    assert re.search(r"x +\[ +\|█{10} +\] +\+0\.51", shown)  # 265 of 350, without a dead-band of a half
    assert "steering" in shown


def test_bars():
    assert check.bar(0).plain == f"[{' ' * 20}|{' ' * 20}]"
    assert check.bar(-0.5).plain == f"[{' ' * 10}{'█' * 10}|{' ' * 20}]"
    assert check.bar(3.0).plain == f"[{' ' * 20}|{'█' * 20}]"


def test_check_listens_to_any_driver():
    with RosGraph() as graph:
        peer = graph.peer()
        twists = peer.create_publisher(TwistStamped, topics.twist("left"), qos.TELEOP)
        joys = peer.create_publisher(Joy, topics.joy("left"), qos.TELEOP)
        listener = check.Listener("left")
        assert "silent" in listener.look().state

        def step():
            twists.publish(TwistStamped(twist=codec.twist_from_vector([0, -0.5, 0, 0, 0, 0])))
            joys.publish(Joy(buttons=[0, 1]))
            graph.spin_for(0.02)
            shown = listener.look()
            return shown.good and shown.buttons[1] and shown.stick[1] == -0.5

        graph.spin_until(step, 10, "the stock driver's topics")
        console = Console(file=io.StringIO(), width=100)
        console.print(check.picture(listener.look()))
        assert "publishing" in console.file.getvalue()

        def broken():
            message = TwistStamped()
            message.twist.linear.x = float("nan")
            twists.publish(message)
            graph.spin_for(0.02)
            shown = listener.look()
            return not shown.good and "finite" in shown.state and not shown.stick.any()

        graph.spin_until(broken, 10, "a driver that says nonsense is shown as such")
        listener._node.destroy_node()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check"], "name the driver, or the task"),
        (["check", "--task", str(TASK)], "no operator.devices"),
        (["check", "--task", "nothing_like_it"], "is unknown"),
        (["calibrate", "--driver", "hidraw"], "--task: missing"),
        (["calibrate", "--task", str(TASK), "--driver", "keyboard"], "nothing to calibrate"),
    ],
)
def test_wrong_arguments_end_with_one_clear_line(arguments, words, capsys):
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
