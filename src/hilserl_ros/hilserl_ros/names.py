# SPDX-License-Identifier: Apache-2.0
"""Words for the numbers in messages; the place in the tuple is the number."""

from __future__ import annotations

OUTCOMES = ("unlabelled", "success", "failure")  # EpisodeSummary.OUTCOME_*
TERMINATION_REASONS = ("none", "reward", "timeout", "operator", "fault", "deactivated")  # .TERMINATION_*
SOURCES = ("policy", "human", "hold")  # Action.SOURCE_*
