# SPDX-License-Identifier: Apache-2.0
"""Shows what a device does, live and calibrated: are axes and signs right, does it rest at zero."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import rclpy
from geometry_msgs.msg import TwistStamped
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from sensor_msgs.msg import Joy

from hilserl_ros import codec, qos, topics
from hilserl_task.device_spec import AXIS_NAMES, BUTTON_ACTIONS
from hilserl_task.frames import Array
from hilserl_teleop.reader import Reader
from hilserl_teleop.watchdog import State

REFRESH_HZ = 20
WIDTH = 20  # characters of a half bar
DIRECTIONS = ("back | forward", "right | left", "down | up", "", "", "")
OLD_S = 0.2
MOST_MESSAGES = 40  # a look; two topics of 100 Hz are 10


@dataclass(frozen=True)
class Shown:
    """One look."""

    title: str
    state: str
    good: bool
    stick: Array
    buttons: Sequence[bool]
    pressed: str = ""


def of_reader(reader: Reader) -> Callable[[], Shown]:
    """Looks at a device of this computer."""

    def look() -> Shown:
        reading = reader.read(time.monotonic())
        text = reading.problem or reading.state.value
        pressed = ", ".join(sorted(reader.driver.pressed, key=lambda name: (name.isdigit(), name)))
        good = reading.state is State.STEERING
        return Shown(reader.driver.title, text, good, reading.stick, reading.buttons, pressed)

    return look


class Listener:
    """Looks at what any driver publishes, the stock one included.

    Args:
        arm: whose device; None for the one of all arms.
    """

    def __init__(self, arm: str | None) -> None:
        self._node = rclpy.create_node("teleop_check")
        self._title = topics.twist(arm)
        self._stick, self._buttons, self._heard_s = np.zeros(6), [False] * 4, -np.inf
        self._problem = ""
        self._node.create_subscription(TwistStamped, topics.twist(arm), self._on_twist, qos.TELEOP)
        self._node.create_subscription(Joy, topics.joy(arm), self._on_joy, qos.TELEOP)

    def look(self) -> Shown:
        """The newest of both topics."""
        for _ in range(MOST_MESSAGES):
            rclpy.spin_once(self._node, timeout_sec=0.0)
        silent = time.monotonic() - self._heard_s > OLD_S
        pressed = ", ".join(str(n) for n, down in enumerate(self._buttons) if down)
        state = "silent: nobody publishes" if silent else self._problem or "publishing"
        good = not silent and not self._problem
        return Shown(self._title, state, good, self._stick, self._buttons[:4], pressed)

    def _on_twist(self, message: TwistStamped) -> None:
        self._heard_s = time.monotonic()
        try:
            self._stick, self._problem = codec.vector_from_twist(message.twist), ""
        except ValueError as error:  # another maker's driver
            self._stick, self._problem = np.zeros(6), str(error)

    def _on_joy(self, message: Joy) -> None:
        self._buttons = [bool(level) for level in message.buttons]


def show(look: Callable[[], Shown], console: Console, seconds: float | None) -> None:
    """Shows until Ctrl-C, or for a while."""
    end = np.inf if seconds is None else time.monotonic() + seconds
    with Live(console=console, refresh_per_second=REFRESH_HZ) as live:
        while time.monotonic() < end:
            live.update(picture(look()))
            time.sleep(1.0 / REFRESH_HZ)


def picture(shown: Shown) -> Group:
    """The look as bars."""
    table = Table(box=None, pad_edge=False)
    for heading in ("axis", "", "", "− | +"):
        table.add_column(heading)
    for name, value, directions in zip(AXIS_NAMES, shown.stick, DIRECTIONS, strict=True):
        table.add_row(name, bar(float(value)), f"{value:+.2f}", directions)
    buttons = Text("buttons  ")
    for action, down in zip(BUTTON_ACTIONS, shown.buttons, strict=False):
        buttons.append(f" {action} ", style="reverse bold" if down else "dim").append(" ")
    pressed = Text(f"pressed   {shown.pressed or 'none'}", style="dim")
    state = Text(f"{shown.title}: {shown.state}", style="green" if shown.good else "bold red")
    return Group(state, table, buttons, pressed, Text("Ctrl-C ends", style="dim"))


def bar(value: float) -> Text:
    """A bar from the middle, left for negative."""
    filled = round(min(abs(value), 1.0) * WIDTH)
    left = " " * (WIDTH - filled) + "█" * filled if value < 0 else " " * WIDTH
    right = "█" * filled + " " * (WIDTH - filled) if value > 0 else " " * WIDTH
    return Text(f"[{left}|{right}]")
