# SPDX-License-Identifier: Apache-2.0
"""Strings in the metadata of every bag: which software made it, and when."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import yaml

from hilserl_recorder import __version__
from hilserl_ros import bag_storage

_PACKAGES = ("rclpy", "numpy", "mujoco", "mcap")


def now() -> str:
    """Time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def software() -> dict[str, str]:
    """`hilserl`, the library that writes, and `software`: versions as YAML."""
    library = bag_storage.library()
    versions = {
        "ros_distro": os.environ.get("ROS_DISTRO", "unknown"),
        "rmw": os.environ.get("RMW_IMPLEMENTATION", "default"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        library: _version(library),
        **{name: _version(name) for name in _PACKAGES},
    }
    return {
        "hilserl": __version__,
        "written_with": library,
        "software": yaml.safe_dump(versions, sort_keys=False),
    }


def _version(package: str) -> str:
    for name in (package, f"ros-{package}"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
