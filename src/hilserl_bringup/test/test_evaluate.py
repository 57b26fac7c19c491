# SPDX-License-Identifier: Apache-2.0
"""`eval`: what it evaluates, what it refuses, and how it goes on after a break."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from hilserl_bringup import evaluate
from hilserl_bringup.contestants import Plan, find_contestants, first_missing, open_evaluation
from hilserl_bringup.run_folder import write_task
from hilserl_task import load_task
from hilserl_task.loader import find_task_file

NOON, LATER = datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 13)
TASK = str(find_task_file("ram_insertion").absolute())


@pytest.fixture
def run(tmp_path):
    """A run folder with a newest policy and one checkpoint."""
    folder = tmp_path / "run"
    for place in ("policy", "checkpoints/learner_000000100"):
        (folder / place).mkdir(parents=True)
        (folder / place / "policy.safetensors").write_bytes(place.encode())
    write_task(folder, load_task(TASK))
    return folder


def plan_of(run, *policies, modes=(False, True)):
    contestants = find_contestants(policies or [(run, None)], modes)
    return Plan("ram_insertion", 3, 0, False, (), contestants)


def finish(folder, contestant, trials, **changes):
    (folder / contestant.folder).mkdir(exist_ok=True)
    with (folder / contestant.folder / "trials.jsonl").open("a") as file:
        for trial in trials:
            file.write(json.dumps({"trial": trial, "discarded": False, **changes}) + "\n")


def test_every_policy_comes_in_every_mode(run):
    found = find_contestants([(run, None), (run, "learner_000000100")], (False, True))
    assert [contestant.label for contestant in found] == [
        "newest policy, stochastic", "newest policy, deterministic",
        "learner_000000100, stochastic", "learner_000000100, deterministic",
    ]  # fmt: skip
    assert len({contestant.folder for contestant in found}) == 4
    assert found[0].sha256 == found[1].sha256 != found[2].sha256


def test_an_unfinished_evaluation_goes_on_and_a_finished_one_does_not(run):
    plan = plan_of(run)
    folder = open_evaluation(run, plan, NOON)
    finish(folder, plan.contestants[0], (0, 1, 2))
    finish(folder, plan.contestants[1], (0, 1))
    assert open_evaluation(run, plan, LATER) == folder
    finish(folder, plan.contestants[1], (2,))
    assert open_evaluation(run, plan, LATER) != folder


def test_another_policy_file_is_another_evaluation(run):
    folder = open_evaluation(run, plan_of(run), NOON)
    (run / "policy" / "policy.safetensors").write_bytes(b"trained on")
    assert open_evaluation(run, plan_of(run), LATER) != folder


def test_the_first_gap_is_where_it_goes_on(run):
    plan = plan_of(run)
    folder, contestant = open_evaluation(run, plan, NOON), plan.contestants[0]
    place = folder / contestant.folder
    assert first_missing(place, 3) == 0
    finish(folder, contestant, (0, 2))
    finish(folder, contestant, (1,), discarded=True)
    with (place / "trials.jsonl").open("a") as file:
        file.write('{"trial": 1, "disc')
    assert first_missing(place, 3) == 1


def test_the_graph_is_told_which_trials_and_how(run, tmp_path):
    plan = replace(plan_of(run, (run, "learner_000000100")), trials=7, board_moved=True, seed=4)
    specs, isolated = evaluate.evaluation_specs(plan, plan.contestants[1], tmp_path / "out", 2, videos=5)
    by_name = {spec.executable: spec.parameters for spec in specs}
    assert isolated
    assert (by_name["actor"]["first_trial"], by_name["actor"]["episodes"]) == (2, 5)
    monitor = by_name["monitor"]
    assert (monitor["results"], monitor["pictured"], monitor["first_trial"]) == (str(tmp_path / "out"), 5, 2)
    assert by_name["sim"]["seed"] == 4
    task = load_task(str(by_name["actor"]["task"]), by_name["actor"]["overrides"]).evaluation
    assert (task.deterministic, task.board_moved, task.episodes) == (True, True, 7)
    assert task.checkpoint == "learner_000000100"
    assert by_name["intervention_mux"]["operator_enabled"] is False


def test_every_event_is_tried_beside_undisturbed_trials(run, tmp_path):
    options = evaluate._parser().parse_args(
        [
            "--run-dir",
            str(run),
            "--mode",
            "stochastic",
            "--event",
            "board_shifts",
            "--event",
            "board_moved+arm_pushed",
        ]
    )
    plan = evaluate._plan(options)
    assert [contestant.label for contestant in plan.contestants] == [
        "newest policy, stochastic",
        "newest policy, stochastic, board_shifts",
        "newest policy, stochastic, board_moved + arm_pushed",
    ]
    asked = []
    for contestant in plan.contestants:
        specs, _ = evaluate.evaluation_specs(plan, contestant, tmp_path / contestant.folder, 0, videos=0)
        for name in ("sim", "actor", "monitor"):
            told = next(spec.parameters for spec in specs if spec.executable == name)
            asked.append(load_task(str(told["task"]), told["overrides"]).evaluation.disturbances)
    assert asked == [()] * 3 + [("board_shifts",)] * 3 + [("board_moved", "arm_pushed")] * 3
    assert len({contestant.folder for contestant in plan.contestants}) == 3


def test_events_of_the_runs_own_task_do_not_leak_into_the_undisturbed_trials(run, tmp_path):
    write_task(run, load_task(TASK, ["evaluation.events=[arm_pushed]"]))
    plan = evaluate._plan(evaluate._parser().parse_args(["--run-dir", str(run), "--mode", "stochastic"]))
    specs, _ = evaluate.evaluation_specs(plan, plan.contestants[0], tmp_path, 0, videos=0)
    told = next(spec.parameters for spec in specs if spec.executable == "sim")
    assert load_task(str(told["task"]), told["overrides"]).evaluation.disturbances == ()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--event", "bord_shifts"], "--event: 'bord_shifts' is unknown; did you mean 'board_shifts'?"),
        (["--event", "earthquake"], "'earthquake' is unknown; kinds: board_moved, board_shifts, arm_pushed"),
        (["--event", "arm_pushed+arm_pushed"], "names one twice"),
        (["--event", "gripper_opened"], "gripper_opened needs an arm with gripper: {mode: learned}"),
        (["--trials", "0"], "--trials: '0' must be a whole number of at least 1; example: 100"),
        (["--trials", "many"], "--trials: 'many' must be"),
        (["--videos", "-1"], "--videos: '-1' must be"),
        (["--checkpoint", "best"], "checkpoint 'best': not in"),
        (["--compare", "nowhere"], "run folder nowhere: has no task.yaml"),
        (["--task", "nonsense"], "task: 'nonsense' is unknown"),
        (["--set", "episode.max_steps=-1"], "max_steps"),
    ],
)
def test_wrong_input_is_one_line_and_starts_nothing(run, capsys, arguments, text):
    assert evaluate.main(["--run-dir", str(run), *arguments]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not (run / "evaluations").exists()


def test_a_run_without_policy_or_of_another_task_is_refused(run, tmp_path, capsys):
    other = tmp_path / "other.yaml"
    other.write_text(Path(TASK).read_text().replace("name: ram_insertion", "name: other_task", 1))
    assert evaluate.main(["--run-dir", str(run), "--task", str(other)]) == 2
    assert "is of task 'ram_insertion', not of 'other_task'" in capsys.readouterr().err
    (run / "policy" / "policy.safetensors").unlink()
    assert evaluate.main(["--run-dir", str(run)]) == 2
    assert "has no policy (policy/policy.safetensors); train first" in capsys.readouterr().err
