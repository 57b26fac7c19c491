# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = "hilserl_intervention"

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
    description="The only publisher of arm and gripper commands: policy or person, step by step.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "coach = hilserl_intervention.coach_node:main",
            "intervention_mux = hilserl_intervention.intervention_mux:main",
            "reset = hilserl_intervention.reset:main",
            "teach = hilserl_intervention.teach:main",
        ]
    },
)
