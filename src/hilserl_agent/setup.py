# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = "hilserl_agent"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={"hilserl_agent.evaluation": ["*.j2"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/" + package_name]),
        ("share/" + package_name, ["package.xml"]),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="hilserl maintainers",
    maintainer_email="maintainers@hilserl.org",
    description="Actor, learner, their transport, Gymnasium environment over ROS, live monitor and report.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "actor = hilserl_agent.actor_node:main",
            "chain = hilserl_agent.chain.chain_node:main",
            "chain_monitor = hilserl_agent.chain.chain_monitor:main",
            "learner = hilserl_agent.learner_node:main",
            "fit_perception = hilserl_agent.fit_perception:main",
            "monitor = hilserl_agent.monitor:main",
            "report = hilserl_agent.report:main",
            "evaluation_report = hilserl_agent.evaluation.report:main",
            "analyse = hilserl_agent.analysis.analyse:main",
        ],
    },
)
