# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = "hilserl_cameras"

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
    description="Camera drivers and the crop tool: RealSense, V4L2.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "realsense = hilserl_cameras.realsense:main",
            "v4l2 = hilserl_cameras.v4l2:main",
            "crop = hilserl_cameras.crop:main",
            "check = hilserl_cameras.check:main",
        ]
    },
)
