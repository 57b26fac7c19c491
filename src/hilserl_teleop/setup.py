# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = "hilserl_teleop"

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
    description="Input devices of the person: keyboard, and a scripted operator for the simulation.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "scripted_operator = hilserl_teleop.scripted_operator_node:main",
            "keyboard = hilserl_teleop.keyboard_node:main",
        ],
    },
)
