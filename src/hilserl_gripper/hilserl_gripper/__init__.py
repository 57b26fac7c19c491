# SPDX-License-Identifier: Apache-2.0
"""Adapter between the graph's gripper topics and a gripper's own actions."""
