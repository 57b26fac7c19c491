# SPDX-License-Identifier: Apache-2.0
"""What the values of a learned gripper mean, and what its changes cost (original: franka_env.py,
_send_gripper_command, binary mode; GripperPenaltyWrapper of the USB and handover tasks).

The state is the commanded one. The original compares the measured opening with 0.85 or 0.9, which a gripper
that reports 0.31 when open never reaches (defect D6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilserl_task.schema import GripperSpec, Task

CLOSED, OPEN = 0.0, 1.0  # positions of GripperCommand
CLOSE, STAY, OPENS = -1.0, 0.0, 1.0  # action values of the three commands
THRESHOLD = 0.5  # |value| from which it is a command (franka_env.py)


def asks_for(value: float) -> bool | None:
    """Whether an action value asks for an open (True) or a closed (False) gripper; None: neither."""
    if value <= -THRESHOLD:
        return False
    return True if value >= THRESHOLD else None


def starts_open(spec: GripperSpec) -> bool:
    """State of a learned gripper at the start of an episode."""
    return spec.position >= THRESHOLD


@dataclass
class GripperState:
    """Commanded state of one learned gripper. It persists until a value asks for the other state.

    Attributes:
        is_open: the state.
        changed_ns: of the last change; None: there was none.
        assumed: the state is a guess, so even a command for it has to be sent.
    """

    spec: GripperSpec
    is_open: bool
    changed_ns: int | None = None
    assumed: bool = False

    @staticmethod
    def at_start(spec: GripperSpec) -> GripperState:
        """As an episode begins; the first change waits for nothing."""
        return GripperState(spec, starts_open(spec))

    @property
    def position(self) -> float:
        """0 closed, 1 open: what is commanded."""
        return OPEN if self.is_open else CLOSED

    def rests(self, now_ns: int) -> bool:
        """Whether the last change is so recent that the next has to wait (`pause_s`)."""
        return self.changed_ns is not None and now_ns - self.changed_ns < self.spec.pause_s * 1e9

    def execute(self, value: float, now_ns: int) -> float:
        """Takes an action value; returns the one that was executed.

        A change that comes too early is not carried out, so `stay` is what happened and what is stored.
        """
        wanted = asks_for(value)
        if wanted is None:
            return value
        self.assumed = False
        if wanted == self.is_open:
            return value
        if self.rests(now_ns):
            return STAY
        self.is_open, self.changed_ns = wanted, now_ns
        return value

    def toggling_value(self) -> float:
        """The action value that asks for the other state."""
        return CLOSE if self.is_open else OPENS


class GripperPenalty:
    """Cost of an episode's gripper changes, from executed actions alone.

    Every change of state costs `gripper.penalty`, so that only useful ones are made; a command for the state
    that is costs nothing (original: close while open, or open while closed).
    """

    def __init__(self, task: Task) -> None:
        pairs = zip(task.arms, task.action_layout.arms, strict=True)
        self._columns = [(values.gripper, arm.gripper) for arm, values in pairs if values.gripper is not None]
        self._open = [starts_open(spec) for _, spec in self._columns]

    def of(self, action: ArrayLike) -> float:
        """Penalty (not positive) of the next executed action (a,) of the episode."""
        total = 0.0
        for number, (column, spec) in enumerate(self._columns):
            wanted = asks_for(float(action[column]))  # type: ignore[index,arg-type]
            if wanted is not None and wanted != self._open[number]:
                self._open[number] = wanted
                total += spec.penalty
        return total


def commanded_open(task: Task, actions: ArrayLike) -> NDArray[np.bool_]:
    """Whether every arm's gripper was commanded open before each action of an episode, and after the last.

    Args:
        actions: (T, a) executed, from the first of the episode on.

    Returns:
        (T + 1, arms); a fixed gripper stays what it is.
    """
    values = np.asarray(actions, np.float64).reshape(-1, task.action_dim)
    states = np.zeros((len(values) + 1, len(task.arms)), np.bool_)
    for number, (arm, layout) in enumerate(zip(task.arms, task.action_layout.arms, strict=True)):
        state = states[0, number] = starts_open(arm.gripper)
        for step, row in enumerate(values):
            wanted = None if layout.gripper is None else asks_for(float(row[layout.gripper]))
            state = state if wanted is None else wanted
            states[step + 1, number] = state
    return states
