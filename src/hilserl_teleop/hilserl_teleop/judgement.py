# SPDX-License-Identifier: Apache-2.0
"""When a person watching the policy decides to step in: it strays, or it makes no progress."""

from __future__ import annotations

import numpy as np

from hilserl_task.frames import Array, position_and_rotvec
from hilserl_task.operator_spec import ScriptedOperatorSpec

FIRST_LOOK_S = 1.0  # nobody steps in during the first second
REGION_HEIGHT_M = (-0.01, 0.12)  # of the tcp above the inserted pose
REGION_TURN_RAD = 0.35
ON_TRACK_LATERAL_M = 0.01
PROGRESS_M = 0.001
ROUNDING_S = 1e-6  # times are sums of periods
RADIUS_M = 0.05  # turns a rotation error into a distance: half the length of the stick, roughly


class Judgement:
    """Says in every step whether the person wants the stick."""

    def __init__(self, spec: ScriptedOperatorSpec, period_s: float) -> None:
        self._spec, self._period_s = spec, period_s
        self.reset()

    def reset(self) -> None:
        """Forgets the episode."""
        self.reason = ""
        self._time_s = 0.0
        self._best = np.inf
        self._waiting_s = 0.0
        self._worried_s = 0.0
        self._holding_s = 0.0

    def wants_control(self, goal_T_tcp: Array, success: bool) -> bool:
        """One step of watching or correcting; `goal_T_tcp` 4x4 relative to the inserted pose."""
        self._time_s += self._period_s
        if success:
            self._let_go()
            return False
        if self.reason:
            return self._keep_correcting(goal_T_tcp)
        worry = self._worry(goal_T_tcp)
        self._worried_s = self._worried_s + self._period_s if worry else 0.0
        reacted = self._worried_s > self._spec.reaction_delay_s - ROUNDING_S
        if worry and reacted and self._time_s > FIRST_LOOK_S + ROUNDING_S:
            self.reason = worry
            self._holding_s = self._period_s
            return True
        return False

    def _worry(self, goal_T_tcp: Array) -> str:
        """`stray`, `stall` or nothing."""
        error = position_and_rotvec(goal_T_tcp)
        distance = float(np.linalg.norm(error[:3]) + RADIUS_M * np.linalg.norm(error[3:]))
        if distance < self._best - PROGRESS_M:
            self._best, self._waiting_s = distance, 0.0
        else:
            self._waiting_s += self._period_s
        if self._outside(error):
            return "stray"
        return "stall" if self._waiting_s > self._spec.patience_s - ROUNDING_S else ""

    def _outside(self, error: Array) -> bool:
        low, high = REGION_HEIGHT_M
        return bool(
            np.hypot(*error[:2]) > self._spec.stray_distance_m
            or not low < -error[2] < high
            or np.linalg.norm(error[3:]) > REGION_TURN_RAD
        )

    def _keep_correcting(self, goal_T_tcp: Array) -> bool:
        """A stray arm is brought back over the slot; a stalled one is helped for as long as it takes."""
        self._holding_s += self._period_s
        error = position_and_rotvec(goal_T_tcp)
        on_track = np.hypot(*error[:2]) < ON_TRACK_LATERAL_M and not self._outside(error)
        if self._holding_s > self._spec.takeover_s + ROUNDING_S or (self.reason == "stray" and on_track):
            self._let_go()
            return False
        return True

    def _let_go(self) -> None:
        """Watches again, with fresh patience."""
        self.reason = ""
        self._best, self._waiting_s, self._worried_s, self._holding_s = np.inf, 0.0, 0.0, 0.0
