# SPDX-License-Identifier: Apache-2.0
"""Every number of the learner in one frozen dataclass, and the two named profiles.

`original` holds the numbers of the published code (rail-berkeley/hil-serl, serl_launcher: launcher.py,
sac.py, resnet_v1.py, examples/experiments/config.py). `fast` is what learns in minutes on two CPU cores;
the README says what differs and why.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from hilserl_learning.errors import LearningError, one_of

# Per arm: position m, rotation vector rad, linear m/s, angular rad/s, force N, torque Nm. Each divided by
# what is large in contact-rich insertion, so that inputs are of order one.
ARM_STATE_SCALE = (0.02,) * 3 + (0.1,) * 3 + (0.1,) * 3 + (0.5,) * 3 + (10.0,) * 3 + (1.0,) * 3


@dataclass(frozen=True)
class LearnerConfig:
    """All numbers of networks, losses and optimization. Defaults are the original's.

    Attributes:
        encoder: 'resnet10' = feature maps of the frozen trunk through spatial learned embeddings;
            'readout' = the compact vector of a fitted `Perception`, used as it is.
        feature_dim: size of the flat feature vector of one observation, all cameras; 0 = no pictures.
        map_channels, map_size: trunk output per camera ('resnet10'), flat [camera, channel, h, w].
        state_embedding: width of the proprioception layer; 0 = the (scaled) state goes in directly.
        state_scale: divisor per state entry; None = raw state, as in the original.
        shared_final_layer: all ensemble members share the last critic layer (the original's code does,
            surely by accident).
        critic_updates_per_actor_update: critic steps in one `update`, the last with the actor's.
        step_skipped_losses: a loss that is left out still steps its Adam with a zero gradient, so
            parameters move by momentum (original: one Adam per loss over the whole tree).
        bootstrap_truncated: a time limit is not the end of the task, so its value is bootstrapped.
            The original treats it as terminal.
        target_entropy: None = -action_dim / 2.
        clip_target: bounds of the critic's target. With rewards of 0 and 1 and an end at success the value
            lies in [0, 1]; early overestimates beyond that cost most of the first minutes. Rewards below 0
            or above 1 need other bounds or None. None = original.
        feature_copies: stored random crops per frame when features are cached; 1 = the frame itself.
        augmentation: 'crop' = random crop of the pictures in every update (needs pictures in the batch);
            'cached' = random choice among the stored feature copies; 'none'.
    """

    name: str
    state_dim: int
    action_dim: int
    feature_dim: int
    n_cameras: int = 2
    encoder: Literal["resnet10", "readout"] = "resnet10"
    trunk_width: float = 1.0
    trunk_stages: int = 4
    trunk_seed: int = 0
    map_channels: int = 512
    map_size: int = 4
    spatial_embeddings: int = 8
    bottleneck: int = 256
    encoder_dropout: float = 0.1
    state_embedding: int = 64
    state_scale: tuple[float, ...] | None = None
    state_clip: float = 5.0
    activation: Literal["tanh", "relu"] = "tanh"
    hidden: tuple[int, ...] = (256, 256)
    layer_norm_eps: float = 1e-6
    ensemble_size: int = 2
    shared_final_layer: bool = True
    std_min: float = 1e-5
    std_max: float = 5.0
    learning_rate: float = 3e-4
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_eps: float = 1e-8
    step_skipped_losses: bool = True
    target_rate: float = 0.005
    discount: float = 0.97
    batch_size: int = 256
    critic_updates_per_actor_update: int = 2
    temperature_init: float = 0.01
    target_entropy: float | None = None
    clip_target: tuple[float, float] | None = None
    bootstrap_truncated: bool = False
    augmentation: Literal["none", "crop", "cached"] = "crop"
    crop_padding: int = 4
    feature_copies: int = 1
    readout_components: int = 48

    def __post_init__(self) -> None:
        """Checks every value that the code divides by, indexes with or multiplies into a shape."""
        one_of("encoder", self.encoder, ("resnet10", "readout"))
        one_of("activation", self.activation, ("tanh", "relu"))
        one_of("augmentation", self.augmentation, ("none", "crop", "cached"))
        for key in ("state_dim", "action_dim", "n_cameras", "ensemble_size", "map_channels", "map_size"):
            _require(self, key, getattr(self, key) >= 1, "at least 1", 1)
        _require(self, "feature_dim", self.feature_dim >= 0, "0 (no pictures) or the feature size", 60)
        _require(self, "batch_size", self.batch_size >= 2, "at least 2", 256)
        cycle = self.critic_updates_per_actor_update
        _require(self, "critic_updates_per_actor_update", cycle >= 1, "at least 1", 2)
        _require(self, "discount", 0.0 < self.discount < 1.0, "in (0, 1)", 0.97)
        _require(self, "target_rate", 0.0 < self.target_rate <= 1.0, "in (0, 1]", 0.005)
        _require(self, "learning_rate", self.learning_rate > 0.0, "positive", 3e-4)
        _require(self, "temperature_init", self.temperature_init > 0.0, "positive", 0.01)
        _require(self, "encoder_dropout", 0.0 <= self.encoder_dropout < 1.0, "in [0, 1)", 0.1)
        _require(self, "feature_copies", self.feature_copies >= 1, "at least 1", 4)
        _require(self, "hidden", len(self.hidden) >= 1 and min(self.hidden) >= 1, "layer widths", (256, 256))
        if self.encoder == "resnet10" and self.feature_dim not in (0, self.map_feature_dim):
            raise LearningError(
                f"feature_dim: {self.feature_dim}, must be n_cameras * map_channels * map_size^2 = "
                f"{self.map_feature_dim} for encoder 'resnet10' (or 0 without pictures)"
            )
        scale = self.state_scale
        if scale is not None and (len(scale) != self.state_dim or min(scale) <= 0):
            raise LearningError(
                f"state_scale: {len(scale)} values, must be {self.state_dim} positive divisors, "
                f"one per state entry"
            )

    @property
    def map_feature_dim(self) -> int:
        """Flat size of the trunk's feature maps of all cameras."""
        return self.n_cameras * self.map_channels * self.map_size**2

    @property
    def entropy_target(self) -> float:
        """Target entropy in nats (original: minus half the action dimension)."""
        return -self.action_dim / 2 if self.target_entropy is None else self.target_entropy

    def to_json(self) -> str:
        """All fields as JSON text; `from_json` reads it back."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> LearnerConfig:
        """Reads `to_json`'s text; raises LearningError on unknown or missing keys."""
        values: dict[str, Any] = json.loads(text)
        _require_known(values)
        for key in ("hidden", "state_scale", "clip_target"):
            if values.get(key) is not None:
                values[key] = tuple(values[key])
        try:
            return LearnerConfig(**values)
        except TypeError as error:
            raise LearningError(f"learner config: {error}") from error


