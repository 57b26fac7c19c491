# SPDX-License-Identifier: Apache-2.0
"""Where success is out of the question whatever the pictures look like: bounds on entries of the state.

The original writes them into its tasks' reward functions (examples/experiments/*/config.py): RAM
`state[6] > 0.04` (travel along the tool), USB and handover `state[0] > 0.4` and `> 0.5` (gripper let go).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilserl_task import Task
from hilserl_task.reward_spec import GateSpec
from hilserl_task.spaces import state_names

TRAVEL = "start_position_z_m"  # of the first arm: reward.minimum_travel_m is a gate on it


class Gate:
    """All gates of a task.

    Args:
        task: `reward.gates` and `reward.minimum_travel_m`; entries were checked when the task was loaded.
    """

    def __init__(self, task: Task) -> None:
        gates = list(task.reward.gates)
        if task.reward.minimum_travel_m > 0:
            entry = f"{task.arms[0].name}/{TRAVEL}"
            gates.append(GateSpec(entry=entry, minimum=task.reward.minimum_travel_m))
        names = state_names(task)
        self._size = len(names)
        self._columns = np.array([names.index(gate.entry) for gate in gates], int)
        self._low = np.array([-np.inf if gate.minimum is None else gate.minimum for gate in gates])
        self._high = np.array([np.inf if gate.maximum is None else gate.maximum for gate in gates])
        self._texts = [_text(gate) for gate in gates]

    def holds(self, states: ArrayLike) -> NDArray[np.bool_]:
        """[N] bool for states [N, n], or a single value for (n,).

        A state of another length or with NaN in a gated entry does not pass: success would be a guess.
        """
        rows = np.asarray(states, float)
        if not len(self._columns):
            return np.ones(rows.shape[:-1], bool)
        if rows.shape[-1] != self._size:
            return np.zeros(rows.shape[:-1], bool)
        values = rows[..., self._columns]
        # float32 of a bound that is met exactly may lie a hair below it
        slack = 1e-6 * np.maximum(1.0, np.abs(values))
        return np.asarray(((values >= self._low - slack) & (values <= self._high + slack)).all(-1))

    def __str__(self) -> str:
        return " and ".join(self._texts) or "none"


def _text(gate: GateSpec) -> str:
    low = "" if gate.minimum is None else f"{gate.minimum:g} <= "
    high = "" if gate.maximum is None else f" <= {gate.maximum:g}"
    return f"{low}{gate.entry}{high}"
