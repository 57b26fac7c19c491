# SPDX-License-Identifier: Apache-2.0
"""Wrong input or a dead part: one clear message, a non-zero exit, nothing left running."""

import json
import os
import shutil
import signal

import pytest
from graph_tools import SHORT, bringup, set_options

slow = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "ram_insertio"], ["ram_insertio", "did you mean 'ram_insertion'"]),
        (["--set", "episode.max_step=3"], ["episode.max_step", "did you mean 'max_steps'"]),
        (["--set", "period_s=5"], ["period_s", "less than or equal to 1", "got 5"]),
    ],
)
def test_wrong_task_is_one_line_and_nothing_starts(tmp_path, arguments, words):
    result = bringup(
        "run", "labels", "--task", "ram_insertion", "--run-dir", str(tmp_path / "r"), *arguments, cwd=tmp_path
    )
    assert result.returncode == 2
    for word in words:
        assert word in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_wrong_scene_parameter_is_named_and_ends_the_run(tmp_path):
    options = ("--task", "ram_insertion", "--run-dir", str(tmp_path / "r"))
    result = bringup("run", "labels", *options, "--set", "scene.parameters.no_such=1", cwd=tmp_path)
    assert result.returncode == 2
    assert "no_such" in result.stdout + result.stderr


@pytest.mark.parametrize("phase", ["demos", "evaluate", "train"])
def test_phase_without_what_it_needs_says_what_is_missing(tmp_path, phase):
    options = ("--task", "ram_insertion", "--run-dir", str(tmp_path / "empty"))
    result = bringup("run", phase, *options, cwd=tmp_path, timeout=120)
    assert result.returncode not in (0, 124)
    said = result.stdout + result.stderr
    # Whichever node needs something first names it: reward its classifier, actor and learner the perception.
    assert "no file at" in said or "make it with" in said or "train_classifier" in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("victim", ["sim", "intervention_mux", "observation"])
def test_a_dead_node_ends_the_run_and_is_named(training, victim):
    os.kill(training.nodes(victim)[0], signal.SIGKILL)
    assert training.process.wait(timeout=120) not in (0, 2)
    assert victim in training.output()
    assert not training.nodes()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ctrl_c_stops_everything_keeps_what_was_learnt_and_resumes(training):
    training.wait_for(lambda: training.episodes() >= 3)
    os.killpg(training.process.pid, signal.SIGINT)
    assert training.process.wait(timeout=120) == 130
    assert not training.nodes()
    assert (training.folder / "checkpoints" / "latest" / "buffers" / "online.npz").is_file()
    options = ("--run-dir", str(training.folder), "--task", "ram_insertion")
    again = bringup(
        "run", "train", *options, *set_options((*SHORT, "training.max_steps=200")), cwd=training.folder
    )
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-2000:]
    assert "resumed at update cycle" in (training.folder / "logs" / "learner.log").read_text()
    log = (training.folder / "metrics" / "episodes.jsonl").read_text().splitlines()
    episodes = [row["episode"] for row in map(json.loads, log) if row["phase"] == "train"]
    assert episodes == sorted(set(episodes)), "the log goes on, and no episode counts twice"


@pytest.mark.slow
def test_unreadable_demonstration_is_named(short_run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("classifier", "perception", "demos"):
        shutil.copytree(short_run.folder / name, folder / name)
    damaged = next((folder / "demos").rglob("*.mcap"))
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    options = ("--task", "ram_insertion", "--run-dir", str(folder))
    result = bringup("run", "train", *options, *set_options(SHORT), cwd=tmp_path, timeout=120)
    assert result.returncode != 0
    assert damaged.parent.name in result.stdout + result.stderr
