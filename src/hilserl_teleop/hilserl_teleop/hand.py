# SPDX-License-Identifier: Apache-2.0
"""A human hand on a stick: limited, smooth, and less exact the further it deflects."""

from __future__ import annotations

import numpy as np

from hilserl_task.frames import Array, rotate_both
from hilserl_task.action_spec import ActionSpec

HAND_TIME_CONSTANT_S = 0.06
DRIFT_TIME_CONSTANT_S = 0.3
# Share of the noise that spreads from the deflected axes to the others: nobody pushes one axis alone.
CROSS_TALK = 0.2


class Hand:
    """Turns a wanted displacement into a stick deflection, unit range, base axes."""

    def __init__(self, action: ActionSpec, noise: float, period_s: float, rng: np.random.Generator) -> None:
        scales = [action.translation_scale_m] * 3 + [action.rotation_scale_rad] * 3
        self._scales = np.array(scales)
        self._noise, self._rng = noise, rng
        self._follow = 1 - np.exp(-period_s / HAND_TIME_CONSTANT_S)
        self._keep = np.exp(-period_s / DRIFT_TIME_CONSTANT_S)
        self.reset()

    def reset(self) -> None:
        """Hand at rest."""
        self._stick, self._drift = np.zeros(6), np.zeros(6)

    def release(self) -> Array:
        """Lets go: a spring-centred stick is neutral at once."""
        self.reset()
        return np.zeros(6)

    def push(self, goal_displacement: Array, base_R_goal: Array, gain: float, speed: float) -> Array:
        """(6,) stick for a displacement (6,) [m, rad] in goal axes.

        Noise is correlated over 0.3 s and grows with the deflection: an operator with constant jitter cannot
        insert at all, because contact needs a tenth of a millimetre.
        """
        wanted = gain * rotate_both(base_R_goal, goal_displacement) / self._scales
        for part in (slice(0, 3), slice(3, 6)):
            wanted[part] /= max(1.0, float(np.abs(wanted[part]).max()) / speed)
        self._stick = self._stick + self._follow * (wanted - self._stick)
        unit = self._rng.standard_normal(6)
        self._drift = self._keep * self._drift + np.sqrt(1 - self._keep**2) * unit
        size = np.abs(self._stick)
        spread = np.repeat([np.linalg.norm(self._stick[:3]), np.linalg.norm(self._stick[3:])], 3)
        noise = self._noise * ((1 - CROSS_TALK) * size + CROSS_TALK * spread) * self._drift
        return np.clip(self._stick + noise, -1.0, 1.0)
