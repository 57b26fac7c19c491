# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = "hilserl_recorder"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/" + package_name]),
        ("share/" + package_name, ["package.xml"]),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="hilserl maintainers",
    maintainer_email="maintainers@hilserl.org",
    description="Records demonstrations as rosbag2 folders; shows, edits, replays, exports and imports them.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "recorder = hilserl_recorder.recorder_node:main",
            "demos = hilserl_recorder.demos:main",
        ],
    },
)
