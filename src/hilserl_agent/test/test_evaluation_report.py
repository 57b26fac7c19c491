# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation folder, as `eval` and the monitor leave it."""

import csv
import json

import pytest

from hilserl_agent.evaluation import report
from hilserl_agent.evaluation.results import read_evaluation, start_spread
from hilserl_agent.metrics import append_row

TRIALS = 20
NAMES = ("newest policy, stochastic", "newest policy, deterministic")


def write_trial(folder, trial, **changes):
    row = {
        "phase": "evaluate", "episode": trial, "trial": trial, "seed": 1000 + trial, "outcome": "success",
        "termination_reason": "reward", "discarded": False, "steps": 10 + trial, "intervention_steps": 0,
        "duration_s": 1.0 + 0.1 * trial, "policy_version": 7, "truth_success": True,
        "base_T_start": {"arm": [0.5, 0.001 * trial, 0.15, 1.0, 0.0, 0.0, 0.0]},
        "base_T_board": [0.5, 0.0, 0.08, 0.0, 0.0, 0.0, 1.0],
    }  # fmt: skip
    append_row(folder / "trials.jsonl", {**row, **changes})


def write_plan(folder, trials=TRIALS, events=None):
    """`events`: of the second contestant, which then is the first one, disturbed; None: of an older eval."""
    contestants = [
        {
            "label": name, "folder": f"{number}_{number}", "run_dir": "/runs/one", "checkpoint": None,
            "deterministic": bool(number), "sha256": "ab" * 32,
        }
        for number, name in enumerate(NAMES)
    ]  # fmt: skip
    if events is not None:
        contestants[0]["events"] = []
        contestants[1] |= {"label": f"{NAMES[0]}, {events[0]}", "deterministic": False, "events": events}
    plan = {
        "task": "ram_insertion", "trials": trials, "seed": 5, "board_moved": False, "overrides": [],
        "contestants": contestants,
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(plan))


@pytest.fixture
def folder(tmp_path):
    """20 trials of two policies: the first fails in 3 and 4, the second in 4 and, unseen by its reward, 9."""
    write_plan(tmp_path)
    for trial in range(TRIALS):
        failed = {"truth_success": False, "outcome": "failure", "duration_s": 10.0}
        write_trial(tmp_path / "0_0", trial, **(failed if trial in (3, 4) else {}))
        second = failed if trial == 4 else {"truth_success": False} if trial == 9 else {}
        write_trial(tmp_path / "1_1", trial, **{"duration_s": 0.5 + 0.1 * trial, **second})
    return tmp_path


def written(folder):
    with pytest.raises(SystemExit) as stop:
        report.main(["--folder", str(folder)])
    return stop.value.code, json.loads((folder / "report.json").read_text())


def test_a_simulated_trial_whose_truth_got_lost_is_a_failure(folder, capsys):
    write_trial(folder / "0_0", 7, truth_success=None)  # the classifier says success
    _, found = written(folder)
    assert found["policies"][0]["failed_trials"] == [3, 4, 7]
    assert [policy["truth_lost"] for policy in found["policies"]] == [1, 0]
    assert "truth of 1 trials lost: counted as failures" in capsys.readouterr().out


def test_without_a_simulation_the_classifier_counts(tmp_path):
    write_plan(tmp_path, trials=2)
    for number in range(2):
        for trial, outcome in enumerate(("success", "failure")):
            row = {"phase": "evaluate", "truth_success": None, "outcome": outcome, "discarded": False}
            row |= {"episode": trial, "trial": trial, "steps": 5, "duration_s": 0.5, "policy_version": 1}
            row |= {"termination_reason": "reward", "intervention_steps": 0}
            append_row(tmp_path / f"{number}_{number}" / "trials.jsonl", row)
    _, found = written(tmp_path)
    assert [policy["successes"] for policy in found["policies"]] == [1, 1]
    assert found["policies"][0]["success_source"] == "classifier"


def test_report_of_two_policies(folder):
    code, found = written(folder)
    assert code == 0
    first, second = found["policies"]
    assert (first["trials"], first["successes"], first["failed_trials"]) == (20, 18, [3, 4])
    assert first["success_rate"] == pytest.approx(0.9)
    # Wilson for 18 of 20
    assert first["success_interval_95"] == pytest.approx([0.699, 0.972], abs=1e-3)
    times = [1.0 + 0.1 * trial for trial in range(20) if trial not in (3, 4)]
    assert first["cycle_time_s"] == pytest.approx(sum(times) / 18)
    low, high = first["cycle_time_interval_95_s"]
    assert low < first["cycle_time_s"] < high
    assert high - low == pytest.approx(0.53, abs=0.1)
    assert (second["classifier_success_rate"], second["classifier_false_positives"]) == (0.95, 1)
    assert found["complete"]


def test_policies_are_compared_trial_by_trial(folder):
    (pair,) = written(folder)[1]["comparisons"]
    assert (pair["both"], pair["only_first"], pair["only_second"], pair["neither"]) == (17, 1, 1, 1)
    assert (pair["success_difference"], pair["p_value"], pair["p_value_holm"]) == (0.0, 1.0, 1.0)
    assert pair["cycle_time_difference_s"] == pytest.approx(-0.5)
    assert pair["cycle_time_difference_interval_95_s"] == pytest.approx([-0.5, -0.5])


