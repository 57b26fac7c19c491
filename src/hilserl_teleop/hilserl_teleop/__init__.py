# SPDX-License-Identifier: Apache-2.0
"""Input devices, and the scripted operator of the simulation."""
