# SPDX-License-Identifier: Apache-2.0
"""The named profiles: combinations of `LearnerConfig`'s numbers.

`original` holds the numbers of the published code (rail-berkeley/hil-serl, serl_launcher: launcher.py,
sac.py, resnet_v1.py, examples/experiments/config.py), its defects included. `default` is the same networks
without the defects. `fast` is what learns in minutes on two CPU cores. The README says what differs and why.
"""

from __future__ import annotations

from typing import Any

from hilserl_learning.errors import LearningError, one_of
from hilserl_learning.learner_config import LearnerConfig, differences, require_known, with_values

__all__ = ["PROFILES", "LearnerConfig", "default_state_scale", "differences", "profile", "with_values"]

# Per arm: position m, rotation vector rad, linear m/s, angular rad/s, force N, torque Nm. Each divided by
# what is large in contact-rich insertion, so that inputs are of order one.
ARM_STATE_SCALE = (0.02,) * 3 + (0.1,) * 3 + (0.1,) * 3 + (0.5,) * 3 + (10.0,) * 3 + (1.0,) * 3

# What the original's code does by accident and no task needs (the README's table gives the reasons).
REPAIRED: dict[str, Any] = {
    "shared_final_layer": False,
    "grasp_final_norm": True,
    "step_skipped_losses": False,
    "bootstrap_truncated": True,
    "entropy_counts_grippers": False,
}
DEFAULT: dict[str, Any] = {**REPAIRED, "augmentation": "cached", "feature_copies": 2}
FAST: dict[str, Any] = {
    **REPAIRED,
    "encoder": "readout",
    "trunk_width": 0.25,
    "trunk_stages": 1,
    "map_channels": 16,
    "map_size": 16,
    "encoder_dropout": 0.0,
    "state_embedding": 0,
    "activation": "relu",
    "learning_rate": 1e-3,
    "target_rate": 0.01,
    "clip_target": (0.0, 1.0),
    "augmentation": "none",
}
PROFILES: dict[str, dict[str, Any]] = {"original": {}, "default": DEFAULT, "fast": FAST}


def profile(name: str, **overrides: Any) -> LearnerConfig:
    """The named profile for a task's sizes, with single values replaced.

    Args:
        name: 'original', 'default' or 'fast'.
        overrides: any field of LearnerConfig; `state_dim` and `action_dim` are needed, `feature_dim` too
            unless the encoder is 'resnet10', where it follows from the trunk.

    Raises:
        LearningError: unknown profile or key (the good ones are listed), missing size, bad value.
    """
    one_of("learner profile", name, PROFILES)
    require_known(overrides)
    values = {"name": name, **PROFILES[name], **overrides}
    for key in ("state_dim", "action_dim"):
        if key not in values:
            raise LearningError(f"profile('{name}'): {key} is missing, e.g. state_dim=18, action_dim=6")
    if values.get("encoder", "resnet10") == "resnet10":
        values.setdefault("map_channels", max(4, round(512 * values.get("trunk_width", 1.0))))
        n_cameras, size = values.get("n_cameras", 2), values.get("map_size", 4)
        values.setdefault("feature_dim", n_cameras * values["map_channels"] * size**2)
    if "feature_dim" not in values:
        raise LearningError(f"profile('{name}'): feature_dim is missing, e.g. perception.feature_dim")
    if name == "fast" and "state_scale" not in values:
        values["state_scale"] = default_state_scale(values["state_dim"])
    return LearnerConfig(**values)


def default_state_scale(state_dim: int) -> tuple[float, ...]:
    """Divisors for arms of 18 entries (pose, twist, wrench); LearningError for any other number."""
    if state_dim % 18 == 0:
        return ARM_STATE_SCALE * (state_dim // 18)
    raise LearningError(
        f"state_dim: {state_dim} is not 18 per arm, so its scale is not known; "
        f"pass state_scale=(1.0,) * {state_dim} or the right divisors"
    )
