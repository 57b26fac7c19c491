# SPDX-License-Identifier: Apache-2.0
"""Says in the run folder in which ROS domain its graph is running, so that a dashboard finds it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GRAPH_FILE = "graph.json"


@contextmanager
def announced(run_dir: Path, domain: int) -> Iterator[None]:
    """`graph.json` is there while the graph runs; after a kill its `pid` is that of no living process.

    Raises:
        OSError: the file cannot be written.
    """
    path = run_dir / GRAPH_FILE
    run_dir.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{GRAPH_FILE}.{os.getpid()}")
    temporary.write_text(json.dumps({"ros_domain_id": domain, "pid": os.getpid()}) + "\n", encoding="utf-8")
    temporary.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
