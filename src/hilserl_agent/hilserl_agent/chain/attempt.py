# SPDX-License-Identifier: Apache-2.0
"""One attempt at a skill: the actor's part from the first observation to success, time limit or fault."""

from __future__ import annotations

import time
from collections.abc import Callable

from builtin_interfaces.msg import Time

from hilserl_agent.actor_stage import Deadline
from hilserl_agent.chain.sequence import FAULT, OPERATOR, SUCCESS, TIMEOUT, Attempt
from hilserl_agent.chain.skills import Skill
from hilserl_agent.episode_book import Ending, EpisodeBook, Outcome
from hilserl_agent.episode_summary import episode_summary
from hilserl_agent.graph_client import GraphClient
from hilserl_agent.observations import executed_of
from hilserl_agent.reward_patience import RewardPatience
from hilserl_msgs.msg import Action, EpisodeSummary, Observation, Reward
from hilserl_ros import qos, topics
from hilserl_ros.node import WARN, HilserlNode

MISSING_REWARDS = 10  # realtime: steps without a reward after which an attempt cannot be judged


class AttemptRunner:
    """Runs one attempt at a time.

    Attributes:
        graph: resets and episodes.
        stamp: of the newest observation.
        step: the next one of the policy.
        probability: of success, newest.
        fault: why the last attempt ended by a fault.

    Args:
        node: the chain's, with the graph's task.
        timeout_s: without progress.
        told: called after every step of the policy.
        over: called once, when the attempt has ended.
        reset_failed: a reset, asked for through `graph`, did not succeed.
    """

    def __init__(
        self,
        node: HilserlNode,
        timeout_s: float,
        told: Callable[[], None],
        over: Callable[[Attempt], None],
        reset_failed: Callable[[str], None],
    ) -> None:
        self._node, self._timeout_s = node, timeout_s
        self._told, self._over, self._reset_failed = told, over, reset_failed
        self._lockstep, self._period_s = node.task.pacing == "lockstep", node.task.period_s
        self._skill: Skill | None = None
        self.stamp, self.step, self.probability, self.fault = Time(), 0, 0.0, ""
        self._total_steps = 0
        self.graph = GraphClient(node, node.task, self, use_reward=False)
        self._summaries = node.create_publisher(EpisodeSummary, topics.EPISODE, qos.EPISODE)
        self._patience = RewardPatience(node, self._period_s, self._reward_overdue)

    @property
    def running(self) -> bool:
        """An attempt is under way."""
        return self._skill is not None

    def begin(self, skill: Skill, episode: int, not_before: Time, seed: int) -> None:
        """Begins an attempt where the arms are; `over` follows.

        Args:
            episode: a number of its own for every attempt.
            not_before: stamp of the state in which the approach ended.
            seed: of the policy's sampling.
        """
        self._skill, self._book = skill, EpisodeBook(skill.rules)
        self._stamps: dict[int, Time] = {}
        self.step, self.probability, self.fault = 0, 0.0, ""
        self._began_at = time.monotonic()
        self._patience.begin_episode()
        skill.policy.seed(seed)
        self._expect("the first observation")
        self.graph.begin_episode(episode, not_before)

    def abort(self, reason: str) -> None:
        """Ends the attempt from outside; the arms hold, `over` is told of a fault."""
        if self._skill is None:
            return
        self.fault = reason
        self._book.finish(Ending.FAULT)
        self._end()

    def check(self) -> None:
        """Notices that something does not come; call it now and then."""
        self.graph.check_start()
        if self._skill is None or time.monotonic() < self._deadline.at:
            return
        missing = self._book.missing(self._book.steps)
        where = topics.skill_reward(self._skill.spec.name)
        waits = [f"{name} ({where})" if name == "reward" else name for name in missing]
        self.abort(f"{self._deadline.text}: waiting for {', '.join(waits) or 'nothing'}; is that node alive?")

    # -- what arrives ---------------------------------------------------------------------------------

    def on_start_failed(self, reason: str) -> None:
        """Reset or begin_episode did not succeed."""
        if self._skill is None:
            self._reset_failed(reason)
        else:
            self.abort(reason)

    def on_observation(self, message: Observation) -> None:
        """Takes observation k: encodes it once, closes step k-1, answers it when it may be answered."""
        if self._skill is None:
            return
        try:
            frame = self._skill.reader.frame(message)
        except ValueError as error:
            self.abort(str(error))
            return
        self.stamp = self._stamps[frame.step] = message.header.stamp
        if frame.step == self.step:  # later ones are no progress while this one is missing
            self._expect(f"step {frame.step}")
        self._book.add_frame(frame)
        self._advance()

    def on_executed(self, message: Action) -> None:
        """Takes what the mux made of action k."""
        if self._skill is None:
            return
        try:
            executed = executed_of(message, self._node.task.action_dim)
        except ValueError as error:
            self.abort(str(error))
            return
        self._book.add_executed(int(message.step), executed)
        self._advance()

    def on_reward(self, message: Reward) -> None:
        """Takes the judgement of observation k by the skill's own classifier."""
        if self._skill is None or message.episode != self.graph.episode:
            return
        self.probability = float(message.probability)
        self._book.add_reward(int(message.step), bool(message.success))
        self._advance()

    # -- acting ---------------------------------------------------------------------------------------

    def _advance(self) -> None:
        if self._skill is None:
            return
        if self._book.ending is not None:
            self._end()
        elif self._may_act():
            self._act(self._skill)

    def _may_act(self) -> bool:
        """Every step is judged before the next; by the clock the robot waits only a moment for it."""
        if self._book.frame(self.step) is None:
            return False
        return self._book.steps >= self.step or (not self._lockstep and self._patience.is_over(self.step))

    def _act(self, skill: Skill) -> None:
        frame = self._book.frame(self.step)
        assert frame is not None
        try:
            decision = skill.policy.decide(frame)
        except RuntimeError as error:
            self.abort(str(error))
            return
        step, stamp = self.step, self._stamps.pop(self.step)
        self.step += 1
        self._expect(f"step {step}")
        self.graph.send_action(step, skill.ratio * decision.action, skill.policy.version, stamp)
        self._told()

    def _reward_overdue(self) -> None:
        step = self.step
        if self._skill is None or self._book.steps >= step:
            return
        missing = ", ".join(self._book.missing(self._book.steps))
        self._node.diagnose(WARN, f"{missing} late", skill=self._skill.spec.name, step=self._book.steps)
        if step - self._book.steps > MISSING_REWARDS:
            self.abort(f"{missing} missing for {MISSING_REWARDS} steps; is that node alive?")
            return
        self._patience.give_up(step)
        self._advance()

    def _expect(self, after: str) -> None:
        self._deadline = Deadline.after(
            self._timeout_s, f"no progress for {self._timeout_s:g} s after {after}"
        )

    # -- the end --------------------------------------------------------------------------------------

    def _end(self) -> None:
        skill, book = self._skill, self._book
        assert skill is not None
        self._skill = None
        self._patience.stop()
        self.graph.close_episode()
        self._total_steps += book.steps
        self._publish_summary(skill, book)
        self._over(Attempt(_reason(book), book.steps, book.steps * self._period_s))

    def _publish_summary(self, skill: Skill, book: EpisodeBook) -> None:
        """The mux learns from it that the episode is over, and moves nothing from now on."""
        summary = episode_summary(
            book,
            self._period_s,
            self._node.get_clock().now().to_msg(),
            actor_id=f"chain/{skill.spec.name}",
            phase="evaluate",
            episode=self.graph.episode,
            wall_s=time.monotonic() - self._began_at,
            policy_version=skill.policy.version,
            total_steps=self._total_steps,
        )
        self._summaries.publish(summary)


def _reason(book: EpisodeBook) -> str:
    if book.outcome is Outcome.SUCCESS:
        return SUCCESS
    return {Ending.TIMEOUT: TIMEOUT, Ending.OPERATOR: OPERATOR}.get(book.ending or Ending.FAULT, FAULT)
