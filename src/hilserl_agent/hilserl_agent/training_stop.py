# SPDX-License-Identifier: Apache-2.0
"""When training is over: running success and few interventions, over a window, for long enough."""

from __future__ import annotations

from collections import deque
from typing import Any

from hilserl_task.schema import TrainingSpec


class TrainingStop:
    """Watches finished training episodes. State is plain data, so that it survives a restart."""

    def __init__(self, spec: TrainingSpec) -> None:
        self.spec = spec
        self.stable = 0
        self._window: deque[tuple[bool, int, int]] = deque(maxlen=spec.window_episodes)

    @property
    def success_rate(self) -> float:
        """Share of successful episodes in the window, 0 when it is empty."""
        return sum(success for success, _, _ in self._window) / max(1, len(self._window))

    @property
    def intervention_rate(self) -> float:
        """Share of the window's steps that a person took."""
        return sum(human for _, _, human in self._window) / max(1, sum(steps for _, steps, _ in self._window))

    def add(self, success: bool, steps: int, intervention_steps: int) -> None:
        """Takes one finished episode (steps: actions taken)."""
        self._window.append((success, steps, intervention_steps))
        full = len(self._window) == self.spec.window_episodes
        good = self.success_rate >= self.spec.stop_success_rate
        calm = self.intervention_rate <= self.spec.stop_intervention_rate
        self.stable = self.stable + 1 if full and good and calm else 0

    def reason(self, total_steps: int) -> str | None:
        """Why training is over, or None."""
        if self.stable >= self.spec.stable_episodes:
            return (
                f"success {self.success_rate:.0%} and interventions {self.intervention_rate:.0%} over "
                f"{self.spec.window_episodes} episodes, {self.stable} episodes in a row"
            )
        if total_steps >= self.spec.max_steps:
            return f"step limit: {total_steps} of training.max_steps {self.spec.max_steps}"
        return None

    def state(self) -> dict[str, Any]:
        """What `restore` needs, JSON-ready."""
        return {"stable": self.stable, "window": [list(entry) for entry in self._window]}

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from `state()`."""
        self.stable = int(state.get("stable", 0))
        self._window.clear()
        self._window.extend((bool(a), int(b), int(c)) for a, b, c in state.get("window", []))
