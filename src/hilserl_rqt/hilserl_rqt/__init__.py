# SPDX-License-Identifier: Apache-2.0
"""Dashboard: what the graph does and whether to step in."""
