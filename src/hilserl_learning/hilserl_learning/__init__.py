# SPDX-License-Identifier: Apache-2.0
"""Networks, agents, replay, perception and reward classifier of HIL-SERL. torch and numpy, no ROS."""
