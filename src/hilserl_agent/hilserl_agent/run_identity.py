# SPDX-License-Identifier: Apache-2.0
"""What files of a run must agree with before anything in them is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hilserl_task import Task
from hilserl_task.compare import differences

_CONFIGURATION = "configuration"  # what config_hash is the hash of, as JSON: says which keys differ


def run_identity(task: Task, perception_id: str) -> dict[str, str]:
    """Entries that checkpoints and files of the log carry."""
    return {
        "config_hash": task.config_hash(),
        "perception_id": perception_id,
        _CONFIGURATION: json.dumps(task.shared_config()),
    }


def disagreement(found: Mapping[str, Any], mine: Mapping[str, str]) -> str:
    """Which entries, and which keys of the task, are not those of here; empty when all agree."""
    names = [name for name, value in mine.items() if name != _CONFIGURATION and found.get(name) != value]
    texts = [f"{name} is {found.get(name)}, here {mine[name]}" for name in names]
    if "config_hash" in names and _CONFIGURATION in found and _CONFIGURATION in mine:
        texts += differences(json.loads(mine[_CONFIGURATION]), json.loads(found[_CONFIGURATION]))
    return "; ".join(texts)
