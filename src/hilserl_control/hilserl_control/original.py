# SPDX-License-Identifier: Apache-2.0
"""Compliance profiles of the original HIL-SERL (serl_franka_controllers, ROS 1) in this law's units.

Source: serl_franka_controllers, src/cartesian_impedance_controller.cpp (the law) and cfg/compliance_param.cfg
(names, defaults, bounds). What differs there:

- its error is measured - desired, so its positive clip bounds the push towards minus;
- its rotation error is the quaternion's vector part, half the angle: stiffness and Ki per radian are half as
  large, clips in radians twice;
- its filters and its torque rate count in cycles of 1 ms, its integral in sums over such cycles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ._hilserl_control import ControllerConfig, Gains

CYCLE_S = 0.001  # the original's fixed cycle
FILTER_PER_CYCLE = 0.005  # filter_params_ of its header: gains and pose targets
MAX_EFFORT_STEP_NM = 1.0  # delta_tau_max_ of its header, per cycle
INTEGRAL_BOUND = (0.1, 0.3)  # its error_i: metres and quaternion parts summed over cycles
# Upper bounds of dynamic_reconfigure (compliance_param.cfg); larger values are set to them.
MAXIMUM = {
    "translational_stiffness": 6000.0,
    "translational_damping": 400.0,
    "rotational_stiffness": 300.0,
    "rotational_damping": 30.0,
    "nullspace_stiffness": 100.0,
    "joint1_nullspace_stiffness": 100.0,
    "translational_Ki": 100.0,
    "rotational_Ki": 100.0,
}
MAXIMUM_CLIP = 0.1
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class OriginalProfile:
    """COMPLIANCE_PARAM or PRECISION_PARAM of an original task: its names, its units, its defaults.

    Raises:
        ValueError: a value that is negative or not finite.
    """

    translational_stiffness: float = 2000.0
    translational_damping: float = 89.0
    rotational_stiffness: float = 150.0
    rotational_damping: float = 7.0
    nullspace_stiffness: float = 0.2
    joint1_nullspace_stiffness: float = 100.0
    translational_Ki: float = 0.0
    rotational_Ki: float = 0.0
    translational_clip_x: float = 0.01
    translational_clip_y: float = 0.01
    translational_clip_z: float = 0.01
    translational_clip_neg_x: float = 0.01
    translational_clip_neg_y: float = 0.01
    translational_clip_neg_z: float = 0.01
    rotational_clip_x: float = 0.05
    rotational_clip_y: float = 0.05
    rotational_clip_z: float = 0.05
    rotational_clip_neg_x: float = 0.05
    rotational_clip_neg_y: float = 0.05
    rotational_clip_neg_z: float = 0.05

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0.0):
                raise ValueError(
                    f"{field.name} is {value}: must be finite and not negative, e.g. {field.default}"
                )

    def value(self, name: str) -> float:
        """The parameter as the original's controller gets it: bounded by dynamic_reconfigure."""
        return min(getattr(self, name), MAXIMUM.get(name, MAXIMUM_CLIP))

    def clips(self, kind: str) -> tuple[list[float], list[float]]:
        """Its clips of `kind` (translational, rotational), x y z: (positive, negative) in its signs."""
        positive = [self.value(f"{kind}_clip_{axis}") for axis in AXES]
        negative = [self.value(f"{kind}_clip_neg_{axis}") for axis in AXES]
        return positive, negative


def gains_from_original(profile: OriginalProfile) -> Gains:
    """The same static push per axis and sign, the same approach speed and damping."""
    translation_positive, translation_negative = profile.clips("translational")
    rotation_positive, rotation_negative = profile.clips("rotational")
    gains = Gains()
    gains.stiffness = [profile.value("translational_stiffness")] * 3 + [
        profile.value("rotational_stiffness") / 2
    ] * 3
    gains.damping = [profile.value("translational_damping")] * 3 + [profile.value("rotational_damping")] * 3
    gains.integral = [profile.value("translational_Ki") / CYCLE_S] * 3 + [
        profile.value("rotational_Ki") / 2 / CYCLE_S
    ] * 3
    # measured - desired there, reference - measured here: positive and negative change places.
    gains.clip_negative = translation_positive + [2 * clip for clip in rotation_positive]
    gains.clip_positive = translation_negative + [2 * clip for clip in rotation_negative]
    return gains


def config_from_original(profile: OriginalProfile) -> ControllerConfig:
    """A Panda's configuration with the original's filters, torque rate, integral bound and nullspace.

    Two things stay ours: limits that the original does not have (speed, wrench, age of a target), and the
    damping of joint 1's posture, which is critical here and twice that there.
    """
    config = ControllerConfig()
    config.gains = gains_from_original(profile)
    config.gain_time_constant = config.reference_time_constant = time_constant(FILTER_PER_CYCLE)
    config.max_effort_rate = MAX_EFFORT_STEP_NM / CYCLE_S
    integral = [
        profile.value("translational_Ki") * INTEGRAL_BOUND[0],
        profile.value("rotational_Ki") * INTEGRAL_BOUND[1],
    ]
    config.integral_cap = [cap if cap > 0.0 else 1.0 for cap in integral]
    stiffness = profile.value("nullspace_stiffness")
    config.nullspace_stiffness = stiffness
    # A factor on joint 1 there, an addition here.
    config.joint1_nullspace_stiffness = max(
        0.0, stiffness * (profile.value("joint1_nullspace_stiffness") - 1.0)
    )
    return config


def time_constant(filter_per_cycle: float) -> float:
    """Seconds of the first-order filter that moves by this part of the way in every cycle of 1 ms."""
    return -CYCLE_S / math.log1p(-filter_per_cycle)
