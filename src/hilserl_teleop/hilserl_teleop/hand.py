# SPDX-License-Identifier: Apache-2.0
"""A human hand on a stick: limited, smooth, and less exact the further it deflects."""

from __future__ import annotations

import numpy as np

from hilserl_task.action_spec import ActionSpec
from hilserl_task.frames import Array, rotate_both

HAND_TIME_CONSTANT_S = 0.06
DRIFT_TIME_CONSTANT_S = 0.3
# Share of the noise that spreads from the deflected axes to the others: nobody pushes one axis alone.
CROSS_TALK = 0.2


class Hand:
    """Turns a wanted displacement, or of an arm with wrench actions a wanted wrench, into a stick deflection,
    unit range, base axes."""

    def __init__(self, action: ActionSpec, noise: float, period_s: float, rng: np.random.Generator) -> None:
        self._action = action
        self._scales = np.full(6, np.inf)  # no stick for what nobody commands
        self._scales[list(action.axes)] = action.scales
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

    def push(self, wanted: Array, base_R_axes: Array, gain: float, speed: float) -> Array:
        """(6,) stick for a displacement (6,) [m, rad] in the axes given; or for a wrench (6,) [N, Nm].

        A wrench is asked for as it is: it does not lag like an arm, so gain and speed mean nothing. It is in
        the axes of the action; `base_R_axes` counts for those of the tcp.

        Noise is correlated over 0.3 s and grows with the deflection: an operator with constant jitter cannot
        insert at all, because contact needs a tenth of a millimetre.
        """
        if self._action.type == "wrench":
            goal = self._for_wrench(wanted, base_R_axes)
        else:
            goal = self._for_displacement(wanted, base_R_axes, gain, speed)
        self._stick = self._stick + self._follow * (goal - self._stick)
        unit = self._rng.standard_normal(6)
        self._drift = self._keep * self._drift + np.sqrt(1 - self._keep**2) * unit
        size = np.abs(self._stick)
        spread = np.repeat([np.linalg.norm(self._stick[:3]), np.linalg.norm(self._stick[3:])], 3)
        noise = self._noise * ((1 - CROSS_TALK) * size + CROSS_TALK * spread) * self._drift
        return np.clip(self._stick + noise, -1.0, 1.0)

    def _for_displacement(self, wanted: Array, base_R_axes: Array, gain: float, speed: float) -> Array:
        stick = gain * rotate_both(base_R_axes, wanted) / self._scales
        for part in (slice(0, 3), slice(3, 6)):
            stick[part] /= max(1.0, float(np.abs(stick[part]).max()) / speed)
        return stick

    def _for_wrench(self, wanted: Array, base_R_axes: Array) -> Array:
        stick = np.clip(wanted / self._scales, -1.0, 1.0)
        return rotate_both(base_R_axes, stick) if self._action.frame == "tcp" else stick
