# SPDX-License-Identifier: Apache-2.0
"""One Qt application without a screen for all tests, in a ROS domain of their own."""

import os
import sys
import time
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parent))  # played_graph, also under --import-mode=importlib

from hilserl_ros.testing import own_domain
from hilserl_rqt.qt import QtWidgets


@pytest.fixture(scope="session")
def app():
    own_domain()
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication(["test"])


@pytest.fixture
def until(app):
    """Runs Qt until a condition holds, and returns what it gave."""

    def wait(condition, what, timeout_s=15.0):
        deadline = time.monotonic() + timeout_s
        while not (result := condition()):
            assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
            app.processEvents()
            time.sleep(0.01)
        return result

    return wait
