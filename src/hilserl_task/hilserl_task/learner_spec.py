# SPDX-License-Identifier: Apache-2.0
"""The learner section of a task file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hilserl_task.section import Section

Profile = Literal["original", "default", "fast"]
# How updates come to augmented pictures where the task file does not say (hilserl_learning.profiles).
PROFILE_AUGMENTATION = {"original": "crop", "default": "cached", "fast": "none"}

# Keys of the learner that an actor has no part in: two values of them still fit each other.
LEARNER_ONLY = ("keep_checkpoints", "workers", "device", "wandb")


class WandbSpec(Section):
    """Logging to Weights & Biases beside TensorBoard. Needs the package `wandb`."""

    project: str = Field("hilserl", min_length=1, max_length=128)
    mode: Literal["online", "offline"] = Field(
        "online", description="offline: files in the run folder, for `wandb sync`"
    )


class LearnerSpec(Section):
    """Learner profile and what this task changes in it. Values left out are the profile's.

    What each does is said at `hilserl_learning.learner_config.LearnerConfig`, under the same name.
    """

    profile: Profile = Field(
        "default",
        description="default: the original's networks, repaired; original: its code; fast: the demo",
    )
    policy_images: bool = Field(True, description="false: ablation, the policy sees proprioception only")
    trunk_weights: str | None = Field(
        None, description="file of the published ResNet-10 (.pkl, .safetensors); 'random': seeded random ones"
    )
    demonstrations: bool = Field(True, description="false: ablation, training starts without demonstrations")
    demonstration_count: int = Field(20, ge=0, le=1000)
    discount: Annotated[float, Field(gt=0, lt=1)] | None = Field(None, description="per environment step")
    n_step: int | None = Field(None, ge=1, le=20, description="rewards summed before the bootstrap")
    bootstrap_truncated: bool | None = Field(
        None, description="false: a time limit is as final as a success (original)"
    )
    batch_size: int | None = Field(
        None, ge=2, le=65536, description="transitions, half of them demonstrations"
    )
    ensemble_size: int | None = Field(None, ge=1, le=32, description="critics")
    subset_size: int | None = Field(
        None, ge=1, le=32, description="random target critics in the minimum (REDQ); left out: all"
    )
    shared_final_layer: bool | None = Field(None, description="true: critics share it (original)")
    grasp_final_norm: bool | None = Field(
        None, description="false: last hidden layer of the grasp critic is linear (original)"
    )
    critic_updates_per_actor_update: int | None = Field(None, ge=1, le=100, description="per update cycle")
    learning_rate: Annotated[float, Field(gt=0, le=0.1)] | None = None
    learning_rate_schedule: Literal["constant", "linear", "step"] | None = Field(
        None, description="step (Jenga) or linear: falls to learning_rate_final; needs schedule_steps"
    )
    learning_rate_final: Annotated[float, Field(gt=0, le=0.1)] | None = Field(
        None, description="after the fall; 3e-5 unless given"
    )
    schedule_steps: int | None = Field(
        None,
        ge=1,
        description="gradient steps (critic updates) of the whole training: "
        "steps x updates_per_step x critic_updates_per_actor_update",
    )
    decay_at: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, description="share of schedule_steps at which the fall begins; 0.7 unless given"
    )
    temperature_init: Annotated[float, Field(gt=0, le=10)] | None = Field(
        None, description="weight of the entropy at the start"
    )
    target_entropy: Annotated[float, Field(ge=-100, le=100)] | None = Field(
        None, description="nats; left out: minus half the number of action values"
    )
    entropy_counts_grippers: bool | None = Field(
        None, description="true: learned grippers count in that number (original)"
    )
    augmentation: Literal["none", "crop", "cached"] | None = Field(
        None, description="crop: pictures in every update (original); cached: stored features of crops"
    )
    feature_copies: int | None = Field(
        None, ge=1, le=16, description="stored features per frame: itself and random crops of it"
    )
    training_starts: int = Field(100, ge=1, description="online transitions before the first update")
    updates: Literal["free", "synchronous"] = Field(
        "free", description="synchronous: a fixed number per step"
    )
    updates_per_step: int | None = Field(
        1, ge=1, le=100, description="update cycles per environment step; cap when free, null: no cap"
    )
    publish_every: int = Field(50, ge=1, description="update cycles between policies (original: 50)")
    capacity: int = Field(200_000, ge=100, description="transitions per buffer (original: 200 000)")
    store_images: bool = Field(True, description="keep pictures so that features can be rebuilt")
    checkpoint_every: int = Field(2000, ge=1, description="update cycles between checkpoints")
    keep_checkpoints: int = Field(3, ge=1, le=1000, description="newest ones kept; the best is kept besides")
    workers: int = Field(1, ge=1, le=64, description="processes that share every update, learner included")
    device: str = Field(
        "cpu",
        pattern=r"^(cpu|cuda(:\d+)?)$",
        description="where the agent is updated: cpu, cuda or e.g. cuda:1",
    )
    wandb: WandbSpec | None = Field(None, description="log to Weights & Biases too; left out: do not")

    @model_validator(mode="after")
    def _countable(self) -> LearnerSpec:
        if self.updates == "synchronous" and self.updates_per_step is None:
            raise ValueError(
                "updates_per_step: null has no limit, but updates: synchronous runs a fixed number per step; "
                "use e.g. updates_per_step: 1, or updates: free"
            )
        return self

    @property
    def crops(self) -> str:
        """The augmentation that holds: 'none', 'crop' or 'cached'."""
        kind = self.augmentation or PROFILE_AUGMENTATION[self.profile]
        return "none" if kind == "cached" and self.feature_copies == 1 else kind
