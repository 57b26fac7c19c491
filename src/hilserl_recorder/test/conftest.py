# SPDX-License-Identifier: Apache-2.0
import shutil
from pathlib import Path

import pytest

from hilserl_recorder import demos

SHIPPED = Path(__file__).resolve().parents[3] / "rosbags" / "ram_insertion"


@pytest.fixture
def recorded(tmp_path):
    """A folder with three recorded demonstrations of RAM insertion."""
    folder = tmp_path / "demos"
    for bag in sorted(SHIPPED.glob("episode_*"))[:3]:
        shutil.copytree(bag, folder / bag.name)
    return folder


@pytest.fixture
def run_demos(capsys):
    """Runs `demos` as from the command line; returns (exit code, output, error output)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            demos.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run
