# SPDX-License-Identifier: Apache-2.0
"""The paper's analyses (Figs. 3, 5, 6, S19) from what a run folder logs."""
