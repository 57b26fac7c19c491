# SPDX-License-Identifier: Apache-2.0
"""What a user finds outside of the repository: tasks, robots and launch files, every program by name."""

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def call(*command, cwd):
    environment = {key: value for key, value in os.environ.items() if key != "HILSERL_CONFIG"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_tasks_are_found_from_any_folder(tmp_path):
    result = call(str(REPOSITORY / "scripts" / "run"), "hilserl_bringup", "run", "--list-tasks", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    tasks = {path.stem for path in (REPOSITORY / "config" / "tasks").glob("*.yaml")}
    assert set(result.stdout.split()) == tasks


def test_launch_and_config_are_installed():
    prefixes = os.environ["AMENT_PREFIX_PATH"].split(":")
    share = next(path for prefix in prefixes if (path := Path(prefix, "share", "hilserl_bringup")).is_dir())
    for folder in ("config", "launch"):
        ours = {path.relative_to(REPOSITORY) for path in (REPOSITORY / folder).rglob("*.*") if path.is_file()}
        ours = {path for path in ours if "__pycache__" not in path.parts}
        assert {path for path in ours if not (share / path).is_file()} == set()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 0, "hilserl_cameras:"),
        (("hilserl_cameras", "chekc"), 2, "there is no 'chekc' in package 'hilserl_cameras'. Example:"),
        (("hilserl_bringup",), 2, "Example:"),
        (("hilserl_recorder", "demos", "--help"), 0, "usage: demos"),
    ],
)
def test_programs_run_by_package_and_name(arguments, code, said, tmp_path):
    result = call(str(REPOSITORY / "scripts" / "run"), *arguments, cwd=tmp_path)
    assert result.returncode == code
    assert said in result.stdout + result.stderr
