# SPDX-License-Identifier: Apache-2.0
"""The message that says how an episode ended."""

from __future__ import annotations

from builtin_interfaces.msg import Time

from hilserl_agent.episode_book import EpisodeBook
from hilserl_msgs.msg import EpisodeSummary


def episode_summary(book: EpisodeBook, period_s: float, stamp: Time, **fields: object) -> EpisodeSummary:
    """Summary of an episode.

    Args:
        book: of the episode, ended.
        period_s: of the policy; the duration is steps times it.
        stamp: when it ended.
        fields: what the book does not know: actor_id, phase, episode, wall_s, policy_version, total_steps.
    """
    summary = EpisodeSummary(
        outcome=book.outcome.value,
        termination_reason=book.ending.value if book.ending else EpisodeSummary.TERMINATION_NONE,
        discarded=book.discarded,
        steps=book.steps,
        intervention_steps=book.intervention_steps,
        interventions=book.interventions,
        duration_s=book.steps * period_s,
        episode_return=book.episode_return,
        **fields,
    )
    summary.header.stamp = stamp
    return summary
