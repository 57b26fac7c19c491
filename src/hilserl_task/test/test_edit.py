# SPDX-License-Identifier: Apache-2.0
import stat
from pathlib import Path

import pytest
import yaml

from hilserl_task import TaskError
from hilserl_task.edit import edit_task_file, flow, with_value

TASK_FILE = Path(__file__).resolve().parents[3] / "config" / "tasks" / "ram_insertion.yaml"
POSE = {"position_m": [0.5, 0.0, 0.1], "rotation_rad": [3.14, 0.0, 0.0]}
KEYS = ("reset", "taught_poses", "arm")


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n",
        "a: 1",
        "reset:\n  x: 1   # why\n# end\nb: 2\n",
        "reset: {x: 1}\nb: 2\n",
        "reset: {}\nb: 2\n",
        "reset:\nb: 2\n",
        "reset: null\nb: 2\n",
        "reset: ~  # why\nb: 2\n",
        "reset:\n  taught_poses:\n    left: {q: 1}\n  x: 1\nb: 2\n",
        "reset:\n  taught_poses: {arm: {position_m: [1, 2, 3]}}\nb: 2  # why\n",
        "reset:\n  taught_poses:\n    arm:\n      position_m: [1, 2, 3]\n      # was by hand\n  x: 1\n",
    ],
)
def test_a_value_is_set_and_everything_else_stays(text):
    before, after = yaml.safe_load(text), yaml.safe_load(changed := with_value(text, KEYS, POSE))
    assert after["reset"]["taught_poses"]["arm"] == POSE
    wanted = dict(before)
    wanted["reset"] = dict(before.get("reset") or {})
    wanted["reset"]["taught_poses"] = {**(wanted["reset"].get("taught_poses") or {}), "arm": POSE}
    assert after == wanted
    for comment in ("# why", "# end"):
        assert (comment in changed) == (comment in text)


def test_numbers_stay_as_they_are():
    assert flow({"a": [0.1, -2, 1e-05]}) == "{a: [0.1, -2, 1e-05]}"


@pytest.fixture
def task_file(tmp_path):
    path = tmp_path / "my_task.yaml"
    path.write_bytes(TASK_FILE.read_bytes())
    path.chmod(0o640)
    return path


def set_pose(path, pose):
    def arrived(task):
        return list(task.reset.taught_poses["arm"].position_m) == pose["position_m"]

    edit_task_file(path, lambda text: with_value(text, KEYS, pose), arrived, "reset: {...}")


def test_a_task_file_keeps_comments_and_mode(task_file):
    set_pose(task_file, POSE)
    lines = task_file.read_text().splitlines()
    assert [line for line in TASK_FILE.read_text().splitlines() if line not in lines] == []
    assert stat.S_IMODE(task_file.stat().st_mode) == 0o640
    set_pose(task_file, POSE | {"position_m": [0.6, 0.0, 0.1]})
    assert len(task_file.read_text().splitlines()) == len(lines)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: with_value(text, KEYS, {"position_m": [0.5, 0.0]}), "taught_poses"),
        (lambda text: text, "write it by hand: reset"),
        (lambda text: "arms: [", "not writable|arms"),
    ],
)
def test_what_would_not_load_is_not_written(task_file, change, message):
    before = task_file.read_bytes()
    with pytest.raises(TaskError, match=message):
        edit_task_file(task_file, change, lambda task: bool(task.reset.taught_poses), "reset: {...}")
    assert task_file.read_bytes() == before
    assert list(task_file.parent.iterdir()) == [task_file]
