# SPDX-License-Identifier: Apache-2.0
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilserl_agent import report
from hilserl_agent.figures import episode_strip, episode_video
from hilserl_agent.metrics import append_row

TASK = str(Path(__file__).parents[3] / "config" / "tasks" / "ram_insertion.yaml")
PERIOD_S = 0.1


def write_episode(folder, name="episodes", **changes):
    base = {
        "phase": "train", "wall_s": 0.0, "actor_id": "a", "episode": 0, "outcome": "success",
        "termination_reason": "reward", "discarded": False, "steps": 20, "intervention_steps": 0,
        "interventions": 0, "duration_s": 2.0, "episode_wall_s": 1.0, "episode_return": 1.0,
        "policy_version": 5, "total_steps": 0, "truth_success": None, "started": "2026-01-01T10:00:00",
    }  # fmt: skip
    append_row(folder / "metrics" / f"{name}.jsonl", {**base, **changes})


def write_run(folder, training=80):
    """A run as the nodes leave it: 3 demos, a policy that gets better, 50 evaluation episodes (48 true)."""
    generator = np.random.default_rng(0)
    (folder / "labels").mkdir(parents=True)
    shutil.copy(TASK, folder / "task.yaml")
    for index in range(2):
        labels = np.arange(30) > 25
        np.savez(folder / "labels" / f"episode_{index:04d}.npz", labels=labels, images=np.zeros((30, 1)))
    (folder / "classifier").mkdir()
    (folder / "classifier" / "report.json").write_text(json.dumps({"accuracy": 0.985}))
    for index in range(3):
        write_episode(folder, phase="demos", episode=index, steps=40, intervention_steps=40, duration_s=4.0)
    write_episode(folder, phase="demos", episode=3, outcome="failure", steps=100, duration_s=10.0)
    write_episode(folder, phase="demos", episode=4, outcome="failure", discarded=True, duration_s=10.0)
    for index in range(training):
        skill = index / training
        success = generator.random() < 0.3 + 0.8 * skill
        helped = 0 if skill > 0.7 else int((0.7 - skill) * 30)
        steps = int(60 - 40 * skill) if success else 100
        write_episode(
            folder, episode=index, wall_s=6.0 * (index + 1), outcome="success" if success else "failure",
            steps=steps, duration_s=steps * PERIOD_S, intervention_steps=helped,
        )  # fmt: skip
    for second in range(0, 480, 2):
        status = {"phase": "train", "wall_s": float(second), "gradient_steps": second * 20}
        append_row(folder / "metrics" / "status.jsonl", status)
    for index in range(50):
        truth = index not in (7, 31)
        write_episode(
            folder, "evaluation", phase="evaluate", episode=index, truth_success=truth, policy_version=99,
            outcome="success" if index != 7 else "failure",
        )  # fmt: skip


def run(folder, *arguments):
    with pytest.raises(SystemExit) as stop:
        report.main(["--run-dir", str(folder), *arguments])
    return stop.value.code


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def test_summary_of_a_whole_run(tmp_path, capsys):
    write_run(tmp_path)
    assert run(tmp_path, "--seed", "3") == 0
    summary = summary_of(tmp_path)
    assert summary["success_rate"] == pytest.approx(0.96)
    assert summary["success_source"] == "ground_truth"
    assert summary["classifier_success_rate"] == pytest.approx(0.98)
    assert summary["eval_episodes"] == 50
    assert summary["success_interval_95"] == pytest.approx([0.865, 0.989], abs=1e-3)
    assert summary["cycle_time_s"] == pytest.approx(2.0)
    assert summary["demo_cycle_time_s"] == pytest.approx(4.0)
    assert summary["demo_success_rate"] == pytest.approx(3 / 4)
    assert summary["train_wall_s"] == pytest.approx(480.0)
    assert summary["gradient_steps"] == 478 * 20
    assert summary["classifier_accuracy"] == 0.985
    assert summary["intervention_rate_last20"] == 0.0
    assert (summary["seed"], summary["task"], summary["profile"]) == (3, "ram_insertion", "fast")
    rows = [json.loads(line) for line in (tmp_path / "metrics" / "episodes.jsonl").read_text().splitlines()]
    training = [row for row in rows if row["phase"] == "train"]
    assert summary["env_steps"] == sum(row["steps"] for row in training)
    human = 60 + (3 * 40 + 100 + 20) + sum(row["intervention_steps"] for row in training)
    assert summary["operator_seconds"] == pytest.approx(human * PERIOD_S)
    assert summary["missing"] == []
    assert cv2.imread(str(tmp_path / "figures" / "training.png")).shape[1] > 1000
    assert "96.0% of 50 episodes" in capsys.readouterr().out


def test_an_empty_run_says_what_is_missing_and_fails(tmp_path, capsys):
    assert run(tmp_path, "--task", TASK) == report.EXIT_NO_EVALUATION
    missing = " ".join(summary_of(tmp_path)["missing"])
    for part in ("evaluation", "training episodes", "learner status", "labels", "classifier report"):
        assert part in missing
    assert "missing: evaluation" in capsys.readouterr().out


