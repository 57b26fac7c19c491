# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = "hilserl_franka"

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
    description="Start and recovery of a Franka arm under franka_ros2: collision behaviour and errors.",
    license="Apache-2.0",
    entry_points={"console_scripts": ["franka_arm = hilserl_franka.franka_arm_node:main"]},
)
