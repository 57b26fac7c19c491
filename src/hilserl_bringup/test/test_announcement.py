# SPDX-License-Identifier: Apache-2.0
import json
import os

import pytest

from hilserl_bringup.announcement import GRAPH_FILE, announced


def test_the_run_folder_says_where_its_graph_runs_while_it_runs(tmp_path):
    run_dir = tmp_path / "new" / "run"
    with announced(run_dir, 57):
        values = json.loads((run_dir / GRAPH_FILE).read_text())
        assert values == {"ros_domain_id": 57, "pid": os.getpid()}
    assert list(run_dir.iterdir()) == []


def test_nothing_stays_behind_after_a_failure(tmp_path):
    with pytest.raises(KeyError), announced(tmp_path, 3):
        raise KeyError
    assert not (tmp_path / GRAPH_FILE).exists()
