# SPDX-License-Identifier: Apache-2.0
"""From the task file's learner section to the numbers of `hilserl_learning`."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import torch

from hilserl_learning.errors import LearningError
from hilserl_learning.perception import Perception
from hilserl_learning.profiles import ARM_STATE_SCALE, PROFILES, LearnerConfig, profile
from hilserl_task import Task, TaskError
from hilserl_task.spaces import state_names

PERCEPTION_FILE = Path("perception") / "readout.safetensors"
# Keys of the task file's learner section that replace the profile's number of the same name.
CHOSEN_BY_TASK = (
    "discount",
    "n_step",
    "bootstrap_truncated",
    "batch_size",
    "ensemble_size",
    "subset_size",
    "shared_final_layer",
    "grasp_final_norm",
    "critic_updates_per_actor_update",
    "learning_rate",
    "learning_rate_schedule",
    "learning_rate_final",
    "schedule_steps",
    "decay_at",
    "temperature_init",
    "target_entropy",
    "entropy_counts_grippers",
    "augmentation",
    "feature_copies",
)
NO_PERCEPTION = "none"  # perception_id of a policy that sees no pictures


def load_perception(task: Task, run_dir: Path) -> Perception | None:
    """The frozen perception of a run; None when the policy sees no pictures.

    Raises:
        TaskError: missing or damaged; the text says how to make it.
    """
    if not task.learner.policy_images:
        return None
    try:
        return Perception.load(run_dir / PERCEPTION_FILE)
    except LearningError as error:
        raise TaskError(
            f"{error}; make it with: fit_perception --task {task.name} --run-dir {run_dir}"
        ) from error


def check_device(name: str) -> None:
    """Raises TaskError when this machine has no such device."""
    kind, _, index = name.partition(":")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cuda" and int(index or 0) >= found:
        raise TaskError(
            f"learner.device: {name}, but torch finds {found} CUDA devices here; use learner.device: cpu"
        )


def perception_id(perception: Perception | None) -> str:
    """What actor and learner compare: they must see the same features."""
    return NO_PERCEPTION if perception is None else perception.perception_id


def learner_config(task: Task, perception: Perception | None) -> LearnerConfig:
    """All numbers of the agent: the profile's, with what the task file changes.

    Raises:
        TaskError: a value that the profile cannot take.
    """
    spec = task.learner
    chosen = {key: value for key in CHOSEN_BY_TASK if (value := getattr(spec, key)) is not None}
    try:
        return profile(
            spec.profile,
            state_dim=len(state_names(task)),
            action_dim=task.action_dim,
            grasp_columns=task.action_layout.gripper_columns,
            n_cameras=len(task.cameras),
            **_feature_sizes(task, perception),
            **_state_scale(task),
            **chosen,
        )
    except LearningError as error:
        raise TaskError(f"learner: {error}") from error


def _state_scale(task: Task) -> dict[str, tuple[float, ...]]:
    """Divisors of a state with learned grippers, joints or a class: openings, rad, rad/s and -1, 0, 1 are of
    order one. Others: the profile's."""
    if task.learner.profile != "fast":
        return {}
    joint_state = task.observation.joint_state
    more = [arm.gripper.learned + 2 * arm.joints * joint_state for arm in task.arms]
    start_class = task.observation.start_class
    if not any(more) and not start_class:
        return {}
    arms = [ARM_STATE_SCALE + (1.0,) * entries for entries in more]
    return {"state_scale": (*chain.from_iterable(arms), *[1.0] * start_class)}


def _feature_sizes(task: Task, perception: Perception | None) -> dict[str, int]:
    """Sizes that follow from the perception; it must be of the kind that the profile's encoder reads."""
    if perception is None:
        return {"feature_dim": 0}
    encoder = PROFILES[task.learner.profile].get("encoder", "resnet10")
    kind = "readout" if encoder == "readout" else "maps"
    if perception.kind != kind:
        raise LearningError(
            f"the run's perception is of kind '{perception.kind}', profile '{task.learner.profile}' needs "
            f"'{kind}'; run fit_perception again with this profile"
        )
    sizes = {"feature_dim": perception.feature_dim}
    if kind == "maps":
        sizes |= {"map_channels": perception.trunk.channels, "map_size": perception.map_size}
    return sizes


def encodes_in_update(task: Task) -> bool:
    """True when updates crop and encode pictures anew, so that stored features would go unused."""
    return task.learner.policy_images and task.learner.crops == "crop"


def keeps_images(task: Task) -> bool:
    """Whether pictures travel to the learner and stay in its buffers; the task file's checks see to it that
    they do where `encodes_in_update` holds."""
    return task.learner.store_images
