# SPDX-License-Identifier: Apache-2.0
import json
import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilserl_agent.metrics import (
    EpisodeStatistics,
    MetricsError,
    RateMeter,
    TruthLog,
    append_row,
    episode_row,
    intervention_rate,
    read_rows,
    running_mean,
    wall_so_far,
)


def row(**changes):
    base = {
        "phase": "train",
        "wall_s": 1.0,
        "episode": 0,
        "outcome": "success",
        "discarded": False,
        "steps": 10,
        "intervention_steps": 0,
        "duration_s": 1.0,
        "truth_success": None,
    }
    return {**base, **changes}


def test_rows_survive_a_process_killed_within_one(tmp_path):
    path = tmp_path / "metrics" / "episodes.jsonl"
    append_row(path, {"a": 1})
    with path.open("a") as stream:
        stream.write('{"a": 2, "b"')
    append_row(path, {"a": 3})
    assert read_rows(path) == [{"a": 1}, {"a": 3}]


def test_numbers_that_json_does_not_know_become_null(tmp_path):
    path = tmp_path / "status.jsonl"
    append_row(path, {"loss": math.nan, "metrics": {"q": math.inf}})
    assert json.loads(path.read_text()) == {"loss": None, "metrics": {"q": None}}


def test_a_file_of_something_else_is_named(tmp_path):
    path = tmp_path / "episodes.jsonl"
    path.write_text("no\njson\nhere\n")
    with pytest.raises(MetricsError, match=r"episodes\.jsonl: 3 of 3 lines"):
        read_rows(path)


def test_no_file_means_no_rows(tmp_path):
    assert read_rows(tmp_path / "none.jsonl") == []


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60), st.integers(1, 25))
def test_running_mean_is_the_mean_of_the_last_values(values, window):
    means = running_mean(values, window)
    last = values[-window:]
    assert means[-1] == pytest.approx(sum(last) / len(last), abs=1e-9)
    assert len(means) == len(values)


def test_running_mean_leaves_out_what_is_unknown():
    means = running_mean([None, 2.0, None, 4.0], 3)
    assert math.isnan(means[0])
    assert means[1:] == [2.0, 2.0, 3.0]


def test_intervention_rate_weighs_steps_not_episodes():
    assert intervention_rate([(10, 10), (0, 90)]) == pytest.approx(0.1)
    assert intervention_rate([]) is None


def test_discarded_episodes_are_steps_but_neither_success_nor_failure():
    statistics = EpisodeStatistics()
    statistics.add(row(steps=12))
    statistics.add(row(outcome="failure", discarded=True, steps=7))
    assert statistics.success_rate == 1.0
    assert statistics.env_steps == 19
    assert statistics.episodes == 2


def test_statistics_look_back_twenty_episodes():
    statistics = EpisodeStatistics()
    for _ in range(30):
        statistics.add(row(outcome="failure", intervention_steps=10, truth_success=False))
    for _ in range(20):
        statistics.add(row(duration_s=2.5, truth_success=True))
    assert statistics.success_rate == 1.0
    assert statistics.truth_rate == 1.0
    assert statistics.intervention_rate == 0.0
    assert statistics.cycle_time_s == pytest.approx(2.5)


def test_truth_is_found_by_episode_and_stamp():
    log = TruthLog(episodes_kept=2)
    log.add(1, 100, False)
    log.add(1, 200, True)
    assert log.at(1, 200) is True
    assert log.at(1, 100) is False
    assert log.at(1, 190) is None
    assert log.at(1, 190, tolerance_ns=20) is True
    assert log.at(2, 200) is None
    log.add(2, 300, False)
    log.add(3, 400, False)
    assert log.at(1, 200) is None


def test_rate_meter_forgets():
    meter = RateMeter(window_s=2.0)
    for tick in range(11):
        meter.tick(tick * 0.1)
    assert meter.rate(1.0) == pytest.approx(11.0)
    assert meter.rate(10.0) == 0.0


def test_wall_time_goes_on_for_its_own_phase(tmp_path):
    append_row(tmp_path / "metrics" / "episodes.jsonl", row(wall_s=80.0))
    append_row(tmp_path / "metrics" / "episodes.jsonl", row(wall_s=900.0, phase="demos"))
    append_row(tmp_path / "metrics" / "status.jsonl", {"phase": "train", "wall_s": 95.5})
    assert wall_so_far(tmp_path, "train") == 95.5
    assert wall_so_far(tmp_path, "evaluate") == 0.0


def test_episode_row_names_codes():
    summary = SimpleNamespace(
        actor_id="a", episode=3, outcome=1, termination_reason=2, discarded=False, steps=4,
        intervention_steps=1, interventions=1, duration_s=0.4, wall_s=0.5, episode_return=1.0,
        policy_version=7, total_steps=40, header=SimpleNamespace(stamp=SimpleNamespace(sec=2, nanosec=5)),
    )  # fmt: skip
    made = episode_row(summary, "train", 12.3456, True)
    assert (made["outcome"], made["termination_reason"]) == ("success", "timeout")
    assert made["wall_s"] == 12.346
    assert made["stamp_ns"] == 2_000_000_005
    assert made["truth_success"] is True
