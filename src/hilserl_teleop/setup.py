# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = "hilserl_teleop"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/" + package_name]),
        ("share/" + package_name, ["package.xml", "udev/60-hilserl-spacemouse.rules"]),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="hilserl maintainers",
    maintainer_email="maintainers@hilserl.org",
    description="Input devices of the person: SpaceMouse, gamepad, keyboard, leader arm, scripted operator.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "scripted_operator = hilserl_teleop.scripted_operator_node:main",
            "keyboard = hilserl_teleop.keyboard_node:main",
            "spacenav = hilserl_teleop.spacenav_node:main",
            "hidraw = hilserl_teleop.hidraw_node:main",
            "gamepad = hilserl_teleop.gamepad_node:main",
            "leader = hilserl_teleop.leader_node:main",
            "teleop = hilserl_teleop.teleop_tool:main",
        ],
    },
)
