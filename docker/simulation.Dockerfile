# SPDX-License-Identifier: Apache-2.0
# Everything on one machine without a robot: the MuJoCo scene, software rendering, the whole graph.
#   docker build -f docker/simulation.Dockerfile -t hilserl/simulation .
FROM ros:jazzy-ros-base

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libegl1 \
        libgl1-mesa-dri \
        libosmesa6 \
        python3-colcon-common-extensions \
        python3-venv \
        ros-jazzy-generate-parameter-library \
        ros-jazzy-mujoco-ros2-control \
        ros-jazzy-pinocchio \
        ros-jazzy-ros2-control \
        ros-jazzy-xacro \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /hilserl
COPY . .
RUN . /opt/ros/jazzy/setup.bash \
    && make setup \
    && scripts/build.sh

COPY docker/entrypoint.sh /entrypoint.sh
ENTRYPOINT ["/entrypoint.sh"]
CMD ["make", "demo"]
