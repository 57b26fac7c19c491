# SPDX-License-Identifier: Apache-2.0
import json
import resource
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch

from hilserl_agent.config import encodes_in_update, keeps_images, learner_config, load_perception
from hilserl_agent.fit_perception import fit_perception, main
from hilserl_agent.intake import InsertRefused
from hilserl_agent.learner_core import LearnerCore, TrainingDiverged
from hilserl_agent.policy_codec import PolicyRejected
from hilserl_agent.policy_file import POLICY_FILE, read_policy_file
from hilserl_agent.sender import Sender
from hilserl_learning.actor_policy import ActorPolicy
from hilserl_learning.resnet10 import ResNet10
from hilserl_task import TaskError

ORIGINAL = ("learner.profile=original", "learner.trunk_weights=random", "learner.store_images=true")


def insert(core, messages, actor="robot"):
    return core.insert(Sender(actor, "session", "outbox"), messages)


def weights(core):
    return torch.cat([p.flatten() for p in core.agent.policy_state_dict().values()])


def test_demonstrations_come_from_successful_bags_only(task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    assert len(core.demonstrations) == 12  # 2 wanted of 3 successful ones, 6 steps each
    batch = core.demonstrations.sample(200)
    assert set(batch.reward.tolist()) == {0.0, 1.0}
    assert torch.equal(batch.reward, batch.terminated)


def test_missing_demonstrations_are_named_or_not_wanted(kit, run_dir):
    (run_dir / "demos").unlink()
    with pytest.raises(TaskError, match=r"no successful episode.*learner\.demonstrations=false"):
        LearnerCore(kit.small_task(), run_dir, 0)
    assert len(LearnerCore(kit.small_task("learner.demonstrations=false"), run_dir, 0).demonstrations) == 0


def test_unreadable_demonstration_is_named(kit, run_dir):
    (run_dir / "demos").unlink()
    (run_dir / "demos" / "episode_0000").mkdir(parents=True)
    with pytest.raises(TaskError, match="episode_0000"):
        LearnerCore(kit.small_task(), run_dir, 0)


def test_missing_perception_says_how_to_make_it(task, run_dir):
    (run_dir / "perception").unlink()
    with pytest.raises(TaskError, match="fit_perception"):
        LearnerCore(task, run_dir, 0)


def test_policy_without_pictures_needs_no_perception(kit, run_dir):
    (run_dir / "perception").unlink()
    task = kit.small_task("learner.policy_images=false")
    core = LearnerCore(task, run_dir, 0)
    assert core.config.feature_dim == 0
    insert(core, kit.episode_messages(task, run_dir, 0, 1))
    core.cycle()
    assert core.perception_id == "none"


def test_insert_is_idempotent(kit, task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    messages = kit.episode_messages(task, run_dir, 0, 1)
    assert insert(core, messages[:6]) == 6
    assert insert(core, messages[:6]) == 0
    assert insert(core, messages[3:]) == 4
    assert len(core.online) == 10
    assert (core.inserted, core.intake.ledger("robot").sequence) == (10, 10)
    stored = torch.unique(core.online.sample(500).action[:, 0])
    np.testing.assert_allclose(stored, 0.05 * np.arange(10), atol=1e-6)


def test_two_actors_have_their_own_numbers(kit, task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    insert(core, kit.episode_messages(task, run_dir, 0, 1), "left")
    insert(core, kit.episode_messages(task, run_dir, 0, 1), "right")
    assert len(core.online) == 20


def test_interventions_enter_both_buffers_with_their_own_successors(kit, task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    before = len(core.demonstrations)
    insert(core, kit.episode_messages(task, run_dir, 3, 1, human=(2, 3, 6, 9)))
    assert len(core.online) == 10
    assert len(core.demonstrations) == before + 4
    core.demonstrations.gives_images = True  # this profile keeps pictures, but its updates do not read them
    batch = core.demonstrations.sample(400)
    ours = batch.action[:, 0] == batch.action[:, 5]
    steps = batch.state[ours][:, 0] / 0.1
    following = batch.next_state[ours][:, 0] / 0.1
    mine = torch.isclose(batch.action[ours][:, 0], 0.05 * steps, atol=1e-5) & (steps > 0.9)
    assert set(steps[mine].round().int().tolist()) == {2, 3, 6, 9}
    assert torch.allclose(following[mine], steps[mine] + 1, atol=1e-4)
    pictures = batch.next_images
    assert pictures is not None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda m: setattr(m[4], "sequence", 7), "a transition is missing"),
        (lambda m: setattr(m[4], "step", 2), "steps must only grow"),
        (lambda m: setattr(m[4], "state", [float("nan")] * 18), "not finite"),
        (lambda m: setattr(m[4], "features", [0.0]), "features: 1 values"),
    ],
)
def test_a_bad_batch_is_refused_as_a_whole(kit, task, run_dir, change, text):
    core = LearnerCore(task, run_dir, 0)
    messages = kit.episode_messages(task, run_dir, 0, 1)
    change(messages)
    with pytest.raises(InsertRefused, match=text):
        insert(core, messages)
    assert (core.inserted, core.intake.ledger("robot").sequence, len(core.online)) == (0, 0, 0)


@pytest.mark.parametrize(("index", "field"), [(4, "images"), (9, "next_images")])
def test_a_batch_without_pictures_is_refused_where_they_are_stored(kit, task, run_dir, index, field):
    core = LearnerCore(task, run_dir, 0)
    messages = kit.episode_messages(task, run_dir, 0, 1)
    setattr(messages[index], field, [])
    with pytest.raises(InsertRefused, match=f": {field}: 0 bytes"):
        insert(core, messages)
    assert (core.inserted, len(core.online)) == (0, 0)
    assert insert(core, kit.episode_messages(task, run_dir, 0, 1)) == 10


def test_foreign_actors_are_told_what_differs(task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    with pytest.raises(InsertRefused, match=f"config_hash abc, here {core.config_hash}"):
        core.check_identity("robot", "abc", core.perception_id)
    with pytest.raises(InsertRefused, match="perception_id xyz"):
        core.check_identity("robot", core.config_hash, "xyz")


def test_updates_are_due_per_step_once_training_starts(kit, run_dir):
    task = kit.small_task("learner.updates_per_step=3")
    core = LearnerCore(task, run_dir, 0)
    messages = kit.episode_messages(task, run_dir, 0, 1)
    insert(core, messages[:3])
    assert core.due == 0
    insert(core, messages[3:4])  # the fourth starts training
    assert core.due == 3
    core.cycle()
    insert(core, messages[4:6])
    assert core.due == 8


def test_without_a_cap_updates_go_on_between_steps(kit, run_dir):
    core = LearnerCore(kit.small_task("learner.updates_per_step=null"), run_dir, 0)
    messages = kit.episode_messages(core.task, run_dir, 0, 1)
    insert(core, messages[:3])
    assert core.due == 0
    insert(core, messages[3:4])
    for _ in range(5):
        assert core.due == 1
        core.cycle()
    with pytest.raises(TaskError, match="synchronous runs a fixed number per step"):
        kit.small_task("learner.updates_per_step=null", "learner.updates=synchronous")


def test_policies_are_numbered_stored_and_loadable(task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    assert [core.next_policy().version, core.next_policy().version] == [1, 2]
    stored = read_policy_file(run_dir / POLICY_FILE, core.config_hash)
    action = ActorPolicy.from_safetensors(stored.blob).act(np.zeros(core.config.feature_dim), np.zeros(18))
    assert stored.version == 2
    assert action.shape == (6,)
    with pytest.raises(PolicyRejected, match="belongs to task configuration"):
        read_policy_file(run_dir / POLICY_FILE, "other")


def test_resume_goes_on_exactly_where_it_was(kit, task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    messages = kit.episode_messages(task, run_dir, 0, 1, human=(2, 3, 4))
    insert(core, messages[:4])  # the intervention is still open
    core.cycle()
    core.next_policy()
    core.save()
    core.next_policy()  # published after the checkpoint: its number must not be used again
    copy = run_dir.with_name("copy")
    shutil.copytree(run_dir, copy, symlinks=True)
    again = LearnerCore(task, copy, 1)
    assert again.resumed
    assert again.next_policy().version == 3
    for one in (core, again):
        insert(one, messages)
        one.cycle()
        one.cycle()
    assert (again.inserted, again.cycles) == (core.inserted, core.cycles)
    assert (len(again.online), len(again.demonstrations)) == (len(core.online), len(core.demonstrations))
    assert torch.equal(weights(core), weights(again))


def contents(core):
    """Everything that sampling depends on: the same random numbers give the same batches."""
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    buffers = (core.online, core.demonstrations)
    batches = [buffer.sample(500, generator=g) for buffer, g in zip(buffers, generators, strict=True)]
    return [value for batch in batches for value in batch if value is not None]


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_killed_learner_resumes_with_exactly_what_it_had_accepted(kit, task, run_dir, checkpoint):
    core = LearnerCore(task, run_dir, 0)
    insert(core, kit.episode_messages(task, run_dir, 0, 1, human=(2, 3, 4)))
    insert(core, kit.episode_messages(task, run_dir, 0, 1), "left")
    if checkpoint:
        core.cycle()
        core.save()
    insert(core, kit.episode_messages(task, run_dir, 1, 11, human=(9,))[:7])
    core._log._lock.close()  # all that the end of the process does
    again = LearnerCore(task, run_dir, 0)
    assert again.resumed
    assert (again.inserted, again.cycles) == (27, int(checkpoint))
    assert again.intake.state() == core.intake.state()
    assert again.sessions.state()["robot"] == ["session", "outbox"]
    assert all(map(torch.equal, contents(core), contents(again)))
    assert torch.equal(weights(core), weights(again))
    messages = kit.episode_messages(task, run_dir, 1, 11, human=(9,))
    assert insert(again, messages) == 3
    again.close()
    assert LearnerCore(task, run_dir, 0).inserted == 30


def test_a_log_with_a_gap_is_refused(kit, task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    insert(core, kit.episode_messages(task, run_dir, 0, 1))
    core.save()
    insert(core, kit.episode_messages(task, run_dir, 1, 11))
    core.close()
    shutil.rmtree(run_dir / "checkpoints")
    first, _ = sorted((run_dir / "transitions").glob("*.mcap"))
    first.unlink()
    with pytest.raises(TaskError, match=r"transitions: .*sequence 11 follows 0"):
        LearnerCore(task, run_dir, 0)


def test_a_log_of_another_configuration_is_refused(kit, task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    insert(core, kit.episode_messages(task, run_dir, 0, 1))
    core.close()
    with pytest.raises(
        TaskError, match=r"config_hash.*learner.discount: 0.9 here, None there.*new run folder"
    ):
        LearnerCore(kit.small_task("learner.discount=0.9"), run_dir, 0)


def test_nothing_is_stored_that_the_log_could_not_take(kit, task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    messages = kit.episode_messages(task, run_dir, 0, 1)
    insert(core, messages[:5])
    (file,) = (run_dir / "transitions").glob("*.mcap")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 10, hard))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(OSError, match="too large"):
            insert(core, messages)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (core.inserted, core.intake.ledger("robot").sequence) == (5, 5)
    core._log._lock.close()
    assert LearnerCore(task, run_dir, 0).inserted == 5


def test_checkpoint_of_another_configuration_is_refused(kit, task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    core.save()
    with pytest.raises(
        TaskError, match=r"config_hash.*learner.discount: 0.9 here, None there.*new run folder"
    ):
        LearnerCore(kit.small_task("learner.discount=0.9"), run_dir, 0)


def test_damaged_checkpoint_is_named(task, run_dir):
    path = LearnerCore(task, run_dir, 0).save()
    (path / "state.pt").write_bytes(b"broken")
    with pytest.raises(TaskError, match="cannot be used"):
        LearnerCore(task, run_dir, 0)


def test_a_loss_that_is_not_finite_stops_training(kit, task, run_dir):
    core = LearnerCore(task, run_dir, 0)
    insert(core, kit.episode_messages(task, run_dir, 0, 1))
    with torch.no_grad():
        next(core.agent.critic.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingDiverged, match="critic_loss"):
        core.cycle()


def test_task_values_reach_the_agent(kit, run_dir):
    task = kit.small_task("learner.discount=0.9", "learner.ensemble_size=3", "learner.learning_rate=0.002")
    config = learner_config(task, load_perception(task, run_dir))
    assert (config.discount, config.ensemble_size, config.learning_rate) == (0.9, 3, 0.002)
    assert (config.batch_size, config.state_dim, config.action_dim) == (16, 18, 6)


def test_pictures_are_kept_where_updates_crop_them(kit):
    task = kit.small_task(*ORIGINAL)
    assert encodes_in_update(task)
    assert keeps_images(task)
    with pytest.raises(TaskError, match="store_images"):
        kit.small_task(
            "learner.profile=original", "learner.trunk_weights=random", "learner.store_images=false"
        )


def test_perception_of_another_profile_is_refused(kit, run_dir):
    with pytest.raises(TaskError, match="run fit_perception again"):
        LearnerCore(kit.small_task(*ORIGINAL), run_dir, 0)


def test_original_profile_encodes_pictures_in_every_update(kit, run_dir):
    (run_dir / "perception").unlink()
    task = kit.small_task(*ORIGINAL, "learner.batch_size=4")
    fit_perception(task, run_dir)
    assert trunk_report(run_dir) == "random weights of seed 0"
    core = LearnerCore(task, run_dir, 0)
    messages = kit.episode_messages(task, run_dir, 0, 1)
    for message in messages:
        message.features, message.next_features = [], []
    insert(core, messages)
    core.cycle()
    assert core.online.feature_dim == 0
    assert core.config.feature_dim == 2 * 512


def trunk_report(run_dir):
    return json.loads((run_dir / "perception" / "report.json").read_text())["trunk"]


def test_published_trunk_weights_are_used_and_do_not_change_the_configuration(kit, tmp_path):
    file, published = tmp_path / "published.safetensors", ResNet10(1.0, seed=5)
    safetensors.torch.save_file({k: v.contiguous() for k, v in published.state_dict().items()}, file)
    task = kit.small_task(*ORIGINAL, f"learner.trunk_weights={file}")
    perception = fit_perception(task, tmp_path)
    assert perception is not None
    assert all(map(torch.equal, perception.trunk.parameters(), published.parameters()))
    assert trunk_report(tmp_path) == str(file)
    assert task.config_hash() == kit.small_task(*ORIGINAL).config_hash()
    assert load_perception(task, tmp_path).perception_id == perception.perception_id


@pytest.mark.parametrize("override", [(), ("learner.trunk_weights=absent.pkl",)])
def test_missing_trunk_weights_are_one_line_and_exit_2(kit, tmp_path, capsys, override):
    chosen = ("learner.profile=original", "learner.store_images=true", *override)
    arguments = ["--task", str(kit.task_file), "--run-dir", str(tmp_path)]
    assert main([*arguments, *(part for value in chosen for part in ("--set", value))]) == 2
    error = capsys.readouterr().err
    for part in (
        "learner.trunk_weights",
        "resnet10_params.pkl",
        "random",
        *(["no file at /"] if override else []),
    ):
        assert part in error
    assert len(error.strip().splitlines()) == 1


def test_read_out_is_fitted_on_the_runs_own_data(kit, task, run_dir, capsys):
    (run_dir / "perception").unlink()
    np.savez(
        write_folder(run_dir / "labels") / "episode_0000.npz",
        images=np.stack([kit.images(seed) for seed in range(50)]),
        labels=np.arange(50) >= 45,
        base_T_tcp=np.stack([np.eye(4)] * 50),
    )
    perception = fit_perception(task, run_dir)
    assert perception is not None
    assert perception.report["samples"] == 50 + 3 * 7  # the failed demonstration has no goal
    assert perception.report["groups"] == 4
    assert "x_mm" in capsys.readouterr().out
    assert load_perception(task, run_dir).perception_id == perception.perception_id


def test_read_outs_of_a_learned_gripper_come_from_its_commands(kit, run_dir, tmp_path, capsys):
    """Labels and demonstrations: two frames before the gripper closes, success 8 frames later."""
    learned = ("arms.0.gripper.mode=learned", "arms.0.gripper.position=1.0")
    task, run = kit.small_task(*learned), tmp_path / "learned"
    poses = np.tile(np.eye(4), (12, 1, 1, 1))
    poses[:, 0, 0, 3] = 0.01 * np.arange(12)
    (run / "labels").mkdir(parents=True)
    for number in range(5):
        np.savez(
            run / "labels" / f"episode_{number:04d}.npz",
            images=np.stack([kit.images(100 * number + frame) for frame in range(12)]),
            labels=np.arange(12) >= 10,
            base_T_tcp=poses,
            gripper_open=np.arange(12)[:, None] < 3,
            steps=np.arange(12),
        )
    actions = np.zeros((12, 7), np.float32)
    actions[2, 6] = -1.0
    for number in (0, 1):
        kit.write_demonstration(run / "demos", task, number, steps=12, actions=actions)
    perception = fit_perception(task, run)
    assert perception.heads == ("arm/open", "arm/closed")
    assert perception.feature_dim == 2 * 12 + 48
    heads = perception.report["heads"]
    assert (heads["arm/open"]["samples"], heads["arm/open"]["groups"]) == (7 * 3, 7)
    assert (heads["arm/closed"]["samples"], heads["arm/closed"]["groups"]) == (5 * 5 + 2 * 6, 7)
    printed = capsys.readouterr().out
    assert "arm/open: 21 frames of 7 episodes" in printed
    assert "arm/closed: 37 frames of 7 episodes" in printed
    config = learner_config(task, load_perception(task, run))
    assert (config.feature_dim, config.state_dim, config.action_dim) == (72, 19, 7)
    assert json.loads((run / "perception" / "report.json").read_text())["heads"] == heads


def test_a_learned_gripper_that_never_closed_is_one_clear_line(kit, tmp_path, capsys):
    learned = ("arms.0.gripper.mode=learned", "arms.0.gripper.position=1.0")
    kit.write_demonstration(tmp_path / "demos", kit.small_task(*learned), 0, actions=np.zeros((6, 7)))
    arguments = ["--task", str(kit.task_file), "--run-dir", str(tmp_path)]
    chosen = (*learned, "observation.image_size=32")
    assert main([*arguments, *(part for value in chosen for part in ("--set", value))]) == 2
    error = capsys.readouterr().err.strip()
    assert "'arm/open': no frame has a label for it. Of 1 episodes 1 succeed" in error
    assert len(error.splitlines()) == 1


def write_folder(path):
    path.mkdir()
    return path


def test_fitting_without_data_is_one_clear_line(tmp_path, capsys):
    arguments = ["--task", "ram_insertion", "--run-dir", str(tmp_path)]
    assert main(arguments) == 2
    assert "collect labels first" in capsys.readouterr().err
    assert main([*arguments[:1], "ram_insertio", *arguments[2:]]) == 2
    assert "did you mean 'ram_insertion'" in capsys.readouterr().err


def test_fitting_refuses_demonstrations_of_another_task(kit, run_dir, capsys):
    (run_dir / "perception").unlink()
    size = 2 * kit.small_task().observation.image_size
    arguments = ["--task", str(kit.task_file), "--run-dir", str(run_dir)]
    assert main([*arguments, "--set", f"observation.image_size={size}"]) == 2
    assert f"must be (2, {size}, {size}, 3)" in capsys.readouterr().err
