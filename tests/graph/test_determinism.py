# SPDX-License-Identifier: Apache-2.0
"""Lockstep is deterministic for a seed: same transitions with a fixed policy and with synchronous updates."""

import shutil

import numpy as np
import pytest
from graph_tools import SHORT, bringup, set_options

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SYNCHRONOUS = ("learner.updates=synchronous", "training.max_steps=60", "learner.training_starts=10")
FIXED = ("learner.training_starts=100000", "training.max_steps=60")  # no update ever: the first policy stays
FRAME_NUMBERS = ("frame_of", "next_frame_of", "store_uid")  # drawn anew by every process; their order counts


def transitions(short_run, folder, overrides):
    """Trains in a fresh run folder that shares classifier, perception and demonstrations; what was stored."""
    folder.mkdir()
    for name in ("classifier", "perception", "demos"):
        shutil.copytree(short_run.folder / name, folder / name)
    options = ("--task", "ram_insertion", "--run-dir", str(folder), "--seed", "5")
    result = bringup("run", "train", *options, *set_options((*SHORT, *overrides)), cwd=folder)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    with np.load(folder / "checkpoints" / "latest" / "buffers" / "online.npz") as buffer:
        return {
            name: in_order(buffer[name]) if name in FRAME_NUMBERS else buffer[name] for name in buffer.files
        }


def in_order(numbers):
    """Rank of each number."""
    return np.unique(numbers, return_inverse=True)[1]


@pytest.mark.parametrize("overrides", [FIXED, SYNCHRONOUS], ids=["fixed policy", "synchronous updates"])
def test_two_runs_store_the_same_transitions(short_run, tmp_path, overrides):
    first = transitions(short_run, tmp_path / "first", overrides)
    second = transitions(short_run, tmp_path / "second", overrides)
    assert {"store_state", "store_features", "action", "outcome", "next_entry"} <= set(first)
    assert len(first["store_state"]) > 60
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
