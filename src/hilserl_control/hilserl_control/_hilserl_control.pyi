# SPDX-License-Identifier: Apache-2.0
"""Types of the compiled module. Arrays are float64; what a property returns is a read-only copy."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.uint8]

MAX_JOINTS: int
MODE_POSE: int
MODE_TWIST: int
MODE_WRENCH: int
MODE_POSE_AND_WRENCH: int
LIMIT_CLIP: int
LIMIT_WORKSPACE: int
LIMIT_SPEED: int
LIMIT_WRENCH_CAP: int
LIMIT_INVALID_TARGET: int
LIMIT_WRENCH: int
LIMIT_WRENCH_RATE: int
LIMIT_WALL: int
JOINT_LIMIT_EFFORT: int
JOINT_LIMIT_RATE: int
JOINT_LIMIT_POSITION: int

class _Array:
    """A property that takes anything like an array and returns an array."""

    def __get__(self, instance: object, owner: type | None = None) -> Array: ...
    def __set__(self, instance: object, value: ArrayLike) -> None: ...

class _OptionalArray:
    """The same, or None."""

    def __get__(self, instance: object, owner: type | None = None) -> Array | None: ...
    def __set__(self, instance: object, value: ArrayLike | None) -> None: ...

class Gains:
    """One compliance profile; (6,) each: x y z, then rotation about x y z, base axes."""

    stiffness: _Array
    damping: _OptionalArray
    damping_ratio: _Array
    integral: _Array
    clip_negative: _Array
    clip_positive: _Array
    def __init__(self) -> None: ...
    @property
    def push_negative(self) -> Array:
        """(6,) N, Nm: how hard a blocked arm pushes towards minus."""

    @property
    def push_positive(self) -> Array: ...
    def set_push_limits(self, negative: ArrayLike, positive: ArrayLike) -> None:
        """Set the clips from (6,) N, Nm magnitudes. ValueError naming the axis, the value and the rule."""

class OrientationBound:
    """Bound of the target orientation: rotation vector (rad, base axes) from a reference, per axis."""

    def __init__(self, reference: ArrayLike, minimum: ArrayLike, maximum: ArrayLike) -> None: ...
    @property
    def reference(self) -> Array: ...
    @property
    def minimum(self) -> Array: ...
    @property
    def maximum(self) -> Array: ...

class ControllerConfig:
    """Numbers of the law; see the package's README for units and defaults."""

    joints: int
    effort_limits: _Array
    joint_lower: _Array
    joint_upper: _Array
    max_effort_rate: _Array
    joint_limit_margin: float
    joint_limit_effort: float
    workspace_min: _Array
    workspace_max: _Array
    orientation_bound: OrientationBound | None
    max_linear_speed: float
    max_angular_speed: float
    reference_time_constant: float
    gain_time_constant: float
    target_timeout: float
    twist_timeout: float
    wrench_timeout: float
    max_period: float
    wrench_cap: _Array
    integral_cap: _Array
    wrench_gains: Gains
    wrench_limit_negative: _Array
    wrench_limit_positive: _Array
    max_wrench_rate: _Array
    wall_stiffness: _Array
    wall_damping: _Array
    wall_margin: _Array
    wall_cap: _Array
    nullspace_mode: Literal["none", "kinematic", "dynamic"]
    nullspace_stiffness: float
    joint1_nullspace_stiffness: float
    nullspace_damping_ratio: float
    nullspace_regularization: float
    nullspace_posture: _OptionalArray
    gains: Gains
    def __init__(self) -> None: ...
    def validate(self) -> None:
        """Raise ValueError naming the first wrong field, its value and the rule."""

class State:
    """Snapshot of what the last update did, base axes."""

    @property
    def reference_position(self) -> Array: ...
    @property
    def reference_quaternion(self) -> Array: ...
    @property
    def error(self) -> Array: ...
    @property
    def error_clipped(self) -> Array: ...
    @property
    def wrench(self) -> Array: ...
    @property
    def push_negative(self) -> Array: ...
    @property
    def push_positive(self) -> Array: ...
    @property
    def commanded_wrench(self) -> Array: ...
    @property
    def wall_wrench(self) -> Array: ...
    @property
    def mode(self) -> int: ...
    @property
    def wrench_stale(self) -> bool: ...
    @property
    def nullspace_fallback(self) -> bool: ...
    @property
    def effort(self) -> Array: ...
    @property
    def target_age(self) -> float: ...
    @property
    def holding(self) -> bool: ...
    @property
    def invalid_measurement(self) -> bool: ...
    @property
    def limit_flags(self) -> Flags: ...
    @property
    def joint_limit_flags(self) -> Flags: ...

class CartesianImpedance:
    """The control law. ValueError on a bad config."""

    def __init__(self, config: ControllerConfig) -> None: ...
    def reset(self, q: ArrayLike, position: ArrayLike, quaternion_xyzw: ArrayLike, now: float) -> None:
        """Activate at the measured pose, with no target and zero effort. ValueError when not finite."""

    def set_gains(self, gains: Gains) -> None:
        """Ramp to a profile. ValueError when it is not valid."""

    def set_wrench_gains(self, gains: Gains) -> None:
        """The same for the profile of the wrench mode."""

    def set_target(
        self,
        position: ArrayLike,
        quaternion_xyzw: ArrayLike,
        stamp: float,
        wrench: ArrayLike | None = None,
        frame: Literal["base", "tcp"] = "base",
    ) -> bool:
        """Mode POSE, with a wrench POSE_AND_WRENCH; False when refused and the last target stays."""

    def set_twist(self, twist: ArrayLike, stamp: float) -> bool:
        """Mode TWIST; (6,) m/s, rad/s in base axes."""

    def set_wrench(self, wrench: ArrayLike, stamp: float, frame: Literal["base", "tcp"] = "base") -> bool:
        """Mode WRENCH; (6,) N, Nm at the tcp."""

    def update(
        self,
        now: float,
        dt: float,
        q: ArrayLike,
        dq: ArrayLike,
        position: ArrayLike,
        quaternion_xyzw: ArrayLike,
        twist: ArrayLike,
        jacobian: ArrayLike,
        bias: ArrayLike,
        tau_out: Array | None = None,
        mass: ArrayLike | None = None,
    ) -> Array:
        """One cycle, (joints,) Nm. RuntimeError before reset, ValueError on a wrong shape."""

    @property
    def state(self) -> State: ...
