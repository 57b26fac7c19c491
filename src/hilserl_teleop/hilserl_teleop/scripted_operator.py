# SPDX-License-Identifier: Apache-2.0
"""The simulated person. The only code besides evaluation figures that may look at the simulator's truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hilserl_task import Task
from hilserl_task.frames import Array
from hilserl_teleop.craft import Push, View
from hilserl_teleop.crafts import known
from hilserl_teleop.gripper_thumb import GripperThumb
from hilserl_teleop.hand import Hand
from hilserl_teleop.judgement import Judgement

PHASES = ("labels", "demos", "train", "evaluate")


@dataclass(frozen=True)
class OperatorOutput:
    """One reading of the input devices.

    Attributes:
        sticks: (6,) deflection by arm, unit range, axes of the arm's base: translation xyz, rotation xyz.
        success_button, discard_button: levels.
        gripper_buttons: arms whose gripper button is down.
        intervening: whether the person has the stick in the hand.
    """

    sticks: Mapping[str, Array]
    success_button: bool = False
    discard_button: bool = False
    gripper_buttons: frozenset[str] = field(default_factory=frozenset)
    intervening: bool = False


class ScriptedOperator:
    """Answers every view with stick deflections and buttons.

    Args:
        task: its scene says what the person knows, `operator.scripted` how impatient and imprecise it is.
        phase: `labels` (show success and failure), `demos` (do the task), `train` (correct the policy when
            it strays or stalls), `evaluate` (hands off).
        rng: source of all randomness: the same generator state gives the same person.

    Attributes:
        craft: what the person knows of the task.

    Raises:
        TaskError: nobody knows how to do the task.
    """

    def __init__(self, task: Task, phase: str, rng: np.random.Generator) -> None:
        if phase not in PHASES:
            raise ValueError(f"operator: phase '{phase}' is unknown, must be one of {PHASES}; example: demos")
        self._task, self._phase = task, phase
        self._spec, self._period_s = task.operator.scripted, task.period_s
        # Presses the success button once the task is done, where somebody waits for it.
        self._says_success = phase == "demos" and task.demonstrations.gate in ("person", "both")
        self.use_random(rng)

    def use_random(self, rng: np.random.Generator) -> None:
        """Starts over with another generator (one per episode keeps episodes reproducible one by one)."""
        self._rng, scene = rng, known(self._task)
        self._hands = {
            arm.name: Hand(arm.action, self._spec.noise, self._period_s, rng) for arm in self._task.arms
        }
        self._thumbs = {arm.name: GripperThumb(self._period_s) for arm in self._task.arms}
        self.craft = scene.craft(self._task, rng)
        self._routine = scene.labels(self._task, self.craft, rng)
        self._judgement = Judgement(self._spec, self.craft, self._period_s)
        self.reset()

    def reset(self) -> None:
        """Prepares for the next episode."""
        for hand, thumb in zip(self._hands.values(), self._thumbs.values(), strict=True):
            hand.reset()
            thumb.reset()
        self.craft.reset()
        self._routine.reset()
        self._judgement.reset()
        # Whoever demonstrates waits for the reset with the hand on the stick: idle steps would be recorded.
        self._start_s = self._spec.reaction_delay_s * self._rng.uniform(0.0, 0.5)
        self._held = False

    def act(self, view: View, may_intervene: bool = True) -> OperatorOutput:
        """Sticks and buttons for one observation.

        Args:
            may_intervene: false when the mux does not let people in: the hand stays off.
        """
        _check(view)
        if self._phase == "evaluate" or not may_intervene or view.step * self._period_s < self._start_s:
            return self._hands_off()
        if self._phase == "labels":
            return self._show(view)
        if self._phase == "train" and not self._judgement.wants_control(view):
            return self._hands_off()
        if self.craft.finished(view):
            return self._hands_off(success_button=self._says_success)
        if not self._held:
            self.craft.reset()
        self._held = True
        return self._push(view, self.craft.moves(view))

    def _show(self, view: View) -> OperatorOutput:
        """Phase `labels`: the button tells what is seen in this very observation."""
        moves = self._routine.moves(view)
        finished = self.craft.finished(view)
        stop = self._routine.wants_to_stop(view) and not finished
        seen = bool(view.kind) if self._task.reward.classes else finished
        return self._push(view, moves, success_button=seen, discard_button=stop)

    def _push(
        self, view: View, moves: dict[str, Push], success_button: bool = False, discard_button: bool = False
    ) -> OperatorOutput:
        sticks, pressed = {}, set()
        for arm, hand in self._hands.items():
            move = moves.get(arm, Push.still())
            world_R_base = view.world_T[f"{arm}/base"][:3, :3]
            base_R_axes = world_R_base.T @ move.world_R_axes
            sticks[arm] = hand.push(move.wanted, base_R_axes, move.gain, self._spec.demonstration_speed)
            if self._thumbs[arm].press(move.open_hand, view.hand_open[arm]):
                pressed.add(arm)
        return OperatorOutput(sticks, success_button, discard_button, frozenset(pressed), intervening=True)

    def _hands_off(self, success_button: bool = False) -> OperatorOutput:
        self._held = False
        for thumb in self._thumbs.values():
            thumb.reset()
        return OperatorOutput({arm: hand.release() for arm, hand in self._hands.items()}, success_button)


def _check(view: View) -> None:
    """A person who sees nonsense lets go.

    Raises:
        ValueError: a pose or depth is not finite.
    """
    for name, pose in {**view.world_T_tcp, **view.world_T, "goal": view.world_T_goal}.items():
        if not np.isfinite(pose).all():
            raise ValueError(f"operator: pose of '{name}' must be a finite 4x4 matrix")
    if not np.isfinite(view.depth):
        raise ValueError(f"operator: depth {view.depth} must be finite")
