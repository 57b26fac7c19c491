# SPDX-License-Identifier: Apache-2.0
"""Tool for input devices: which are there, what do they do, how are they calibrated.

ros2 run hilserl_teleop teleop list
ros2 run hilserl_teleop teleop check --task my_task
ros2 run hilserl_teleop teleop calibrate --task my_task
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import rclpy
from rich.console import Console
from rich.table import Table

from hilserl_task import Task, TaskError, load_task
from hilserl_task.completion import complete_with_shell
from hilserl_task.device_spec import DeviceSpec
from hilserl_task.loader import find_task_file
from hilserl_teleop import check, gamepad_node, hid_find
from hilserl_teleop.device_file import device_yaml, write_device
from hilserl_teleop.driver import DeviceGone, Driver
from hilserl_teleop.gamepad_node import GamepadDriver
from hilserl_teleop.hidraw_node import HidrawDriver
from hilserl_teleop.keyboard_node import KeyboardDriver
from hilserl_teleop.reader import Reader
from hilserl_teleop.spacenav_node import SpacenavDriver
from hilserl_teleop.spnav import NoDaemon, Spnav
from hilserl_teleop.wizard import Wizard

WRONG_INPUT, NO_DEVICE, INTERRUPTED = 2, 1, 130
LOCAL = ("hidraw", "spacenav", "gamepad", "keyboard")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Exit code 1: no device; 2: wrong arguments or task; 130: Ctrl-C."""
    parser = _parser()
    complete_with_shell(parser)
    options = parser.parse_args(arguments)
    try:
        code = options.run(options, Console())
    except TaskError as error:
        print(f"teleop: {error}", file=sys.stderr)
        code = WRONG_INPUT
    except DeviceGone as error:
        print(f"teleop: {error}", file=sys.stderr)
        code = NO_DEVICE
    except KeyboardInterrupt:
        code = INTERRUPTED
    raise SystemExit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="teleop", description="Input devices: find, look at, calibrate.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    one = commands.add_parser("list", help="devices that are plugged in")
    one.set_defaults(run=_list)
    one = commands.add_parser("check", help="axes and buttons, live, after calibration; Ctrl-C ends")
    _add_device(one)
    one.add_argument("--listen", action="store_true", help="show what is published, by whatever driver")
    one.add_argument("--seconds", type=float, metavar="S", help="end by itself after so long")
    one.set_defaults(run=_check)
    one = commands.add_parser(
        "calibrate",
        help="push each axis, press each button; writes the device into the task file",
        description="Asks to push each axis and to press each button, then writes order, sign, scale, "
        "dead-band and buttons into operator.devices of the task file. Comments stay.",
    )
    _add_device(one)
    one.set_defaults(run=_calibrate)
    return parser


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", metavar="NAME", help="name in config/tasks, or path of a task file")
    parser.add_argument(
        "--device", type=int, metavar="N", help="index in operator.devices (default: the only one)"
    )
    parser.add_argument("--driver", choices=LOCAL, help="a device that is not in the task file (yet)")
    parser.add_argument("--arm", metavar="NAME", help="the arm it moves (default: the device for all)")
    parser.add_argument("--path", metavar="PATH", help="which of several, as `teleop list` shows it")


# --- list ----------------------------------------------------------------------------------------


def _list(_: argparse.Namespace, console: Console) -> int:
    table = Table("driver", "device", "connection", "path", "serial", "readable", box=None, pad_edge=False)
    for mouse in hid_find.find():
        readable = "yes" if os.access(mouse.path, os.R_OK) else "no: udev rule, see README"
        where = mouse.port or str(mouse.path)
        table.add_row("hidraw", mouse.name, mouse.bus, where, mouse.serial or "none", readable)
    for pad in gamepad_node.find():
        table.add_row("gamepad", pad.name, "", pad.phys or pad.path, pad.uniq or "none", "yes")
        pad.close()
    try:
        spnav = Spnav()
        name = spnav.device_name() or "?" if spnav.has_device() else "no device"
        table.add_row("spacenav", f"spacenavd: {name}", "", "", "", "yes")
        spnav.close()
    except (NoDaemon, TaskError) as error:
        console.print(f"spacenav: {error}", style="dim")
    closed = [path for path in Path("/dev/input").glob("event*") if not os.access(path, os.R_OK)]
    if closed:
        hint = "sudo usermod -aG input $USER, then log in again"
        console.print(f"{len(closed)} input devices may not be read, gamepads perhaps: {hint}", style="dim")
    if not table.row_count:
        console.print("no SpaceMouse and no gamepad found; `teleop check --driver keyboard` always works")
        return NO_DEVICE
    console.print(table)
    return 0


