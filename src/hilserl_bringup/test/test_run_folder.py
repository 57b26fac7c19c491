# SPDX-License-Identifier: Apache-2.0
from datetime import datetime

from hilserl_bringup.run_folder import (
    STATE_FILE,
    TASK_FILE,
    RunState,
    open_run,
    read_state,
    with_done,
    write_state,
)
from hilserl_task import load_task

TASK = load_task("ram_insertion")
NOW = datetime(2026, 1, 2, 3, 4, 5)
STATE = RunState("ram_insertion", 0, ("a.b=1",), ("labels", "train"))


def test_a_new_run_has_task_state_and_latest(tmp_path):
    run_dir, state = open_run(tmp_path / "runs", STATE, TASK, NOW)
    assert run_dir.name == "ram_insertion-20260102-030405"
    assert state == STATE == read_state(run_dir)
    assert (tmp_path / "runs" / "latest").resolve() == run_dir


def test_the_resolved_task_reads_back_the_same(tmp_path):
    task = load_task("ram_insertion", ["episode.max_steps=33", "learner.batch_size=64"])
    run_dir, _ = open_run(tmp_path, STATE, task, NOW)
    again = load_task(str(run_dir / TASK_FILE))
    assert again == task
    assert again.config_hash() == task.config_hash()


def test_an_incomplete_run_is_resumed(tmp_path):
    run_dir, state = open_run(tmp_path, STATE, TASK, NOW)
    write_state(run_dir, with_done(state, "labels"))
    again, resumed = open_run(tmp_path, STATE, TASK, datetime(2026, 1, 3))
    assert again == run_dir
    assert resumed.done == ("labels",)


def test_a_complete_run_is_not(tmp_path):
    run_dir, state = open_run(tmp_path, STATE, TASK, NOW)
    write_state(run_dir, with_done(with_done(state, "labels"), "train"))
    again, fresh = open_run(tmp_path, STATE, TASK, NOW)
    assert again != run_dir
    assert fresh.done == ()
    assert (tmp_path / "latest").resolve() == again


def test_another_seed_task_or_override_is_another_run(tmp_path):
    run_dir, _ = open_run(tmp_path, STATE, TASK, NOW)
    others = (
        RunState("ram_insertion", 1, ("a.b=1",), STATE.phases),
        RunState("other", 0, ("a.b=1",), STATE.phases),
        RunState("ram_insertion", 0, (), STATE.phases),
    )
    for other in others:
        assert open_run(tmp_path, other, TASK, NOW)[0] != run_dir


def test_a_damaged_state_is_no_run(tmp_path):
    run_dir, _ = open_run(tmp_path, STATE, TASK, NOW)
    (run_dir / STATE_FILE).write_text('{"task": "ram_insertion", "se')
    assert read_state(run_dir) is None
    assert open_run(tmp_path, STATE, TASK, NOW)[0] != run_dir
