# SPDX-License-Identifier: Apache-2.0
"""Camera drivers and the crop tool: RealSense, V4L2."""