# --- check ---------------------------------------------------------------------------------------


def _check(options: argparse.Namespace, console: Console) -> int:
    _, spec, where = _device(options)
    topic_only = spec.driver in ("external", "leader") or spec.topic is not None
    try:
        if options.listen or topic_only:
            _listen(spec, console, options.seconds)
        else:
            reader = Reader(spec, _driver(spec), where)
            try:
                check.show(check.of_reader(reader), console, options.seconds)
            finally:
                reader.close()
    except KeyboardInterrupt:
        return 0  # the usual end
    return 0


def _listen(spec: DeviceSpec, console: Console, seconds: float | None) -> None:
    rclpy.init(args=[])
    try:
        check.show(check.Listener(spec.arm).look, console, seconds)
    finally:
        rclpy.try_shutdown()


# --- calibrate -----------------------------------------------------------------------------------


def _calibrate(options: argparse.Namespace, console: Console) -> int:
    if options.task is None:
        raise TaskError("--task: missing; it is the file to write into; example: --task my_task")
    file = find_task_file(options.task)
    index, spec, _ = _device(options)
    if spec.driver not in ("hidraw", "spacenav", "gamepad") or spec.topic is not None:
        raise TaskError(f"driver: {spec.driver}: nothing to calibrate; example: --driver hidraw")
    if not sys.stdin.isatty():
        raise TaskError("calibrate asks questions, so it needs a terminal")
    driver = _driver(spec)
    try:
        driver.open()
        console.print(driver.title, style="bold", markup=False)
        wizard = Wizard(driver, lambda text: console.print(text, highlight=False), sys.stdin.fileno())
        found = spec.model_copy(update={"axes": wizard.axes(), "buttons": wizard.buttons()})
    finally:
        driver.close()
    console.print(device_yaml(found), highlight=False, markup=False, soft_wrap=True)
    if console.input(f"Write it to {file}? [Y/n] ").strip().lower() not in ("", "y", "yes"):
        console.print("nothing was changed")
        return 0
    write_device(file, index, found)
    console.print(
        f"written: operator.devices.{index} of {file}; look at it: teleop check --task {options.task}"
    )
    return 0


# --- which device --------------------------------------------------------------------------------


def _device(options: argparse.Namespace) -> tuple[int, DeviceSpec, str]:
    """Index, spec and place of the device that the options mean.

    Raises:
        TaskError: not clear which.
    """
    task = load_task(options.task) if options.task else None
    devices = task.operator.devices if task else ()
    if options.driver is not None:
        keys = {"driver": options.driver, "arm": options.arm, "path": options.path}
        return len(devices), DeviceSpec.model_validate(keys), f"--driver {options.driver}"
    index = _index(options, task)
    return index, devices[index], f"operator.devices.{index}"


def _index(options: argparse.Namespace, task: Task | None) -> int:
    devices = task.operator.devices if task else ()
    fitting = [k for k, device in enumerate(devices) if options.arm in (None, device.arm)]
    if options.device is not None:
        if not 0 <= options.device < len(devices):
            raise TaskError(f"--device: {options.device}, but operator.devices has {len(devices)}")
        return int(options.device)
    if len(fitting) == 1:
        return fitting[0]
    if not devices:
        raise TaskError(
            "no device in a task file; name the driver, or the task; example: --driver hidraw"
            if task is None
            else f"task '{task.name}' has no operator.devices; example: --driver hidraw"
        )
    raise TaskError(f"--device: the task has {len(devices)}; example: --device 0")


def _driver(spec: DeviceSpec) -> Driver:
    if spec.driver == "hidraw":
        return HidrawDriver(spec)
    if spec.driver == "spacenav":
        return SpacenavDriver(spec)
    if spec.driver == "gamepad":
        return GamepadDriver(spec)
    return KeyboardDriver()


if __name__ == "__main__":
    main()
