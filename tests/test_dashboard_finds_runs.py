# SPDX-License-Identifier: Apache-2.0
"""What the process runner writes into a run folder is what the dashboard reads there."""

import json
import sys

from hilserl_bringup.node_specs import NodeSpec
from hilserl_bringup.process_runner import run_specs
from hilserl_rqt.run_watch import running_graph

PROGRAM = f"""#!{sys.executable}
import json, pathlib
from hilserl_rqt.run_watch import running_graph

found = running_graph(pathlib.Path("run"))
pathlib.Path("seen.json").write_text(json.dumps([found.domain, found.run]))
"""


def test_while_a_phase_runs_and_no_longer(tmp_path, monkeypatch):
    program = tmp_path / "prefix" / "lib" / "any" / "look"
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "prefix"))
    monkeypatch.setenv("ROS_DOMAIN_ID", "73")
    monkeypatch.chdir(tmp_path)
    run_dir = tmp_path / "run"
    assert run_specs([NodeSpec("any", "look", "look", main=True)], run_dir) == 0
    assert json.loads((tmp_path / "seen.json").read_text()) == [73, "run"]
    assert running_graph(run_dir) is None
