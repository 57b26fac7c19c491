# SPDX-License-Identifier: Apache-2.0
"""From a task to running nodes: node specs, launch file, process runner and the demo."""
