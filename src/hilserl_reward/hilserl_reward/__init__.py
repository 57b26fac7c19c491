# SPDX-License-Identifier: Apache-2.0
"""Reward from a success classifier: label collection, training, and the node that judges observations."""
