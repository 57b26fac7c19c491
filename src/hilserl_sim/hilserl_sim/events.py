# SPDX-License-Identifier: Apache-2.0
"""What disturbs an episode: which events happen in it, when and how large (paper, Fig. 4).

Everything is drawn at the reset, for every kind from a stream of its own beside the episode's: the episode is
as it would be without events, and an event as it would be without the others. An event lets so many control
periods pass in which it could have happened, and happens in the next one in which it can; once in an episode.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import mujoco
import numpy as np

from hilserl_sim.arm import SimArm
from hilserl_sim.disturbances import ArmPush, BoardShift, Disturbance, GripperPull, ObjectPush
from hilserl_sim.touch import Touch
from hilserl_task import Task, TaskError
from hilserl_task.evaluation_spec import EVENT_KINDS, EventKind, EventSettings

AT_RESET: EventKind = "board_moved"  # the scene itself does it


@dataclass
class _Waiting:
    """An event to come; `periods` are left in which it could happen but does not yet."""

    kind: EventKind
    periods: int


@dataclass
class _Running:
    """An event under way since a cycle of the episode."""

    disturbance: Disturbance
    since: int


class Events:
    """Events of one episode after the other.

    Args:
        model, data: of the world.
        task: validated; says when and how large.
        arms: by name.
        fixture: body that a person could shift, as the scene names it; empty: there is none.

    Attributes:
        happened: kinds that have begun in this episode, in order.

    Raises:
        TaskError: the task asks for a kind that this scene does not have.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        task: Task,
        arms: Mapping[str, SimArm],
        fixture: str,
    ) -> None:
        self._scene = task.scene.name if task.scene is not None else ""
        self._period_cycles = task.cycles_per_step
        self._cycle_s = task.period_s / task.cycles_per_step
        self._offered = _offered(model, data, arms, fixture, task.evaluation.event_settings)
        self._fixture = fixture
        self._waiting: list[_Waiting] = []
        self._running: list[_Running] = []
        self._cycle = 0
        self.happened: tuple[EventKind, ...] = ()
        self.check(task.evaluation.disturbances)

    @property
    def kinds(self) -> tuple[EventKind, ...]:
        """What can happen in this scene."""
        fixed = (AT_RESET,) if self._fixture else ()
        return tuple(kind for kind in EVENT_KINDS if kind in self._offered or kind in fixed)

    @property
    def active(self) -> bool:
        """Something is under way or may still happen: `cycle` has to be called."""
        return bool(self._waiting or self._running)

    def check(self, kinds: Iterable[EventKind]) -> None:
        """Raises TaskError for a kind that this scene does not have."""
        for kind in kinds:
            if kind not in self.kinds:
                raise TaskError(
                    f"evaluation.events: scene '{self._scene}' has no '{kind}'; "
                    f"it has: {', '.join(self.kinds)}"
                )

    def stop(self) -> None:
        """Ends what is under way and puts back what was moved; call it before a reset."""
        for running in self._running:
            running.disturbance.end()
        for disturbance in self._offered.values():
            disturbance.undo()
        self._waiting, self._running, self.happened = [], [], ()

    def begin(self, kinds: Iterable[EventKind], rng: np.random.Generator) -> None:
        """A new episode, which stands as it begins. Takes no draws from `rng`, only its children. Kinds that
        the scene does not have are left out: `check` refuses them."""
        chosen = set(kinds) & set(self.kinds)
        self._cycle = 0
        if AT_RESET in chosen:
            self.happened = (AT_RESET,)
        if not chosen & set(self._offered):
            return
        for kind, stream in zip(EVENT_KINDS, rng.spawn(len(EVENT_KINDS)), strict=True):
            if kind in chosen and kind in self._offered:
                disturbance = self._offered[kind]
                periods = int(stream.integers(*disturbance.steps, endpoint=True))
                disturbance.draw(stream)
                self._waiting.append(_Waiting(kind, periods))

    def cycle(self) -> None:
        """One controller cycle, before its physics. Events begin between two control periods."""
        if self._cycle % self._period_cycles == 0:
            self._waiting = [waiting for waiting in self._waiting if not self._starts(waiting)]
        still = []
        for running in self._running:
            elapsed_s = (self._cycle - running.since) * self._cycle_s
            if elapsed_s < running.disturbance.duration_s:
                running.disturbance.move(elapsed_s)
                still.append(running)
            else:
                running.disturbance.end()
        self._running = still
        self._cycle += 1

    def _starts(self, waiting: _Waiting) -> bool:
        disturbance = self._offered[waiting.kind]
        if not disturbance.possible():
            return False
        if waiting.periods > 0:
            waiting.periods -= 1
            return False
        disturbance.start()
        self._running.append(_Running(disturbance, self._cycle))
        self.happened += (waiting.kind,)
        return True


def _offered(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    arms: Mapping[str, SimArm],
    fixture: str,
    settings: EventSettings,
) -> dict[EventKind, Disturbance]:
    """What a person can do in this scene while an episode runs."""
    touch = Touch(model, data, arms)
    offered: dict[EventKind, Disturbance] = {
        "arm_pushed": ArmPush(model, data, tuple(arms), settings.arm_pushed)
    }
    if fixture:
        offered["board_shifts"] = BoardShift(model, touch, model.body(fixture).id, settings.board_shifts)
    if touch.loose:
        offered["object_moved"] = ObjectPush(model, data, touch, settings.object_moved)
    if touch.loose and touch.hands:
        offered["gripper_opened"] = GripperPull(arms, touch, settings.gripper_opened)
    return offered
