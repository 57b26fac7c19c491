# SPDX-License-Identifier: Apache-2.0
"""The series of snapshots stays thin and even, however long training lasts and how often it restarts."""

import numpy as np
import pytest

from hilserl_agent.snapshots import MOST, SnapshotSeries, read_snapshots
from hilserl_learning.errors import LearningError


def cycles(folder):
    return sorted(int(path.stem.removeprefix("cycle_")) for path in folder.iterdir())


@pytest.mark.parametrize("last", [40, 1000, 12345])
def test_snapshots_are_few_and_evenly_spread(tmp_path, last):
    series = SnapshotSeries(tmp_path, 0, 10)
    for cycle in range(10, last + 1, 10):
        series.offer(cycle, lambda: b"snapshot")
        if cycle % 130 == 0:
            series = SnapshotSeries(tmp_path, cycle, 10)  # a restart
    found = cycles(tmp_path)
    assert len(found) <= MOST
    assert len(found) >= min(last // 10, MOST // 2)
    gaps = np.diff(found)
    assert gaps.max() <= 2 * gaps.min()
    assert found[-1] > last - 2 * gaps.max()
    assert found[0] <= 2 * gaps.max(), "the beginning stays"


def test_a_training_that_goes_on_from_an_older_checkpoint_forgets_what_was_beyond(tmp_path):
    series = SnapshotSeries(tmp_path, 0, 10)
    for cycle in (10, 20, 30):
        series.offer(cycle, lambda: b"snapshot")
    SnapshotSeries(tmp_path, 20, 10)
    assert cycles(tmp_path) == [10, 20]


def test_a_snapshot_that_is_not_due_costs_nothing(tmp_path):
    series = SnapshotSeries(tmp_path, 0, 10)
    assert series.offer(10, lambda: b"snapshot")
    assert not series.offer(15, lambda: pytest.fail("made for nothing"))


def test_a_full_disk_leaves_the_others(tmp_path):
    series = SnapshotSeries(tmp_path, 0, 10)
    series.offer(10, lambda: b"snapshot")

    def full():
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        series.offer(20, full)
    assert [path.name for path in tmp_path.iterdir()] == ["cycle_000000010.safetensors"]


def test_a_damaged_snapshot_is_named(tmp_path):
    SnapshotSeries(tmp_path, 0, 10).offer(10, lambda: b"snapshot")
    with pytest.raises(LearningError, match=r"cycle_000000010.safetensors: .*remove it"):
        read_snapshots(tmp_path)
