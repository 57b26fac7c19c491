# SPDX-License-Identifier: Apache-2.0
# Learner PC: actor, learner, reward classifier. A GPU is used when the container runs with one (compose does).
#   docker build -f docker/learner.Dockerfile -t hilserl/learner .
FROM ros:jazzy-ros-base

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        python3-colcon-common-extensions \
        python3-venv \
        ros-jazzy-rosbag2-storage-mcap \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /hilserl
COPY . .
RUN . /opt/ros/jazzy/setup.bash \
    && make setup \
    && scripts/build.sh

COPY docker/entrypoint.sh /entrypoint.sh
ENTRYPOINT ["/entrypoint.sh"]
CMD ["bash"]
