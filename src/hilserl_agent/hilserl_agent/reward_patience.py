# SPDX-License-Identifier: Apache-2.0
"""Realtime: how long the robot waits for a step to be judged before it goes on without."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

WAIT_PERIODS = 0.3  # share of the control period


class RewardPatience:
    """One wait at a time.

    Args:
        node: owner of the timer.
        period_s: of control.
        over: called when a wait has been too long.
    """

    def __init__(self, node: Node, period_s: float, over: Callable[[], None]) -> None:
        self._over = over
        self._given_up_at = -1
        self._timer = node.create_timer(WAIT_PERIODS * period_s, self._on_timer)
        self._timer.cancel()

    def begin_episode(self) -> None:
        """Nothing was waited for yet."""
        self._given_up_at = -1

    def is_over(self, step: int) -> bool:
        """Whether `step` need not wait any more; else the wait begins or goes on."""
        if self._given_up_at == step:
            return True
        if self._timer.is_canceled():
            self._timer.reset()
        return False

    def give_up(self, step: int) -> None:
        """`step` goes on without."""
        self._given_up_at = step

    def stop(self) -> None:
        """Ends a wait."""
        self._timer.cancel()

    def _on_timer(self) -> None:
        self._timer.cancel()
        self._over()
