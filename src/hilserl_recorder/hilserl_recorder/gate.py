# SPDX-License-Identifier: Apache-2.0
"""Which finished episodes count as successful demonstrations."""

from __future__ import annotations

from collections.abc import Iterable

from hilserl_msgs.msg import EpisodeSummary, Reward
from hilserl_recorder.episode_buffer import Recorded
from hilserl_ros.names import OUTCOMES, TERMINATION_REASONS

_ENDS = {"person": "operator", "both": "operator", "classifier": "reward"}


def refusal(messages: Iterable[Recorded], summary: EpisodeSummary, gate: str) -> str:
    """Why an episode does not count, in words; empty when it does.

    Args:
        messages: of the whole episode.
        summary: its summary.
        gate: either, person, classifier or both (hilserl_task.demonstration_spec).
    """
    if summary.discarded:
        return "discarded"
    if summary.outcome != EpisodeSummary.OUTCOME_SUCCESS:
        return OUTCOMES[summary.outcome]
    reason = TERMINATION_REASONS[summary.termination_reason]
    if reason != _ENDS.get(gate, reason):
        return f"success said by '{reason}', but the gate is '{gate}'"
    return _disagreement(messages, summary) if gate == "both" else ""


def _disagreement(messages: Iterable[Recorded], summary: EpisodeSummary) -> str:
    """What the classifier says to the step at which the person pressed the button."""
    for recorded in messages:
        judged = recorded.message
        if isinstance(judged, Reward) and judged.step == summary.steps and not judged.success:
            return (
                f"the person says success, the classifier does not ({judged.probability:.2f}, must be "
                f"{judged.threshold:.2f})"
            )
    return ""
