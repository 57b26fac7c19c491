# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import pytest

from hilserl_sim.world import SimWorld
from hilserl_task import Task, load_task

sys.path.insert(0, str(Path(__file__).parent))  # expert, also under --import-mode=importlib

TASK_FILE = Path(__file__).resolve().parents[3] / "config" / "tasks" / "ram_insertion.yaml"


@pytest.fixture(scope="session")
def task_file() -> Path:
    return TASK_FILE


@pytest.fixture(scope="session")
def task(task_file: Path) -> Task:
    return load_task(str(task_file))


@pytest.fixture(scope="session")
def world(task: Task):
    world = SimWorld(task)
    yield world
    world.close()