def test_page_is_one_file_with_plots(folder):
    (folder / "0_0" / "videos").mkdir()
    (folder / "0_0" / "videos" / "trial_0000.mp4").write_bytes(b"")
    written(folder)
    page = (folder / "report.html").read_text()
    assert page.count("<svg") == 3
    assert "90.0 % (69.9 % to 97.2 %)" in page
    assert 'href="0_0/videos/trial_0000.mp4"' in page
    assert "Nobody intervened" in page
    assert "took 1 failed trials for successes" in page
    for outside in ("<script", "<link", "<img", 'src="http'):
        assert outside not in page


def test_tables_list_seeds_and_states(folder):
    written(folder)
    with (folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * TRIALS
    assert (rows[3]["trial"], rows[3]["seed"], rows[3]["success"]) == ("3", "1003", "False")
    with (folder / "initial_states.csv").open() as file:
        states = list(csv.DictReader(file))
    assert [state["what"] for state in states[:2]] == ["arm start", "board"]
    assert (states[6]["trial"], float(states[6]["y_m"])) == ("3", pytest.approx(0.003))


def test_trials_with_events_stand_beside_those_without(folder, capsys):
    write_plan(folder, events=["board_shifts"])
    for trial in range(TRIALS):
        seen = [{"kind": "board_shifts", "time_s": 0.4 + 0.2 * (trial % 2)}] if trial >= 8 else []
        late = {"truth_success": trial not in (4, 9), "duration_s": 2.0, "events": seen}
        write_trial(folder / "1_1", trial, **late)
    found = written(folder)[1]
    assert found["policies"][0]["events"] == []
    (event,) = found["policies"][1]["events"]
    assert (event["kind"], event["happened"]) == ("board_shifts", 12)
    assert event["first_seen_s"] == pytest.approx(0.5)
    assert event["success_rate"] == pytest.approx(11 / 12)
    # Wilson for 11 of 12
    assert event["success_interval_95"] == pytest.approx([0.646, 0.985], abs=1e-3)
    assert event["cycle_time_s"] == pytest.approx(2.0)
    (pair,) = found["comparisons"]
    assert (pair["first"], pair["second"]) == (NAMES[0], f"{NAMES[0]}, board_shifts")
    assert (pair["only_first"], pair["only_second"]) == (1, 1)
    with (folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["events"] for row in rows[TRIALS + 7 : TRIALS + 10]] == [
        "", "board_shifts at 0.4 s", "board_shifts at 0.6 s"
    ]  # fmt: skip
    assert "12 of 20" in (folder / "report.html").read_text()
    output = " ".join(capsys.readouterr().out.split())
    assert "board_shifts happened in 12 of 20 trials; success of those 91.7 % (64.6 % to 98.5 %)" in output


def test_only_what_can_be_told_apart_is_compared(folder):
    """Two policies, each undisturbed and under two events: not one policy's push with another's shift."""
    plan = json.loads((folder / "evaluation.json").read_text())
    first = plan["contestants"][0]
    plan["contestants"] = [
        {**first, "label": f"{policy} {'+'.join(events)}".strip(), "checkpoint": policy, "events": events}
        for policy in ("a", "b")
        for events in ([], ["board_shifts"], ["arm_pushed"])
    ]
    (folder / "evaluation.json").write_text(json.dumps(plan))
    pairs = {(pair["first"], pair["second"]) for pair in written(folder)[1]["comparisons"]}
    assert pairs == {
        ("a", "a board_shifts"), ("a", "a arm_pushed"), ("b", "b board_shifts"), ("b", "b arm_pushed"),
        ("a", "b"), ("a board_shifts", "b board_shifts"), ("a arm_pushed", "b arm_pushed"),
    }  # fmt: skip


def test_other_initial_states_would_be_seen(folder):
    contestants = read_evaluation(folder).contestants
    assert start_spread(contestants) == (0.0, 0.0)
    moved = contestants[1].trials[5]
    moved["base_T_start"]["arm"] = [0.5, 0.008, 0.15, 0.9999875, 0.005, 0.0, 0.0]
    metres, radians = start_spread(contestants)
    assert (metres, radians) == (pytest.approx(0.003), pytest.approx(0.01, rel=1e-3))


def test_an_interrupted_evaluation_is_reported_as_far_as_it_is(folder):
    write_plan(folder, trials=30)
    code, found = written(folder)
    assert code == 0
    assert not found["complete"]
    assert "Not complete" in (folder / "report.html").read_text()


def test_a_repeated_trial_counts_once_as_it_was_last(folder):
    write_trial(folder / "0_0", 3, discarded=True)
    write_trial(folder / "0_0", 3)
    assert written(folder)[1]["policies"][0]["failed_trials"] == [4]


def test_without_a_finished_trial_nothing_is_claimed(tmp_path):
    write_plan(tmp_path)
    code, found = written(tmp_path)
    assert code == report.EXIT_EMPTY
    assert found["policies"][0]["success_rate"] is None


@pytest.mark.parametrize("content", [None, "{", '{"task": "x"}'])
def test_an_unusable_folder_is_one_line(tmp_path, capsys, content):
    if content is not None:
        (tmp_path / "evaluation.json").write_text(content)
    with pytest.raises(SystemExit) as stop:
        report.main(["--folder", str(tmp_path)])
    assert stop.value.code == report.EXIT_USAGE
    assert "evaluation.json" in capsys.readouterr().err
