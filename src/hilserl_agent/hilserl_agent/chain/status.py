# SPDX-License-Identifier: Apache-2.0
"""Results of skills as messages."""

from __future__ import annotations

from collections.abc import Sequence

from hilserl_agent.chain.sequence import SkillRecord
from hilserl_msgs.msg import SkillResult


def skill_results(records: Sequence[SkillRecord]) -> list[SkillResult]:
    """One message a skill."""
    return [
        SkillResult(
            name=record.name,
            attempts=record.attempts,
            success=record.success,
            steps=record.steps,
            duration_s=record.duration_s,
            reason=record.reason,
        )
        for record in records
    ]