FAST: dict[str, Any] = {
    "encoder": "readout",
    "trunk_width": 0.25,
    "trunk_stages": 1,
    "map_channels": 16,
    "map_size": 16,
    "encoder_dropout": 0.0,
    "state_embedding": 0,
    "activation": "relu",
    "shared_final_layer": False,
    "learning_rate": 1e-3,
    "target_rate": 0.01,
    "step_skipped_losses": False,
    "bootstrap_truncated": True,
    "clip_target": (0.0, 1.0),
    "augmentation": "none",
}
PROFILES: dict[str, dict[str, Any]] = {"original": {}, "fast": FAST}


def profile(name: str, **overrides: Any) -> LearnerConfig:
    """The named profile for a task's sizes, with single values replaced.

    Args:
        name: 'original' or 'fast'.
        overrides: any field of LearnerConfig; `state_dim` and `action_dim` are needed, `feature_dim` too
            unless the encoder is 'resnet10', where it follows from the trunk.

    Raises:
        LearningError: unknown profile or key (the good ones are listed), missing size, bad value.
    """
    one_of("learner profile", name, PROFILES)
    _require_known(overrides)
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
    if name == "fast":
        values.setdefault("state_scale", default_state_scale(values["state_dim"]))
    return LearnerConfig(**values)


def default_state_scale(state_dim: int) -> tuple[float, ...]:
    """Divisors for arms of 18 entries (pose, twist, wrench); LearningError for any other number."""
    if state_dim % 18 == 0:
        return ARM_STATE_SCALE * (state_dim // 18)
    raise LearningError(
        f"state_dim: {state_dim} is not 18 per arm, so its scale is not known; "
        f"pass state_scale=(1.0,) * {state_dim} or the right divisors"
    )


def differences(left: LearnerConfig, right: LearnerConfig) -> list[str]:
    """`key: left -> right` for every field that differs."""
    pairs = ((f.name, getattr(left, f.name), getattr(right, f.name)) for f in fields(LearnerConfig))
    return [f"{key}: {a} -> {b}" for key, a, b in pairs if a != b]


def with_values(config: LearnerConfig, **values: Any) -> LearnerConfig:
    """`config` with fields replaced and checked again; unknown keys are listed."""
    _require_known(values)
    return replace(config, **values)


def _require_known(values: dict[str, Any]) -> None:
    known = [f.name for f in fields(LearnerConfig)]
    for key in values:
        one_of("learner key", key, known)


def _require(config: LearnerConfig, key: str, good: bool, rule: str, example: Any) -> None:
    if not good:
        raise LearningError(f"{key}: {getattr(config, key)}, must be {rule}, e.g. {key}={example}")
