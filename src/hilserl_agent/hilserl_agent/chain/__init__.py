# SPDX-License-Identifier: Apache-2.0
"""Trained skills in sequence, with scripted motions between them."""