def test_an_evaluation_alone_is_enough(tmp_path):
    write_episode(tmp_path, "evaluation", phase="evaluate", truth_success=True)
    assert run(tmp_path, "--task", TASK) == 0
    assert summary_of(tmp_path)["success_rate"] == 1.0


def test_what_disturbed_the_trials_is_named(tmp_path):
    write_episode(tmp_path, "evaluation", phase="evaluate", truth_success=True)
    assert run(tmp_path, "--task", TASK) == 0
    assert summary_of(tmp_path)["eval_events"] == []
    chosen = ["evaluation.board_moved=true", "evaluation.events=[arm_pushed]"]
    assert run(tmp_path, "--task", TASK, *(word for value in chosen for word in ("--set", value))) == 0
    assert summary_of(tmp_path)["eval_events"] == ["board_moved", "arm_pushed"]


def test_without_a_simulator_the_classifier_judges(tmp_path):
    for index, outcome in enumerate(["success", "failure"]):
        write_episode(tmp_path, "evaluation", phase="evaluate", episode=index, outcome=outcome)
    assert run(tmp_path, "--task", TASK) == 0
    summary = summary_of(tmp_path)
    assert (summary["success_rate"], summary["success_source"]) == (0.5, "classifier")


def test_evaluations_of_different_starts_are_not_mixed(tmp_path):
    for started, episode, truth in [("09:00", 0, False), ("09:00", 1, False), ("09:30", 0, True)]:
        key = {"started": started, "episode": episode}
        write_episode(tmp_path, "evaluation", phase="evaluate", truth_success=truth, **key)
    assert run(tmp_path, "--task", TASK) == 0
    assert (summary_of(tmp_path)["eval_episodes"], summary_of(tmp_path)["success_rate"]) == (1, 1.0)


def test_truth_that_got_lost_counts_as_failure_and_is_said(tmp_path):
    for index, truth in enumerate([True, None]):
        write_episode(tmp_path, "evaluation", phase="evaluate", episode=index, truth_success=truth)
    assert run(tmp_path, "--task", TASK) == 0
    summary = summary_of(tmp_path)
    assert summary["success_rate"] == 0.5
    assert any("ground truth of 1" in note for note in summary["missing"])


def test_a_short_evaluation_and_a_truncated_label_file_are_said(tmp_path):
    write_run(tmp_path, training=1)
    write_episode(tmp_path, "evaluation", phase="evaluate", episode=50, truth_success=True, discarded=True)
    label_file = tmp_path / "labels" / "episode_0001.npz"
    label_file.write_bytes(label_file.read_bytes()[:200])
    assert run(tmp_path, "--set", "evaluation.episodes=60") == 0
    missing = summary_of(tmp_path)["missing"]
    assert "evaluation: 50 episodes, evaluation.episodes is 60" in missing
    assert any("labels file episode_0001.npz" in note for note in missing)


def test_a_broken_classifier_report_is_said(tmp_path):
    write_episode(tmp_path, "evaluation", phase="evaluate", truth_success=True)
    (tmp_path / "classifier").mkdir()
    (tmp_path / "classifier" / "report.json").write_text("{")
    assert run(tmp_path, "--task", TASK) == 0
    assert any("classifier/report.json" in note for note in summary_of(tmp_path)["missing"])


@pytest.mark.parametrize(
    ("folder", "arguments", "text"),
    [
        ("none", ["--task", TASK], "does not exist"),
        ("", [], "no task.yaml"),
        ("", ["--task", "rram"], "rram"),
    ],
)
def test_wrong_folder_or_task_is_one_line_and_exit_2(tmp_path, capsys, folder, arguments, text):
    assert run(tmp_path / folder, *arguments) == report.EXIT_USAGE
    error = capsys.readouterr().err
    assert text in error
    assert len(error.strip().splitlines()) == 1


def test_strip_and_video_of_an_episode(tmp_path):
    frames = [np.full((2, 128, 128, 3), 20 * index, np.uint8) for index in range(12)]
    episode_strip(tmp_path / "strip.png", frames, PERIOD_S, ["wrist_1", "wrist_2"], "episode 0: success")
    strip = cv2.imread(str(tmp_path / "strip.png"))
    assert strip.shape[1] > 8 * 128
    assert strip[100, -64].tolist() == [220, 220, 220]  # the last frame is always shown
    episode_video(tmp_path / "episode.mp4", frames, PERIOD_S)
    video = cv2.VideoCapture(str(tmp_path / "episode.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(10)


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no frame"):
        episode_strip(tmp_path / "strip.png", [], PERIOD_S, [], "")
    with pytest.raises(ValueError, match="no frame"):
        episode_video(tmp_path / "episode.mp4", [], PERIOD_S)
