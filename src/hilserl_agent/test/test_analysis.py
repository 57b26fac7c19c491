# SPDX-License-Identifier: Apache-2.0
"""The paper's analyses on a small run folder that the real writers have made."""

import shutil

import cv2
import numpy as np
import pytest
import yaml
from geometry_msgs.msg import Pose

from hilserl_agent.analysis import analyse
from hilserl_agent.analysis.behaviour import policy_axes, successful_episodes
from hilserl_agent.analysis.funnel import pick_snapshots
from hilserl_agent.analysis.interventions import Intervention, find_interventions
from hilserl_agent.analysis.run_data import RunData
from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.metrics import append_row, episode_row
from hilserl_agent.sender import Sender
from hilserl_agent.starts import write_start
from hilserl_learning.snapshot import AgentSnapshot
from hilserl_msgs.msg import ArmState, EpisodeSummary, Observation
from hilserl_task import load_task

EPISODES = 8
HUMAN = {0: (1, 2, 5), 1: (0,), 2: (8, 9)}  # steps of a person by episode
SENDER = Sender("actor", "session", "outbox")


@pytest.fixture(scope="session")
def finished(tmp_path_factory, run_template):
    """Eight episodes of ten steps, four of them successful, with updates and snapshots between."""
    return tmp_path_factory.mktemp("finished") / "run"


@pytest.fixture
def run(finished, run_template, task, kit):
    if not finished.is_dir():
        shutil.copytree(run_template, finished)
        write_run(finished, task, kit)
    return RunData(finished)


def write_run(folder, task, kit):
    (folder / "task.yaml").write_text(yaml.safe_dump(task.model_dump(mode="json")))
    core = LearnerCore(task, folder, 0)
    for episode in range(EPISODES):
        messages = kit.episode_messages(task, folder, episode, 10 * episode + 1, HUMAN.get(episode, ()))
        if episode >= EPISODES // 2:
            messages[-1].terminated, messages[-1].truncated, messages[-1].reward = True, False, 1.0
        core.insert(SENDER, messages)
        for _ in range(core.due):
            core.cycle()
            if core.publish_due:
                core.keep_snapshot()
        write_start(folder, start(episode), actor_id="actor", phase="train")
        append_row(folder / "metrics" / "episodes.jsonl", row(episode))
    core.close()


def start(episode):
    """base_T_start: turned by half a turn about x, as a tool that looks down."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = 0.5, 0.01 * episode, 0.2
    pose.orientation.x, pose.orientation.w = 1.0, 0.0
    return Observation(episode=episode, arms=[ArmState(name="arm", start_pose=pose)])


def row(episode):
    good = episode >= EPISODES // 2
    summary = EpisodeSummary(
        actor_id="actor", phase="train", episode=episode, steps=10, duration_s=1.0,
        outcome=EpisodeSummary.OUTCOME_SUCCESS if good else EpisodeSummary.OUTCOME_FAILURE,
        intervention_steps=len(HUMAN.get(episode, ())),
    )  # fmt: skip
    return episode_row(summary, "train", 60.0 * (episode + 1), None)


def analysed(run, out, *arguments):
    with pytest.raises(SystemExit) as stop:
        analyse.main(["--run-dir", str(run.folder), "--out", str(out), *arguments])
    return stop.value.code


def test_one_command_draws_every_figure(run, tmp_path, capsys):
    assert analysed(run, tmp_path, "--compare", f"the same={run.folder}") == 0
    names = ["ablations", "behaviour", "funnel", "interventions", "training"]
    assert sorted(path.stem for path in tmp_path.glob("*.png")) == names
    assert sorted(path.stem for path in tmp_path.glob("*.svg")) == names
    for path in tmp_path.glob("*.png"):
        picture = cv2.imread(str(path))
        assert min(picture.shape[:2]) > 400
        assert picture.std() > 5, f"{path} is empty"
    assert "[5/5]" in capsys.readouterr().out


def test_the_log_is_read_as_it_was_sent(run, task, kit):
    steps = run.steps
    assert len(steps) == 10 * EPISODES
    sent = kit.episode_messages(task, run.folder, 3, 31)
    np.testing.assert_array_equal(steps.features[30:40], [message.features for message in sent])
    np.testing.assert_array_equal(steps.action[30:40], [message.action for message in sent])
    assert [part for _, part in steps.episodes()] == [slice(10 * k, 10 * k + 10) for k in range(EPISODES)]


def test_positions_are_in_the_base_frame(run):
    positions, in_base = run.positions
    assert in_base
    # State 0.1 k on every entry: the tool looks down, so its y and z count backwards.
    np.testing.assert_allclose(positions[23], [0.5 + 0.3, 0.02 - 0.3, 0.2 - 0.3], atol=1e-6)


def test_without_starts_positions_are_relative_and_say_so(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "metrics" / "starts.jsonl").unlink()
    positions, in_base = RunData(tmp_path / "run").positions
    assert not in_base
    np.testing.assert_allclose(positions[23], [0.3, 0.3, 0.3], atol=1e-6)


def test_interventions_are_found(run):
    found, episodes = find_interventions(run.steps)
    assert episodes == EPISODES
    expected = [(0, 1, 2), (0, 5, 1), (1, 0, 1), (2, 8, 2)]
    assert found == [Intervention(*entry) for entry in expected]


def test_only_unaided_successes_show_the_policy(run):
    assert [episode for episode, _ in successful_episodes(run)] == [4, 5, 6, 7]


def test_snapshots_are_spread_over_the_steps(run):
    assert len(run.snapshots) > 5
    chosen = pick_snapshots(run.snapshots, len(run.steps))
    inserted = [snapshot.about["inserted"] for snapshot in chosen]
    assert len(inserted) == 5
    assert inserted == sorted(set(inserted))
    assert inserted[-1] == run.snapshots[-1].about["inserted"]
    assert all(isinstance(snapshot, AgentSnapshot) for snapshot in chosen)


def test_a_log_that_is_still_written_is_read_to_its_end(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    newest = sorted((tmp_path / "run" / "transitions").glob("*.mcap"))[-1]
    whole = newest.read_bytes()
    newest.write_bytes(whole[: len(whole) // 2])
    assert 0 < len(RunData(tmp_path / "run").steps) < 10 * EPISODES


def test_what_a_run_does_not_have_is_left_out_and_said(run, tmp_path, capsys):
    shutil.copytree(run.folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "snapshots")
    assert analysed(RunData(tmp_path / "run"), tmp_path / "out") == analyse.EXIT_INCOMPLETE
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.png")) == ["interventions", "training"]
    assert "has no snapshots of the critics" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        analyse.main(["--run-dir", str(tmp_path)])
    assert stop.value.code == analyse.EXIT_USAGE
    assert "has no task.yaml" in capsys.readouterr().err


def test_every_value_of_the_policy_has_its_name_in_the_figure():
    wrench = "arms.0.action={type: wrench, force_scale_n: {z: 12.0}, torque_scale_nm: {y: 3.5}}"
    learned = ["arms.0.gripper.mode=learned", "arms.0.gripper.position=1.0"]
    assert policy_axes(load_task("ram_insertion", [wrench, *learned])) == [("force z", 2), ("torque y", 4)]
    assert [axis for _, axis in policy_axes(load_task("ram_insertion"))] == list(range(6))
