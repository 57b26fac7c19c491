# SPDX-License-Identifier: Apache-2.0
"""Start and recovery of a Franka arm under franka_ros2."""
