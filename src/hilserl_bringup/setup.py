# SPDX-License-Identifier: Apache-2.0
"""Also installs the top-level config/ and launch/ folders of the repository."""

import os
from pathlib import Path

from setuptools import find_packages, setup

package_name = "hilserl_bringup"
here = Path(__file__).resolve().parent  # colcon may run a link to this file in its build folder
repository = here.parents[1]


def tree(folder: str, pattern: str) -> list[tuple[str, list[str]]]:
    """Every file of `folder` that matches, with the share folder it goes to."""
    files = sorted(path for path in (repository / folder).rglob(pattern) if path.is_file())
    return [
        (f"share/{package_name}/{path.parent.relative_to(repository)}", [os.path.relpath(path, here)])
        for path in files
    ]


setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/" + package_name]),
        ("share/" + package_name, ["package.xml"]),
        *tree("config", "*"),
        *tree("launch", "*.launch.py"),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="hilserl maintainers",
    maintainer_email="maintainers@hilserl.org",
    description="From a task to running nodes: node specs, launch file, process runner and the demo.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "chain = hilserl_bringup.chain:main",
            "demo = hilserl_bringup.demo:main",
            "run = hilserl_bringup.run:main",
            "eval = hilserl_bringup.evaluate:main",
            "record_demos = hilserl_bringup.record_demos:main",
        ],
    },
)
