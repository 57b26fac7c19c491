#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ROS and the workspace, then the command.
set -eo pipefail
source /opt/ros/jazzy/setup.bash
cd /hilserl
source scripts/env.sh
exec "$@"
