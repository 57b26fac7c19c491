# SPDX-License-Identifier: Apache-2.0
"""What the task file's learner section makes of a profile."""

from pathlib import Path

import pytest

from hilserl_agent.config import CHOSEN_BY_TASK, check_device, encodes_in_update, learner_config
from hilserl_learning.learner_config import LearnerConfig
from hilserl_learning.profiles import PROFILES
from hilserl_task import TaskError, load_task
from hilserl_task.learner_spec import PROFILE_AUGMENTATION, LearnerSpec

CHOICES = {
    "discount": 0.9,
    "n_step": 3,
    "bootstrap_truncated": False,
    "batch_size": 64,
    "ensemble_size": 10,
    "subset_size": 2,
    "shared_final_layer": True,
    "grasp_final_norm": False,
    "critic_updates_per_actor_update": 4,
    "learning_rate": 3e-4,
    "learning_rate_schedule": "step",
    "learning_rate_final": 3e-5,
    "schedule_steps": 20_000,
    "decay_at": 0.7,
    "temperature_init": 0.1,
    "target_entropy": -2.0,
    "entropy_counts_grippers": True,
    "augmentation": "cached",
    "feature_copies": 3,
}


@pytest.fixture(autouse=True)
def shipped_config(monkeypatch):
    monkeypatch.setenv("HILSERL_CONFIG", str(Path(__file__).resolve().parents[3] / "config"))


def config(*overrides: str) -> LearnerConfig:
    return learner_config(load_task("ram_insertion", ["learner.policy_images=false", *overrides]), None)


def test_every_value_of_the_task_file_reaches_the_learner():
    assert set(CHOICES) == set(CHOSEN_BY_TASK)
    plain = config()
    chosen = config(*(f"learner.{key}={value}" for key, value in CHOICES.items()))
    assert {key: getattr(chosen, key) for key in CHOICES} == CHOICES
    left_out = ("decay_at", "learning_rate_final")  # the profile's are the same
    assert all(getattr(plain, key) != CHOICES[key] for key in CHOICES if key not in left_out)


def test_a_device_that_the_machine_lacks_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    for name in ("cpu", "cuda", "cuda:0"):
        check_device(name)
    with pytest.raises(TaskError, match=r"learner\.device: cuda:1, but torch finds 1 CUDA devices"):
        check_device("cuda:1")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(TaskError, match=r"finds 0 CUDA devices .* use learner\.device: cpu"):
        check_device("cuda")


def test_values_left_out_are_the_profiles():
    for name, numbers in PROFILES.items():
        cfg = config(f"learner.profile={name}")
        expected = {key: numbers.get(key, getattr(LearnerConfig, key)) for key in CHOSEN_BY_TASK}
        assert {key: getattr(cfg, key) for key in CHOSEN_BY_TASK} == expected


def test_keys_of_the_task_file_and_of_the_learner_have_the_same_names():
    assert set(CHOSEN_BY_TASK) <= set(LearnerSpec.model_fields)
    assert set(CHOSEN_BY_TASK) <= set(LearnerConfig.__dataclass_fields__)


def test_task_file_knows_how_every_profile_augments():
    found = {name: numbers.get("augmentation", "crop") for name, numbers in PROFILES.items()}
    assert found == PROFILE_AUGMENTATION
    for name, kind in found.items():
        task = load_task(
            "ram_insertion",
            [f"learner.profile={name}", "learner.trunk_weights=random", "learner.store_images=true"],
        )
        assert encodes_in_update(task) == (kind == "crop")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["learner.subset_size=3"], "learner: subset_size: 3, must be 1 to ensemble_size = 2"),
        (["learner.learning_rate_schedule=linear"], "learner: schedule_steps: None, must be the gradient"),
    ],
)
def test_values_that_do_not_fit_each_other_are_task_errors(overrides, words):
    with pytest.raises(TaskError, match=words):
        config(*overrides)


def test_sizes_and_scales_follow_the_arms_actions_and_joints():
    wrench = "arms.0.action={type: wrench, force_scale_n: {x: 13.0, z: 12.0}, torque_scale_nm: {y: 3.5}}"
    learned = ["arms.0.gripper.mode=learned", "arms.0.gripper.position=1.0"]
    flips = ["reward.classes=[a, b, c]", "reward.flip_between=[a, b]"]
    for overrides, actions, state in (
        ([], 6, 18),
        ([wrench], 3, 18),
        ([wrench, "observation.joint_state=true"], 3, 32),
        ([wrench, "observation.joint_state=true", *learned], 4, 33),
        ([*flips, "observation.start_class=true"], 6, 19),
    ):
        cfg = config("learner.profile=fast", *overrides)
        assert (cfg.action_dim, cfg.state_dim, len(cfg.state_scale)) == (actions, state, state)
        assert set(cfg.state_scale[18:]) <= {1.0}

    cfg = config("learner.profile=fast", wrench, *learned)
    assert cfg.grasp_columns == (3,)
    assert cfg.policy_dim == 3
