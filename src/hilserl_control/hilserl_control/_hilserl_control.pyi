# SPDX-License-Identifier: Apache-2.0
"""Types of the compiled module. Arrays are float64; what a property returns is a read-only copy."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.uint8]

MAX_JOINTS: int
LIMIT_CLIP: int
LIMIT_WORKSPACE: int
LIMIT_SPEED: int
LIMIT_WRENCH_CAP: int
LIMIT_INVALID_TARGET: int
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
    max_linear_speed: float
    max_angular_speed: float
    reference_time_constant: float
    gain_time_constant: float
    target_timeout: float
    max_period: float
    wrench_cap: _Array
    integral_cap: _Array
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

    def set_target(
        self, position: ArrayLike, quaternion_xyzw: ArrayLike, stamp: float, wrench: ArrayLike | None = None
    ) -> bool:
        """Take a target; False when it is refused and the last one stays."""

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
    ) -> Array:
        """One cycle, (joints,) Nm. RuntimeError before reset, ValueError on a wrong shape."""

    @property
    def state(self) -> State: ...
