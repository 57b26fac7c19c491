# SPDX-License-Identifier: Apache-2.0
"""Finds the graph of a run: its folder says in which ROS domain it is running, phase by phase."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

GRAPH_FILE = "graph.json"  # written by hilserl_bringup while a phase runs
MAX_DOMAIN = 232


@dataclass(frozen=True)
class RunningGraph:
    """Where a graph runs.

    Attributes:
        domain: ROS domain.
        run: name of the run folder.
    """

    domain: int
    run: str


def running_graph(run_dir: Path) -> RunningGraph | None:
    """The graph that runs in a folder now; None between phases, after the end, or where nothing ever ran."""
    try:
        values = json.loads((run_dir / GRAPH_FILE).read_text(encoding="utf-8"))
        domain, pid = int(values["ros_domain_id"]), int(values["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not 0 <= domain <= MAX_DOMAIN or not _alive(pid):
        return None
    return RunningGraph(domain, run_dir.resolve().name)


def _alive(pid: int) -> bool:
    """Whether a process exists: a killed runner leaves its file behind."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True
