# SPDX-License-Identifier: Apache-2.0
"""The intervention mux: who moves the robot in this step."""
