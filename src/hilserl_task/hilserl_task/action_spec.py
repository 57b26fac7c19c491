# SPDX-License-Identifier: Apache-2.0
"""The part of a task file that says what an action is: a small movement, or a force."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hilserl_task.section import NonNegative, Positive, Section

Axis = Literal["x", "y", "z"]
# As large as the law passes on (wrench_limit_negative and _positive of hilserl_control, which are the
# original's: rate_limiting of its egg_flip_controller).
Force = Annotated[float, Field(gt=0, le=20)]
Torque = Annotated[float, Field(gt=0, le=5)]

TWIST_NAMES = ("dx", "dy", "dz", "drx", "dry", "drz")
WRENCH_NAMES = ("force_x", "force_y", "force_z", "torque_x", "torque_y", "torque_z")
# Keys that mean something for one type only.
KEYS = {
    "twist": ("translation_scale_m", "rotation_scale_rad"),
    "wrench": ("force_scale_n", "torque_scale_nm", "frame"),
}
_EXAMPLE = "example: {type: wrench, force_scale_n: {x: 13.0, z: 12.0}, torque_scale_nm: {y: 3.5}}"


class ActionSpec(Section):
    """What one policy action of 1.0 means on this arm.

    twist: a displacement from the measured pose, in the tcp frame, all six axes (original: ACTION_SCALE in
    franka_env.py).
    wrench: force and torque at the tcp along the axes that have a scale, forces first, each in the order
    x y z; the other axes are held where the episode starts (original: EggFlipActionWrapper, 13 N and 12 N
    along x and z, 3.5 Nm about y of the base).
    """

    type: Literal["twist", "wrench"] = "twist"
    translation_scale_m: Positive = Field(0.01, le=0.1, description="twist: metres per step at action 1")
    rotation_scale_rad: Positive = Field(0.06, le=0.5, description="twist: radians per step at action 1")
    force_scale_n: dict[Axis, Force] = Field({}, description="wrench: N at action 1, of every commanded axis")
    torque_scale_nm: dict[Axis, Torque] = Field(
        {}, description="wrench: Nm at action 1, of every commanded axis"
    )
    frame: Literal["base", "tcp"] = Field(
        "base", description="wrench: its axes; in tcp axes it turns with the hand. Axes are held in base axes"
    )

    @model_validator(mode="after")
    def _of_its_type(self) -> ActionSpec:
        for kind, keys in KEYS.items():
            for key in keys if kind != self.type else ():
                value = getattr(self, key)
                # Not "is it set": a task that a run has saved has every key.
                if value != type(self).model_fields[key].default:
                    raise ValueError(
                        f"{key}: {value} goes with type: {kind}, but type is {self.type}; leave it out, or "
                        f"set type: {kind}; {_EXAMPLE}"
                    )
        if self.type == "wrench" and not (self.force_scale_n or self.torque_scale_nm):
            raise ValueError(
                "type: wrench needs at least one axis in force_scale_n or torque_scale_nm, or nothing can "
                f"move; {_EXAMPLE}"
            )
        return self

    @property
    def axes(self) -> tuple[int, ...]:
        """Which of the six axes (translation or force x y z, then rotation or torque) the values are of."""
        if self.type == "twist":
            return tuple(range(6))
        return tuple(axis for axis, scale in enumerate(self._wrench_scales) if scale is not None)

    @property
    def scales(self) -> tuple[float, ...]:
        """What 1.0 of each value is: m and rad, or N and Nm."""
        if self.type == "twist":
            return (self.translation_scale_m,) * 3 + (self.rotation_scale_rad,) * 3
        return tuple(scale for scale in self._wrench_scales if scale is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every value."""
        names = TWIST_NAMES if self.type == "twist" else WRENCH_NAMES
        return tuple(names[axis] for axis in self.axes)

    @property
    def _wrench_scales(self) -> tuple[float | None, ...]:
        pairs = [(scales, axis) for scales in (self.force_scale_n, self.torque_scale_nm) for axis in "xyz"]
        return tuple(scales.get(axis) for scales, axis in pairs)  # type: ignore[call-overload]


class WrenchControlSpec(Section):
    """How the law follows a wrench (mode WRENCH of hilserl_control). Held axes have the arm's `gains`."""

    translational_damping: Positive = Field(
        40.0, le=400, description="N s/m, of commanded axes: free speed = force / damping"
    )
    rotational_damping: Positive = Field(
        2.0, le=30, description="Nm s/rad, of commanded axes: free speed = torque / damping"
    )
    translational_stiffness: NonNegative = Field(
        0.0,
        le=2000,
        description="N/m, of commanded axes, towards where the episode begins; pulls with at most stiffness "
        "x clip. 0: they float (original: 200 N/m along x)",
    )
    rotational_stiffness: NonNegative = Field(0.0, le=75, description="Nm/rad, of commanded axes, likewise")
    max_force_rate: Positive = Field(300.0, le=5000, description="N/s, how fast a wrench is reached and left")
    max_torque_rate: Positive = Field(75.0, le=1000, description="Nm/s")
    timeout_s: Positive = Field(
        0.2, le=2.0, description="an older wrench fades to zero, then the pose is held"
    )
