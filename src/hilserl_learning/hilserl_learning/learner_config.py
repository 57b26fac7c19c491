# SPDX-License-Identifier: Apache-2.0
"""Every number of the learner in one frozen dataclass; `profiles` names good combinations."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from hilserl_learning.errors import LearningError, one_of


@dataclass(frozen=True)
class LearnerConfig:
    """All numbers of networks, losses and optimization. Defaults are the original's.

    Attributes:
        action_dim: values of one environment action, learned grippers included.
        grasp_columns: which of them command learned grippers (-1 close, 0 stay, +1 open): none, one (3
            joint commands) or two (9, left gripper first). Policy and critic see the other columns only; the
            grasp critic chooses these. Original: (6,) of 7 and (6, 13) of 14.
        grasp_final_norm: the grasp critic's last hidden layer ends in LayerNorm and activation like every
            other one. The original forgot `activate_final` there, so that layer is linear.
        encoder: 'resnet10' = feature maps of the frozen trunk through spatial learned embeddings;
            'readout' = the compact vector of a fitted `Perception`, used as it is.
        feature_dim: size of the flat feature vector of one observation, all cameras; 0 = no pictures.
        map_channels, map_size: trunk output per camera ('resnet10'), flat [camera, channel, h, w].
        state_embedding: width of the proprioception layer; 0 = the (scaled) state goes in directly.
        state_scale: divisor per state entry; None = raw state, as in the original.
        subset_size: members of the target ensemble, drawn anew in every update, whose minimum is the target
            (REDQ, Chen et al. 2021, section 3: 2 of 10); None = all (original: 2 of 2).
        shared_final_layer: all ensemble members share the last critic layer (the original's code does,
            surely by accident).
        learning_rate_schedule: of every optimizer: 'constant' (original); 'step' = drops to
            `learning_rate_final` at `decay_at * schedule_steps`; 'linear' = falls from there on and arrives
            at `schedule_steps`. Jenga in the paper: 'step', 3e-4 to 3e-5 at 70 % of training.
        schedule_steps: gradient steps (critic updates) of the whole training, as the schedule counts them.
        n_step: rewards summed before the target bootstraps; 1 = original.
        critic_updates_per_actor_update: critic steps in one `update`, the last with the actor's.
        step_skipped_losses: a loss that is left out still steps its Adam with a zero gradient, so
            parameters move by momentum (original: one Adam per loss over the whole tree).
        bootstrap_truncated: a time limit is not the end of the task, so its value is bootstrapped.
            The original treats it as terminal.
        target_entropy: nats; None = -n / 2.
        entropy_counts_grippers: n above is action_dim (original); otherwise only what the policy controls.
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
    grasp_columns: tuple[int, ...] = ()
    grasp_final_norm: bool = False
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
    subset_size: int | None = None
    shared_final_layer: bool = True
    std_min: float = 1e-5
    std_max: float = 5.0
    learning_rate: float = 3e-4
    learning_rate_schedule: Literal["constant", "linear", "step"] = "constant"
    learning_rate_final: float = 3e-5
    schedule_steps: int | None = None
    decay_at: float = 0.7
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_eps: float = 1e-8
    step_skipped_losses: bool = True
    target_rate: float = 0.005
    discount: float = 0.97
    n_step: int = 1
    batch_size: int = 256
    critic_updates_per_actor_update: int = 2
    temperature_init: float = 0.01
    target_entropy: float | None = None
    entropy_counts_grippers: bool = True
    clip_target: tuple[float, float] | None = None
    bootstrap_truncated: bool = False
    augmentation: Literal["none", "crop", "cached"] = "crop"
    crop_padding: int = 4
    feature_copies: int = 1
    readout_components: int = 48

    def __post_init__(self) -> None:
        """Checks every value that the code divides by, indexes with or multiplies into a shape."""
        self._check_names()
        self._check_sizes()
        self._check_grasp_columns()
        self._check_optimization()

    def _check_names(self) -> None:
        one_of("encoder", self.encoder, ("resnet10", "readout"))
        one_of("activation", self.activation, ("tanh", "relu"))
        one_of("augmentation", self.augmentation, ("none", "crop", "cached"))
        one_of("learning_rate_schedule", self.learning_rate_schedule, ("constant", "linear", "step"))

    def _check_sizes(self) -> None:
        for key in ("state_dim", "action_dim", "n_cameras", "ensemble_size", "map_channels", "map_size"):
            _require(self, key, getattr(self, key) >= 1, "at least 1", 1)
        _require(self, "feature_dim", self.feature_dim >= 0, "0 (no pictures) or the feature size", 60)
        _require(self, "batch_size", self.batch_size >= 2, "at least 2", 256)
        _require(self, "feature_copies", self.feature_copies >= 1, "at least 1", 2)
        _require(self, "hidden", len(self.hidden) >= 1 and min(self.hidden) >= 1, "layer widths", (256, 256))
        subset, members = self.subset_size, self.ensemble_size
        good = subset is None or 1 <= subset <= members
        _require(self, "subset_size", good, f"1 to ensemble_size = {members}", min(2, members))
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

    def _check_grasp_columns(self) -> None:
        columns = self.grasp_columns
        inside = all(0 <= column < self.action_dim for column in columns)
        ordered = list(columns) == sorted(set(columns))
        good = len(columns) <= 2 and inside and ordered and self.policy_dim >= 1
        rule = f"none, one or two rising columns of the {self.action_dim} action values, not all of them"
        _require(self, "grasp_columns", good, rule, (6,))

    def _check_optimization(self) -> None:
        cycle = self.critic_updates_per_actor_update
        _require(self, "critic_updates_per_actor_update", cycle >= 1, "at least 1", 2)
        _require(self, "discount", 0.0 < self.discount < 1.0, "in (0, 1)", 0.97)
        _require(self, "n_step", self.n_step >= 1, "at least 1", 3)
        _require(self, "target_rate", 0.0 < self.target_rate <= 1.0, "in (0, 1]", 0.005)
        for key, example in (("learning_rate", 3e-4), ("learning_rate_final", 3e-5)):
            _require(self, key, 0.0 < getattr(self, key) < math.inf, "positive", example)
        _require(self, "temperature_init", 0.0 < self.temperature_init < math.inf, "positive", 0.01)
        _require(self, "encoder_dropout", 0.0 <= self.encoder_dropout < 1.0, "in [0, 1)", 0.1)
        target = self.target_entropy
        _require(self, "target_entropy", target is None or math.isfinite(target), "finite (nats)", -3.0)
        _require(self, "decay_at", 0.0 <= self.decay_at < 1.0, "a share of the training in [0, 1)", 0.7)
        planned = self.schedule_steps
        good = planned >= 1 if planned is not None else self.learning_rate_schedule == "constant"
        rule = (
            f"the gradient steps of the training for learning_rate_schedule '{self.learning_rate_schedule}'"
        )
        _require(self, "schedule_steps", good, rule, 40_000)

    @property
    def policy_dim(self) -> int:
        """Action values that policy and critic see: all but the learned grippers."""
        return self.action_dim - len(self.grasp_columns)

    @property
    def policy_columns(self) -> tuple[int, ...]:
        """Where those are in the environment action."""
        return tuple(column for column in range(self.action_dim) if column not in self.grasp_columns)

    @property
    def grasp_actions(self) -> int:
        """Joint commands of the learned grippers: 3, 9, or 0 without one."""
        return 3 ** len(self.grasp_columns) if self.grasp_columns else 0

    @property
    def stored_copies(self) -> int:
        """Features that a replay buffer keeps of each frame: its own and those of its crops."""
        return self.feature_copies if self.augmentation == "cached" and self.feature_dim else 1

    @property
    def map_feature_dim(self) -> int:
        """Flat size of the trunk's feature maps of all cameras."""
        return self.n_cameras * self.map_channels * self.map_size**2

    @property
    def entropy_target(self) -> float:
        """Target entropy in nats: minus half the number of action values unless given."""
        count = self.action_dim if self.entropy_counts_grippers else self.policy_dim
        return -count / 2 if self.target_entropy is None else self.target_entropy

    def to_json(self) -> str:
        """All fields as JSON text; `from_json` reads it back."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> LearnerConfig:
        """Reads `to_json`'s text; raises LearningError on unknown or missing keys."""
        values: dict[str, Any] = json.loads(text)
        require_known(values)
        for key in ("hidden", "state_scale", "clip_target", "grasp_columns"):
            if values.get(key) is not None:
                values[key] = tuple(values[key])
        try:
            return LearnerConfig(**values)
        except TypeError as error:
            raise LearningError(f"learner config: {error}") from error


def differences(left: LearnerConfig, right: LearnerConfig) -> list[str]:
    """`key: left -> right` for every field that differs."""
    pairs = ((f.name, getattr(left, f.name), getattr(right, f.name)) for f in fields(LearnerConfig))
    return [f"{key}: {a} -> {b}" for key, a, b in pairs if a != b]


def with_values(config: LearnerConfig, **values: Any) -> LearnerConfig:
    """`config` with fields replaced and checked again; unknown keys are listed."""
    require_known(values)
    return replace(config, **values)


def require_known(values: dict[str, Any]) -> None:
    """LearningError that lists the good keys when one is unknown."""
    known = [f.name for f in fields(LearnerConfig)]
    for key in values:
        one_of("learner key", key, known)


def _require(config: LearnerConfig, key: str, good: bool, rule: str, example: Any) -> None:
    if not good:
        raise LearningError(f"{key}: {getattr(config, key)}, must be {rule}, e.g. {key}={example}")
