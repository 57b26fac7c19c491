# SPDX-License-Identifier: Apache-2.0
"""What people do to a running episode, one class a kind. Nothing jumps: things are moved along a smooth path
or pushed with a bounded force, and what is in the way is felt.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import mujoco
import numpy as np

from hilserl_sim.arm import SimArm
from hilserl_sim.touch import Touch
from hilserl_task.evaluation_spec import ArmPushedSpec, BoardShiftsSpec, GripperOpenedSpec, ObjectMovedSpec
from hilserl_task.frames import Array

CLEAR_M = 0.003  # nearer than this, a stick is in the slot or about to be
PUSH_RATE = 100.0  # rad/s of a fingertip's spring; friction then holds a thing back by 0.25 mm
PUSH_LEVER_M = 0.03  # a fingertip turns a thing with its force at this lever


class Disturbance(ABC):
    """One kind. `draw` before every episode; then `start`, `move` in every cycle, `end`, once at most.

    Attributes:
        steps: control periods to wait: at least, at most.
        duration_s: from start to end.
    """

    steps: tuple[int, int]
    duration_s: float

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> None:
        """Draws where to and how much; the scene stands as the episode begins."""

    def possible(self) -> bool:
        """Whether it could start now."""
        return True

    @abstractmethod
    def start(self) -> None:
        """Begins."""

    def move(self, elapsed_s: float) -> None:  # noqa: B027  # not every kind moves
        """One cycle of it, `elapsed_s` after the start."""

    @abstractmethod
    def end(self) -> None:
        """Lets go."""

    def undo(self) -> None:  # noqa: B027  # a reset of the data undoes most
        """Puts back what a reset of the data leaves."""


class BoardShift(Disturbance):
    """A body that stands is shifted and turned about its own origin, while nothing is near it."""

    def __init__(self, model: mujoco.MjModel, touch: Touch, body: int, spec: BoardShiftsSpec) -> None:
        self._model, self._touch, self._body, self._spec = model, touch, body, spec
        self.steps, self.duration_s = spec.steps, spec.duration_s
        self._home: tuple[Array, Array] | None = None

    def draw(self, rng: np.random.Generator) -> None:
        """Direction, distance and turn."""
        self._offset = _horizontal(rng, self._spec.translation_m)
        self._turn = self._spec.yaw_rad * rng.uniform(-1.0, 1.0)

    def possible(self) -> bool:
        """A person does not tear a board from under a stick."""
        return self._touch.clear(self._body, CLEAR_M)

    def start(self) -> None:
        """Remembers where it stood."""
        model = self._model
        self._home = model.body_pos[self._body].copy(), model.body_quat[self._body].copy()

    def move(self, elapsed_s: float) -> None:
        """Somewhat further."""
        assert self._home is not None
        position, wxyz = self._home
        done = _smooth(elapsed_s / self.duration_s)
        half = done * self._turn / 2
        self._model.body_pos[self._body] = position + done * self._offset
        mujoco.mju_mulQuat(
            self._model.body_quat[self._body], np.array([np.cos(half), 0, 0, np.sin(half)]), wxyz
        )

    def end(self) -> None:
        """Where it shall be."""
        self.move(self.duration_s)

    def undo(self) -> None:
        """Where it stood: scenes that never move it rely on that."""
        if self._home is not None:
            self._model.body_pos[self._body], self._model.body_quat[self._body] = self._home
            self._home = None


class ArmPush(Disturbance):
    """A steady horizontal force on one of the hands."""

    def __init__(
        self, model: mujoco.MjModel, data: mujoco.MjData, arms: tuple[str, ...], spec: ArmPushedSpec
    ) -> None:
        self._data, self._spec = data, spec
        self._hands = [model.body(f"{arm}/hand").id for arm in arms]
        self.steps, self.duration_s = spec.steps, spec.duration_s

    def draw(self, rng: np.random.Generator) -> None:
        """Direction and force; which hand."""
        self._force = _horizontal(rng, self._spec.force_n)
        self._hand = self._hands[rng.integers(len(self._hands))]

    def start(self) -> None:
        """Leans against it."""
        self._data.xfrc_applied[self._hand, :3] = self._force

    def end(self) -> None:
        """Lets go."""
        self._data.xfrc_applied[self._hand] = 0.0


class ObjectPush(Disturbance):
    """A loose thing that lies is pushed along by a fingertip: a spring of bounded force pulls it."""

    def __init__(
        self, model: mujoco.MjModel, data: mujoco.MjData, touch: Touch, spec: ObjectMovedSpec
    ) -> None:
        self._model, self._data, self._touch, self._spec = model, data, touch, spec
        self.steps, self.duration_s = spec.steps, spec.duration_s
        self._velocity = np.zeros(6)  # angular, linear; of the centre of mass, world axes

    def draw(self, rng: np.random.Generator) -> None:
        """Direction, distance and turn; which thing."""
        self._offset = _horizontal(rng, self._spec.translation_m)[:2]
        self._turn = self._spec.yaw_rad * rng.uniform(-1.0, 1.0)
        self._body = self._touch.loose[rng.integers(len(self._touch.loose))]

    def possible(self) -> bool:
        """It lies, and no finger is at it."""
        return self._touch.lies(self._body)

    def start(self) -> None:
        """Remembers where it lay."""
        self._from = self._data.xipos[self._body, :2].copy()
        self._yaw_from = self._yaw()

    def move(self, elapsed_s: float) -> None:
        """Spring and damper between the thing and the moving fingertip."""
        model, data, body = self._model, self._data, self._body
        phase = elapsed_s / self.duration_s
        done, speed = _smooth(phase), _smooth_rate(phase) / self.duration_s
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_BODY, body, self._velocity, 0)
        behind = self._from + done * self._offset - data.xipos[body, :2]
        slower = speed * self._offset - self._velocity[3:5]
        force = model.body_subtreemass[body] * (PUSH_RATE**2 * behind + 2 * PUSH_RATE * slower)
        turn = np.remainder(self._yaw_from + done * self._turn - self._yaw() + np.pi, 2 * np.pi) - np.pi
        turn_slower = speed * self._turn - self._velocity[2]
        torque = model.body_inertia[body].max() * (PUSH_RATE**2 * turn + 2 * PUSH_RATE * turn_slower)
        most = self._spec.force_n
        data.xfrc_applied[body, :2] = force * min(1.0, most / max(float(np.linalg.norm(force)), 1e-9))
        data.xfrc_applied[body, 5] = np.clip(torque, -most * PUSH_LEVER_M, most * PUSH_LEVER_M)

    def end(self) -> None:
        """Lets go."""
        self._data.xfrc_applied[self._body] = 0.0

    def _yaw(self) -> float:
        axes = self._data.xmat[self._body]
        return float(np.arctan2(axes[3], axes[0]))


class GripperPull(Disturbance):
    """The fingers of hands that carry something are pulled apart; what was commanded stays commanded."""

    def __init__(self, arms: Mapping[str, SimArm], touch: Touch, spec: GripperOpenedSpec) -> None:
        self._arms, self._touch, self._spec = arms, touch, spec
        self.steps, self.duration_s = spec.steps, spec.duration_s
        self._pulled: list[SimArm] = []

    def draw(self, rng: np.random.Generator) -> None:
        """Which of the hands that carry."""
        self._choice = rng.uniform()

    def possible(self) -> bool:
        """Something is in the air."""
        return bool(self._touch.carrying())

    def start(self) -> None:
        """Pulls."""
        hands = self._touch.carrying()
        if self._spec.hands == "one":
            hands = (hands[int(self._choice * len(hands))],)
        self._pulled = [self._arms[hand] for hand in hands]
        for arm in self._pulled:
            arm.gripper.pull_apart(True)

    def end(self) -> None:
        """Lets go: the motor goes where it was told."""
        for arm in self._pulled:
            arm.gripper.pull_apart(False)


def _horizontal(rng: np.random.Generator, length: tuple[float, float]) -> Array:
    """(3,) of a length between the bounds, in any horizontal direction."""
    angle, size = rng.uniform(-np.pi, np.pi), rng.uniform(*length)
    return size * np.array([np.cos(angle), np.sin(angle), 0.0])


def _smooth(phase: float) -> float:
    """0 to 1 with the least jerk, at rest at both ends (Flash and Hogan 1985: how people reach)."""
    p = min(max(phase, 0.0), 1.0)
    return p**3 * (10 - 15 * p + 6 * p**2)


def _smooth_rate(phase: float) -> float:
    """Derivative of `_smooth`."""
    p = min(max(phase, 0.0), 1.0)
    return 30 * p**2 * (1 - p) ** 2
