# SPDX-License-Identifier: Apache-2.0
# Robot PC: ros2_control, the controller, cameras, grippers. Build from the repository's root:
#   docker build -f docker/robot.Dockerfile -t hilserl/robot .
FROM ros:jazzy-ros-base

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        python3-colcon-common-extensions \
        python3-venv \
        ros-jazzy-controller-manager \
        ros-jazzy-generate-parameter-library \
        ros-jazzy-joint-state-broadcaster \
        ros-jazzy-pinocchio \
        ros-jazzy-realsense2-camera \
        ros-jazzy-robot-state-publisher \
        ros-jazzy-ros2-control \
        ros-jazzy-rosbag2-storage-mcap \
        ros-jazzy-spacenav \
        ros-jazzy-xacro \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /hilserl
COPY . .
# The set-up takes ROS from /opt/ros, since its setup is sourced, and the rest from the package index.
RUN . /opt/ros/jazzy/setup.bash \
    && make setup \
    && scripts/build.sh

COPY docker/entrypoint.sh /entrypoint.sh
ENTRYPOINT ["/entrypoint.sh"]
CMD ["bash"]
