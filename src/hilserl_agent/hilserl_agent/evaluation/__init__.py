# SPDX-License-Identifier: Apache-2.0
"""Evaluations: what the nodes write down of trials, and the report that is made of it."""
