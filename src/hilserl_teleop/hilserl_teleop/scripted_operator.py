# SPDX-License-Identifier: Apache-2.0
"""The simulated person. The only code besides evaluation figures that may look at the simulator's truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilserl_task.frames import Array, inverse
from hilserl_task.operator_spec import ScriptedOperatorSpec
from hilserl_task.schema import ActionSpec
from hilserl_teleop.hand import Hand
from hilserl_teleop.insertion_skill import InsertionSkill
from hilserl_teleop.judgement import Judgement
from hilserl_teleop.label_routine import LabelRoutine

PHASES = ("labels", "demos", "train", "evaluate")
# Displacement covered per step by a person who watches the arm: below 1 because the arm lags.
GAIN = 0.8


@dataclass(frozen=True)
class OperatorOutput:
    """One reading of the input device.

    Attributes:
        stick: (6,) deflection, unit range, base axes: translation xyz, rotation xyz.
        success_button, discard_button: levels.
        intervening: whether the person has the stick in the hand.
    """

    stick: Array
    success_button: bool = False
    discard_button: bool = False
    intervening: bool = False


class ScriptedOperator:
    """Answers every observation with a stick deflection and buttons.

    Args:
        spec: how impatient and how imprecise the person is.
        action: scale of the stick.
        phase: `labels` (show success and failure), `demos` (do the task), `train` (correct the policy when
            it strays or stalls), `evaluate` (hands off).
        period_s: time between calls.
        rng: source of all randomness: the same generator state gives the same person.
        says_success: in phase `demos`, presses the success button once the task is done.
    """

    def __init__(
        self,
        spec: ScriptedOperatorSpec,
        action: ActionSpec,
        phase: str,
        period_s: float,
        rng: np.random.Generator,
        says_success: bool = False,
    ) -> None:
        if phase not in PHASES:
            raise ValueError(f"operator: phase '{phase}' is unknown, must be one of {PHASES}; example: demos")
        self._spec, self._phase, self._period_s = spec, phase, period_s
        self._says_success = says_success and phase == "demos"
        self.use_random(rng, action)

    def use_random(self, rng: np.random.Generator, action: ActionSpec) -> None:
        """Starts over with another generator (one per episode keeps episodes reproducible one by one)."""
        self._rng, self._action = rng, action
        self._hand = Hand(action, self._spec.noise, self._period_s, rng)
        self._skill = InsertionSkill(self._period_s, rng)
        self._routine = LabelRoutine(self._skill, self._period_s, rng)
        self._judgement = Judgement(self._spec, self._period_s)
        self.reset()

    def reset(self) -> None:
        """Prepares for the next episode."""
        self._hand.reset()
        self._skill.reset()
        self._routine.reset()
        self._judgement.reset()
        # Whoever demonstrates waits for the reset with the hand on the stick: idle steps would be recorded.
        self._start_s = self._spec.reaction_delay_s * self._rng.uniform(0.0, 0.5)
        self._held = False

    def act(
        self,
        base_T_tcp: Array,
        base_T_goal: Array,
        insertion_depth: float,
        success: bool,
        step: int,
        may_intervene: bool = True,
    ) -> OperatorOutput:
        """Stick and buttons for one observation.

        Args:
            base_T_tcp: 4x4 measured pose.
            base_T_goal: 4x4 tcp pose when inserted with this grasp; z points into the slot.
            insertion_depth: m.
            success: the task is done (as anyone can see).
            step: of the episode, 0 is the first observation.
            may_intervene: false when the mux does not let people in: the hand stays off.
        """
        success = success and self._seated(insertion_depth)
        if not (np.isfinite(base_T_tcp).all() and np.isfinite(base_T_goal).all()):
            raise ValueError("operator: poses must be finite 4x4 matrices")
        if self._phase == "evaluate" or not may_intervene or step * self._period_s < self._start_s:
            return self._hands_off()
        goal_T_tcp = inverse(base_T_goal) @ base_T_tcp
        if self._phase == "labels":
            return self._show(goal_T_tcp, base_T_goal, insertion_depth, success, step)
        if self._phase == "train" and not self._judgement.wants_control(goal_T_tcp, success):
            return self._hands_off()
        if success:
            return self._hands_off(success_button=self._says_success)
        if not self._held:
            self._skill.reset()
        displacement = self._skill.displacement(goal_T_tcp, insertion_depth)
        return self._push(displacement, base_T_goal)

    def _seated(self, insertion_depth: float) -> bool:
        """A person calls it done when nothing is left to push, which is stricter than the simulator's own
        criterion: a classifier that errs by a millimetre then still errs on the inserted side."""
        return insertion_depth >= self._spec.seated_depth_m

    def _show(
        self, goal_T_tcp: Array, base_T_goal: Array, depth: float, success: bool, step: int
    ) -> OperatorOutput:
        """Phase `labels`: the button tells what is seen in this very observation."""
        displacement = self._routine.displacement(goal_T_tcp, depth, success)
        stick = self._hand.push(displacement, base_T_goal[:3, :3], GAIN, self._spec.demonstration_speed)
        stop = self._routine.wants_to_stop(step) and not success
        return OperatorOutput(stick, success_button=success, discard_button=stop, intervening=True)

    def _push(self, displacement: Array, base_T_goal: Array) -> OperatorOutput:
        self._held = True
        stick = self._hand.push(displacement, base_T_goal[:3, :3], GAIN, self._spec.demonstration_speed)
        return OperatorOutput(stick, intervening=True)

    def _hands_off(self, success_button: bool = False) -> OperatorOutput:
        self._held = False
        return OperatorOutput(self._hand.release(), success_button=success_button)
