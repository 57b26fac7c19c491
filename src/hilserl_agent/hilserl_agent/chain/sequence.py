# SPDX-License-Identifier: Apache-2.0
"""What a chain does next: motions, a skill, motions, the next skill; or the same once more. No ROS.

A skill that succeeds is followed by its retreat and the next one's approach; one that fails by its recover
motions and its approach again, at most `attempts` times.
"""

from __future__ import annotations

from dataclasses import dataclass

from hilserl_task.chain_spec import ChainSpec, MotionSpec

SUCCESS, TIMEOUT, OPERATOR, FAULT = "success", "timeout", "operator", "fault"
CANCELLED = "cancelled; the arms hold"  # how the message of a run ends that somebody stopped


@dataclass(frozen=True)
class Move:
    """Carry these motions out, in their order; none: go on at once.

    Attributes:
        skill, attempt: what comes after them; of the last retreat what came before.
        what: for people.
    """

    motions: tuple[MotionSpec, ...]
    skill: int
    attempt: int
    what: str


@dataclass(frozen=True)
class Act:
    """Let the policy of a skill act; attempts count from 1."""

    skill: int
    attempt: int


@dataclass(frozen=True)
class Over:
    """The chain has ended; the arms hold."""

    success: bool
    message: str


Directive = Move | Act | Over


@dataclass(frozen=True)
class Attempt:
    """How one attempt at a skill went; `reason` is success, timeout, operator or fault."""

    reason: str
    steps: int
    duration_s: float


@dataclass
class SkillRecord:
    """All attempts at a skill together; `reason` is that of the last one."""

    name: str
    attempts: int = 0
    success: bool = False
    steps: int = 0
    duration_s: float = 0.0
    reason: str = ""

    def add(self, attempt: Attempt) -> None:
        """Counts an attempt."""
        self.attempts += 1
        self.success, self.reason = attempt.reason == SUCCESS, attempt.reason
        self.steps += attempt.steps
        self.duration_s += attempt.duration_s


class Sequence:
    """One run through a chain. Every method answers with what to do next.

    Attributes:
        records: of all skills, in the chain's order.
        finished: how many of them are over: succeeded, or failed for good.
    """

    def __init__(self, chain: ChainSpec) -> None:
        self._chain = chain
        self.records = [SkillRecord(skill.name) for skill in chain.skills]
        self.finished = 0
        self._now: Directive = self._approach(0, 1)

    @property
    def now(self) -> Directive:
        """What is due."""
        return self._now

    def moved(self) -> Directive:
        """The motions are done."""
        assert isinstance(self._now, Move)
        if self.finished == len(self.records):
            return self._go(Over(True, f"all {len(self.records)} skills succeeded"))
        return self._go(Act(self._now.skill, self._now.attempt))

    def acted(self, attempt: Attempt) -> Directive:
        """An attempt is over."""
        assert isinstance(self._now, Act)
        index, number = self._now.skill, self._now.attempt
        record, skill = self.records[index], self._chain.skills[index]
        record.add(attempt)
        if record.success:
            return self._succeeded(index)
        if attempt.reason == FAULT:
            return self.failed(f"skill '{skill.name}': fault in attempt {number}")
        if number < skill.attempts:
            return self._go(self._approach(index, number + 1, skill.recover))
        tries = f"{number} attempts" if number > 1 else "its only attempt"
        return self.failed(f"skill '{skill.name}' failed in {tries}, last by {attempt.reason}")

    def failed(self, message: str) -> Over:
        """Something went wrong that no further attempt can mend, or a person cancelled."""
        if isinstance(self._now, Act) or (
            isinstance(self._now, Move) and self.records[self._now.skill].attempts
        ):
            self.finished = max(self.finished, min(self._now.skill + 1, len(self.records)))
        over = Over(False, message)
        self._now = over
        return over

    def _succeeded(self, index: int) -> Directive:
        self.finished = index + 1
        retreat = self._chain.skills[index].retreat
        if self.finished < len(self.records):
            return self._go(self._approach(self.finished, 1, retreat))
        what = f"away from '{self.records[index].name}'"
        return self._go(Move(retreat, index, self.records[index].attempts, what))

    def _approach(self, index: int, attempt: int, before: tuple[MotionSpec, ...] = ()) -> Move:
        skill = self._chain.skills[index]
        again = f", attempt {attempt}" if attempt > 1 else ""
        return Move((*before, *skill.approach), index, attempt, f"to '{skill.name}'{again}")

    def _go(self, directive: Directive) -> Directive:
        self._now = directive
        return directive
