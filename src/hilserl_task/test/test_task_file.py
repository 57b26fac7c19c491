# SPDX-License-Identifier: Apache-2.0
"""Task files: the shipped ones load, wrong ones say what is wrong."""

from pathlib import Path

import pytest
import yaml

from hilserl_task import TaskError, available_tasks, load_task

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def shipped_config(monkeypatch):
    monkeypatch.setenv("HILSERL_CONFIG", str(REPOSITORY / "config"))


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "config" / "tasks").glob("*.yaml")), ids=lambda p: p.stem
)
def test_shipped_task_loads_under_its_own_name(path):
    task = load_task(path.stem)
    assert task.name == path.stem
    assert path.stem in available_tasks()


def test_override_changes_nested_and_list_values():
    task = load_task("ram_insertion", ["episode.max_steps=7", "arms.0.action.translation_scale_m=0.02"])
    assert task.episode.max_steps == 7
    assert task.arms[0].action.translation_scale_m == 0.02


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("episode.max_step=7", ["episode.max_step", "did you mean 'max_steps'"]),
        ("episode.max_steps=0", ["episode.max_steps", "greater than or equal to 1", "got 0", "example"]),
        ("period_s=.nan", ["period_s"]),
        ("arms.0.action.translation_scale_m=-1", ["translation_scale_m", "greater than 0", "-1"]),
        ("arms.3.name=x", ["'3' is not an index", "example"]),
        ("cameras.0.arm=left", ["camera 'wrist_1'", "'left'"]),
        ("cameras.1.name=wrist_1", ["names must differ"]),
        ("period_s=0.0333", ["whole number of controller cycles"]),
        ("scene=null", ["lockstep needs a simulated scene"]),
        ("learner.n_step=0", ["learner.n_step", "greater than or equal to 1", "got 0"]),
        ("learner.decay_at=1.0", ["learner.decay_at", "less than 1", "got 1.0"]),
        ("learner.learning_rate_final=.nan", ["learner.learning_rate_final"]),
        ("learner.learning_rate_schedule=cosine", ["'constant', 'linear' or 'step'", "got 'cosine'"]),
        ("learner.subset=2", ["learner.subset", "did you mean 'subset_size'"]),
        ("no_equals_sign", ["must be key=value", "example"]),
        ("arms.0.controller.workspace.minimum_m=[1,1,1]", ["minimum_m must be below maximum_m"]),
    ],
)
def test_bad_value_names_key_rule_and_value(override, words):
    with pytest.raises(TaskError) as caught:
        load_task("ram_insertion", [override])
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["arms.0.controller.target_timeout_s=0.1"],
            ["arm 'arm'", "target_timeout_s: 0.1", "period_s (0.1 s)"],
        ),
        (["period_s=0.5"], ["target_timeout_s: 0.5", "longer than period_s (0.5 s)", "e.g. 2.5"]),
        (["reward.gates=[{entry: arm/start_position_z_m}]"], ["reward.gates.0", "minimum: 0.04"]),
        (
            ["reward.gates=[{entry: arm/start_position_z_m, minimum: 2, maximum: 1}]"],
            ["reward.gates.0", "below maximum"],
        ),
        (
            ["reward.gates=[{entry: arm/start_position_z, minimum: 0.04}]"],
            ["reward.gates.0.entry", "did you mean 'arm/start_position_z_m'"],
        ),
        (["reward.classes=[a, b, c]"], ["reward", "success_class or by flip_between"]),
        (["reward.classes=[a, b]", "reward.success_class=c"], ["success_class", "'c' is not one"]),
        (["reward.success_class=c"], ["success_class", "'c' is not one"]),
        (["reward.classes=[a, b, c]", "reward.flip_between=[a, a]"], ["flip_between", "different"]),
        (["observation.start_class=true"], ["observation.start_class", "flip_between: [side_a, side_b]"]),
        (["reward.classes=[a, a]", "reward.success_class=a"], ["classes", "different names"]),
        (["reward.cameras=[wrist_1, wrist_1]"], ["reward.cameras", "must differ"]),
        (
            ["learner.profile=original", "learner.store_images=true"],
            ["learner.trunk_weights: missing", "resnet10_params.pkl", "random"],
        ),
        (
            ["learner.profile=original", "learner.trunk_weights=random", "learner.store_images=false"],
            ["learner.store_images: false", "learner.profile: original", "learner.store_images: true"],
        ),
        (
            ["learner.profile=default", "learner.store_images=true"],
            ["learner.trunk_weights: missing", "learner.profile: default", "random"],
        ),
        (
            ["learner.augmentation=cached", "learner.store_images=false"],
            ["learner.store_images: false", "learner.augmentation: cached", "learner.feature_copies: 1"],
        ),
    ],
)
def test_values_that_do_not_fit_each_other_are_both_named(overrides, words):
    with pytest.raises(TaskError) as caught:
        load_task("ram_insertion", overrides)
    for word in words:
        assert word in str(caught.value)


