# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = "hilserl_reward"

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
    description="Reward from a success classifier: labels, training, the reward node, relabelling.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "collect_labels = hilserl_reward.collect_labels:main",
            "train_classifier = hilserl_reward.train_classifier:main",
            "reward = hilserl_reward.reward:main",
            "label_keeper = hilserl_reward.label_keeper:main",
            "correct_episode = hilserl_reward.correct_episode:main",
            "relabel = hilserl_reward.relabel:main",
            "measure_classifier = hilserl_reward.measure_classifier:main",
        ]
    },
)
