# SPDX-License-Identifier: Apache-2.0
import stat
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """An installed prefix; `prefix(name, code)` puts a real Python program at lib/pkg/<name>."""
    root = tmp_path / "prefix"
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(root))
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)

    def install(name: str, code: str) -> Path:
        path = root / "lib" / "pkg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{sys.executable}\nimport os, pathlib, signal, sys, time\n{code}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return install


@pytest.fixture
def eventually():
    """Waits for a condition and fails when it does not come true within `timeout_s`."""

    def wait(condition, timeout_s=20.0):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.02)

    return wait
