# SPDX-License-Identifier: Apache-2.0
"""The same graph by the clock: nothing waits for anything, and everything still comes together."""

import json

import numpy as np
import pytest
from graph_tools import bringup, set_options

OVERRIDES = (
    "reward.positive_labels=10",
    "reward.negative_labels=60",
    "observation.max_age_s=0.5",  # a loaded machine renders late; the default is for a robot
)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_labels_are_collected_by_the_clock(tmp_path):
    folder = tmp_path / "run"
    options = ("--task", "ram_insertion", "--run-dir", str(folder), "--pacing", "realtime")
    result = bringup("run", "labels", *options, *set_options(OVERRIDES), cwd=tmp_path, timeout=240)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    marked = np.concatenate([np.load(path)["labels"] for path in (folder / "labels").glob("*.npz")])
    assert marked.sum() >= 10
    rows = [json.loads(line) for line in (folder / "metrics" / "episodes.jsonl").read_text().splitlines()]
    whole = [row for row in rows if row["steps"] > 10]
    assert whole
    for row in whole:
        assert row["episode_wall_s"] > 0.8 * row["duration_s"], "time is real"
