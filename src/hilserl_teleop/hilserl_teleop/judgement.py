# SPDX-License-Identifier: Apache-2.0
"""When a person watching the policy decides to step in: it strays, or it makes no progress."""

from __future__ import annotations

import numpy as np

from hilserl_task.operator_spec import ScriptedOperatorSpec
from hilserl_teleop.craft import Craft, View

FIRST_LOOK_S = 1.0  # nobody steps in during the first second
PROGRESS_M = 0.001
ROUNDING_S = 1e-6  # times are sums of periods


class Judgement:
    """Says in every step whether the person wants the stick."""

    def __init__(self, spec: ScriptedOperatorSpec, craft: Craft, period_s: float) -> None:
        self._spec, self._craft, self._period_s = spec, craft, period_s
        self.reset()

    def reset(self) -> None:
        """Forgets the episode."""
        self.reason = ""
        self._time_s = 0.0
        self._best = np.inf
        self._waiting_s = 0.0
        self._worried_s = 0.0
        self._holding_s = 0.0

    def wants_control(self, view: View) -> bool:
        """One step of watching or correcting."""
        self._time_s += self._period_s
        if self._craft.finished(view):
            self._let_go()
            return False
        if self.reason:
            return self._keep_correcting(view)
        worry = self._worry(view)
        self._worried_s = self._worried_s + self._period_s if worry else 0.0
        reacted = self._worried_s > self._spec.reaction_delay_s - ROUNDING_S
        if worry and reacted and self._time_s > FIRST_LOOK_S + ROUNDING_S:
            self.reason = worry
            self._holding_s = self._period_s
            return True
        return False

    def _worry(self, view: View) -> str:
        """`stray`, `stall` or nothing."""
        distance = self._craft.distance_m(view)
        if distance < self._best - PROGRESS_M:
            self._best, self._waiting_s = distance, 0.0
        else:
            self._waiting_s += self._period_s
        if self._craft.astray(view):
            return "stray"
        return "stall" if self._waiting_s > self._spec.patience_s - ROUNDING_S else ""

    def _keep_correcting(self, view: View) -> bool:
        """A stray arm is brought back on its way; a stalled one is helped for as long as it takes."""
        self._holding_s += self._period_s
        back = self.reason == "stray" and self._craft.back_on_track(view)
        if self._holding_s > self._spec.takeover_s + ROUNDING_S or back:
            self._let_go()
            return False
        return True

    def _let_go(self) -> None:
        """Watches again, with fresh patience."""
        self.reason = ""
        self._best, self._waiting_s, self._worried_s, self._holding_s = np.inf, 0.0, 0.0, 0.0
