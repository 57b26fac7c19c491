# SPDX-License-Identifier: Apache-2.0
"""Every package.xml names what its package imports, so that rosdep installs it."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(file.parent for file in (ROOT / "src").glob("*/package.xml"))
# Import name -> rosdep key, where the key is not the name or python3-<name>.
KEYS = {
    "cv2": "python3-opencv",
    "gymnasium": "python3-gymnasium-pip",
    "mcap": "python3-mcap-pip",
    "mujoco": "python3-mujoco-pip",
    "rosbags": "python3-rosbags-pip",
    "ruamel": "python3-ruamel.yaml",
    "tensorboard": "python3-tensorboard-pip",
}
# rosdep has no key, or they are optional: requirements/runtime.txt and the package's README name them.
WITHOUT_KEY = {
    "PySide6",
    "control_msgs",
    "controller_manager_msgs",
    "cv_bridge",
    "imageio_ffmpeg",
    "pyrealsense2",
    "rosbag2_py",
    "safetensors",
    "setuptools",
    "wandb",
}


def modules_imported(file):
    """Top-level names of every import of a file, wherever it stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def unnamed(package):
    """Imports of a package that its package.xml does not name."""
    named = set(re.findall(r"depend>([^<]+)<", (package / "package.xml").read_text()))
    files = list(package.rglob("*.py"))
    own = {package.name, *(file.stem for file in files)}
    wanted = {module for file in files for module in modules_imported(file)}
    wanted -= set(sys.stdlib_module_names) | own | WITHOUT_KEY
    return {module for module in wanted if not named & {module, f"python3-{module}", KEYS.get(module)}}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_it_names_what_it_imports(package):
    assert unnamed(package) == set()
