# SPDX-License-Identifier: Apache-2.0
"""How a practised person puts a stick into its slot: align, push, search when it jams, retry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hilserl_task.frames import Array, position_and_rotvec


@dataclass(frozen=True)
class SkillNumbers:
    """Sizes of the movements. The slot leaves 0.5 mm to either side (facts of the RAM scene)."""

    clearance_m: float = 0.003  # above the rim while aligning the last millimetre
    hover_m: float = 0.012  # above the rim while still far to the side
    aligned_m: float = 0.0004
    aligned_rad: float = 0.02
    lost_m: float = 0.0025  # sideways, stick still outside: align again
    entered_m: float = 0.0015  # depth from which walls guide the stick and a full push is safe
    descent_m: float = 0.004  # displacement asked for while the rim is near: slow
    push_m: float = 0.010  # displacement asked for inside the slot: full deflection
    progress_m: float = 0.0004  # depth gained that counts as progress
    search_after_s: float = 0.4
    lift_after_s: float = 1.4
    search_m: float = 0.0022  # with 2000 N/m about 4 N to the side, enough to slide along the rim
    search_rad: float = 0.02
    lift_m: float = 0.006


class InsertionSkill:
    """Desired displacement of the tool, step by step, from its pose relative to the inserted pose.

    All poses are `goal_T_tcp`: the goal is the tcp pose when fully inserted, its z axis points into the slot.
    """

    def __init__(self, period_s: float, rng: np.random.Generator) -> None:
        self.numbers = SkillNumbers()
        self._period_s, self._rng = period_s, rng
        self.reset()

    def reset(self) -> None:
        """Forgets the episode."""
        self.stage = "align"
        self._best_depth = -np.inf
        self._stuck_s = 0.0
        self._search_angle = self._rng.uniform(0, 2 * np.pi)

    def displacement(self, goal_T_tcp: Array, insertion_depth: float) -> Array:
        """(6,) wanted displacement in goal axes, m and rad, with respect to the measured pose.

        Args:
            goal_T_tcp: 4x4 measured pose relative to the inserted pose.
            insertion_depth: of the stick below the rim [m], negative above it.
        """
        error = position_and_rotvec(goal_T_tcp)
        lateral, turned = float(np.hypot(error[0], error[1])), float(np.linalg.norm(error[3:]))
        self._choose_stage(lateral, turned, insertion_depth)
        wanted = -error
        if self.stage == "align":
            wanted[2] = -insertion_depth - self._align_height(lateral, turned)
        elif self.stage == "lift":
            wanted[2] = -insertion_depth - self.numbers.lift_m
        else:
            inside = insertion_depth > self.numbers.entered_m
            wanted[2] = self.numbers.push_m if inside else self.numbers.descent_m
            if self.stage == "search":
                wanted += self._search()
        return wanted

    def _choose_stage(self, lateral: float, turned: float, depth: float) -> None:
        n = self.numbers
        inside = depth > n.entered_m
        if self.stage == "lift" and depth < -0.8 * n.lift_m:
            self._enter("align")
        elif self.stage == "align" and (
            inside or (lateral < n.aligned_m and turned < n.aligned_rad and depth > -n.hover_m)
        ):
            self._enter("insert")
        elif self.stage in ("insert", "search"):
            self._count_stuck(depth)
            if (not inside and lateral > n.lost_m) or self._stuck_s > n.lift_after_s:
                self._enter("lift")
            else:
                self.stage = "search" if self._stuck_s > n.search_after_s else "insert"

    def _enter(self, stage: str) -> None:
        self.stage = stage
        self._best_depth, self._stuck_s = -np.inf, 0.0
        self._search_angle = self._rng.uniform(0, 2 * np.pi)

    def _count_stuck(self, depth: float) -> None:
        if depth > self._best_depth + self.numbers.progress_m:
            self._best_depth, self._stuck_s = depth, 0.0
        else:
            self._stuck_s += self._period_s

    def _align_height(self, lateral: float, turned: float) -> float:
        """Above the rim; higher while further off: the stick must not scrape over the board."""
        n = self.numbers
        return n.clearance_m + min(n.hover_m - n.clearance_m, 1.5 * lateral + 0.05 * turned)

    def _search(self) -> Array:
        """A sideways push whose direction turns, with a small twist of the wrist."""
        self._search_angle += 2 * np.pi * self._period_s / 0.5
        angle, n = self._search_angle, self.numbers
        sideways = n.search_m * np.array([np.cos(angle), np.sin(angle)])
        return np.array([*sideways, 0.0, 0.0, 0.0, n.search_rad * np.sin(0.5 * angle)])