def test_original_profile_runs_with_pictures_or_without_any():
    load_task(
        "ram_insertion",
        ["learner.profile=original", "learner.trunk_weights=random", "learner.store_images=true"],
    )
    load_task(
        "ram_insertion",
        [
            "learner.profile=original",
            "learner.trunk_weights=random",
            "learner.store_images=false",
            "learner.policy_images=false",
        ],
    )


def test_one_stored_copy_needs_no_pictures():
    values = ["learner.augmentation=cached", "learner.feature_copies=1", "learner.store_images=false"]
    assert load_task("ram_insertion", values).learner.crops == "none"


def two_arms(tmp_path, **second):
    data = yaml.safe_load((REPOSITORY / "config" / "tasks" / "ram_insertion.yaml").read_text())
    first = data["arms"][0]
    data["arms"].append({**first, "name": "right", "controller": {**first["controller"], **second}})
    path = tmp_path / "two_arms.yaml"
    path.write_text(yaml.safe_dump(data))
    return load_task(str(path))


def test_all_arms_run_on_one_clock(tmp_path):
    assert two_arms(tmp_path).action_dim == 12
    with pytest.raises(TaskError, match=r"arm 'right': controller.rate_hz: 500.*e\.g\. 1000 as of 'arm'"):
        two_arms(tmp_path, rate_hz=500)
    with pytest.raises(TaskError, match=r"arm 'right': controller.target_timeout_s: 0.05"):
        two_arms(tmp_path, target_timeout_s=0.05)


def test_unknown_task_suggests_the_nearest():
    with pytest.raises(TaskError, match="did you mean 'ram_insertion'"):
        load_task("ram_insertio")


def test_file_errors_are_task_errors(tmp_path):
    with pytest.raises(TaskError, match="does not exist"):
        load_task(str(tmp_path / "none.yaml"))
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1,")
    with pytest.raises(TaskError, match="not readable as YAML"):
        load_task(str(broken))
    broken.write_text("- 1")
    with pytest.raises(TaskError, match="must be a mapping"):
        load_task(str(broken))


def test_config_hash_follows_what_actor_and_learner_share():
    base = load_task("ram_insertion")
    assert base.config_hash() == load_task("ram_insertion").config_hash()
    assert base.config_hash() == load_task("ram_insertion", ["evaluation.episodes=3"]).config_hash()
    assert base.config_hash() != load_task("ram_insertion", ["learner.discount=0.9"]).config_hash()
    mine = ["keep_checkpoints=9", "workers=2", "device='cuda:1'", "wandb={project: ram}"]
    mine = [f"learner.{value}" for value in mine]
    assert base.config_hash() == load_task("ram_insertion", mine).config_hash()


def test_a_device_has_to_be_one_of_torch():
    assert load_task("ram_insertion").learner.device == "cpu"
    with pytest.raises(TaskError, match=r"learner\.device: .*got 'gpu'"):
        load_task("ram_insertion", ["learner.device=gpu"])


def test_wandb_is_off_unless_named_and_its_mode_is_checked():
    assert load_task("ram_insertion").learner.wandb is None
    chosen = load_task("ram_insertion", ["learner.wandb.project=ram", "learner.wandb.mode=offline"])
    assert (chosen.learner.wandb.project, chosen.learner.wandb.mode) == ("ram", "offline")
    with pytest.raises(TaskError, match=r"learner\.wandb\.mode: .*'online' or 'offline'; got 'of'"):
        load_task("ram_insertion", ["learner.wandb.mode=of"])
