# SPDX-License-Identifier: Apache-2.0
"""MuJoCo scenes with torque-controlled arms that run the real control law at its real rate."""
