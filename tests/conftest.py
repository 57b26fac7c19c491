# SPDX-License-Identifier: Apache-2.0
"""A whole short run, once for all tests that look at it: every phase, every node, own processes."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from graph_tools import SHORT, RunningTraining, bringup, set_options


@dataclass(frozen=True)
class FinishedRun:
    """A run folder and what the demo printed."""

    folder: Path
    output: str


@pytest.fixture(scope="session")
def short_run(tmp_path_factory):
    """The demo, from labels to report, in about two minutes."""
    base = tmp_path_factory.mktemp("demo")
    result = bringup("demo", "--runs", str(base / "runs"), "--seed", "3", *set_options(SHORT), cwd=base)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return FinishedRun((base / "runs" / "latest").resolve(), result.stdout)


@pytest.fixture
def training(short_run, tmp_path):
    running = RunningTraining(short_run, tmp_path / "run")
    running.wait_for(lambda: running.episodes() >= 1)
    yield running
    running.stop()
