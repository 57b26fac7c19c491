# SPDX-License-Identifier: Apache-2.0
"""One arm on its way to the start of an episode: what it shall do now, and whether it is there. No ROS."""

from __future__ import annotations

import numpy as np

from hilserl_intervention.reset_path import way
from hilserl_task.frames import Array
from hilserl_task.path import Path, off_by
from hilserl_task.reset_spec import ResetSpec
from hilserl_task.schema import ArmSpec

FRESH_S = 0.3  # a controller that says nothing for so long is dead
SETTLE_S = 0.3  # at the start pose for so long
PATIENCE_S = 5.0  # after the end of the way


class ResetFailed(RuntimeError):
    """The arm cannot be brought to the start; the text says why."""


class ArmReset:
    """Follows a planned way and watches the arm follow.

    Args:
        spec: of the arm, whose workspace bounds the way.
        reset: speeds and tolerances.
    """

    def __init__(self, spec: ArmSpec, reset: ResetSpec) -> None:
        self.spec, self._reset = spec, reset
        self._pose: Array | None = None
        self._seen_at = -np.inf
        self._path: Path | None = None
        self._began_at = 0.0
        self._near_since: float | None = None

    def measured(self, base_T_tcp: Array, now_s: float) -> None:
        """Takes the measured pose (4x4)."""
        self._pose, self._seen_at = base_T_tcp, now_s

    def speaks(self, now_s: float) -> bool:
        """Its controller has spoken just now."""
        return self._pose is not None and now_s - self._seen_at <= FRESH_S

    def plan(self, base_T_start: Array, now_s: float) -> None:
        """Plans from where the arm is.

        Raises:
            ResetFailed: no fresh state.
        """
        poses = way(self._fresh(now_s), base_T_start, self._reset, self.spec.controller.workspace)
        self._path, self._began_at, self._near_since = Path(poses, self._reset), now_s, None

    def target(self, now_s: float) -> Array:
        """base_T_target (4x4) of this moment.

        Raises:
            ResetFailed: the controller is silent, or the arm does not get there.
        """
        here, path = self._fresh(now_s), self._planned()
        distance, angle = off_by(here, path.end)
        late = now_s - self._began_at - path.duration_s
        if late > PATIENCE_S:
            raise ResetFailed(
                f"arm '{self.spec.name}' is {1e3 * distance:.0f} mm and {np.degrees(angle):.1f} degrees from "
                f"the start pose {late:.0f} s after it should be there; is it blocked, or in a reflex?"
            )
        return path.at(now_s - self._began_at)

    def arrived(self, now_s: float) -> bool:
        """At the start pose, and has been for a moment."""
        path = self._planned()
        distance, angle = off_by(self._fresh(now_s), path.end)
        near = distance < self._reset.tolerance_m and angle < self._reset.tolerance_rad
        if not near or now_s - self._began_at < path.duration_s:
            self._near_since = None
        elif self._near_since is None:
            self._near_since = now_s
        return self._near_since is not None and now_s - self._near_since >= SETTLE_S

    def progress(self, now_s: float) -> float:
        """Share of the way by time, 0 to 1."""
        if self._path is None or self._path.duration_s <= 0:
            return 0.0
        return min((now_s - self._began_at) / self._path.duration_s, 1.0)

    def _fresh(self, now_s: float) -> Array:
        if self._pose is None or not self.speaks(now_s):
            age = "never spoke" if self._pose is None else f"is silent for {now_s - self._seen_at:.1f} s"
            raise ResetFailed(f"controller of arm '{self.spec.name}' {age}; is it active?")
        return self._pose

    def _planned(self) -> Path:
        assert self._path is not None, "plan first"
        return self._path
