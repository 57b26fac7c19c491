# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = "hilserl_learning"

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
    description="Networks, agents, replay, perception and reward classifier of HIL-SERL. torch, no ROS.",
    license="Apache-2.0",
)
