# SPDX-License-Identifier: Apache-2.0
"""Runs trained skills in sequence, with scripted motions between them: the node `chain`.

It takes the actor's part for each skill, so the mux is the only one that commands arms while a policy acts;
between two episodes, when the mux is silent, it moves the arms itself, as `reset` does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from builtin_interfaces.msg import Time
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.duration import Duration
from rclpy.task import Future

from hilserl_agent.chain.attempt import AttemptRunner
from hilserl_agent.chain.mover import Mover
from hilserl_agent.chain.sequence import CANCELLED, FAULT, Act, Attempt, Directive, Move, Over, Sequence
from hilserl_agent.chain.skills import load_skills
from hilserl_agent.chain.status import skill_results
from hilserl_agent.seeds import reset_seed
from hilserl_msgs.action import RunChain
from hilserl_msgs.msg import ChainStatus, Reward
from hilserl_ros import qos, topics
from hilserl_ros.node import ERROR, OK, WARN, HilserlNode, run
from hilserl_task import TaskError
from hilserl_task.chain_loader import load_chain

WATCH_PERIOD_S = 0.05
SETTLE_S = 0.5  # discovery between the other nodes may lag behind ours
LAST_STATUS_S = 2.0  # for the monitor to take it


@dataclass
class _Run:
    """One run of the chain; `handle` is the goal that asked for it, None when the node itself did."""

    sequence: Sequence
    seed: int
    evaluation: bool
    handle: Any
    done: Future


class ChainNode(HilserlNode):
    """Action `chain/run`, topic `chain/status`.

    Parameters beside those of every node: `chain`, name or path of the chain file, with the run of every
    skill; `chains`, run so many, then end (0: serve the action), with the board moved if `evaluation`;
    `observation_timeout_s`, without progress; `peer_timeout_s`, until the graph is complete.
    """

    def __init__(self) -> None:
        super().__init__("chain")
        torch.set_num_threads(1)  # more only spin: the other nodes need the cores
        self._read_parameters()
        self._skills = load_skills(self._chain, self.task)
        self._run: _Run | None = None
        self._count = self._episode = 0
        self._state, self._stamp, self._message = ChainStatus.STATE_IDLE, Time(), ""
        self._peers_since: float | None = None
        self._waits_since: float | None = None
        self._mover = Mover(self, self._on_moved, self._on_not_moved)
        self._attempt = AttemptRunner(
            self, self._timeout_s, self._say, self._on_attempt, partial(self._fail, fatal=True)
        )
        self._statuses = self.create_publisher(ChainStatus, topics.CHAIN_STATUS, qos.CHAIN_STATUS)
        for index, skill in enumerate(self._skills):
            if skill.rules.use_reward:
                topic = topics.skill_reward(skill.spec.name)
                self.create_subscription(Reward, topic, partial(self._on_reward, index), qos.REWARD)
        self.create_timer(WATCH_PERIOD_S, self._watch)
        self._server = ActionServer(
            self,
            RunChain,
            topics.RUN_CHAIN,
            self._execute,
            goal_callback=self._on_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )
        self._tell(ChainStatus.STATE_IDLE, "waiting for a goal")

    def _read_parameters(self) -> None:
        declare = self.declare_parameter
        self._chain = load_chain(declare("chain", "").value)
        self._chains: int = declare("chains", 0).value
        self._timeout_s: float = declare("observation_timeout_s", 5.0).value
        self._peer_timeout_s: float = declare("peer_timeout_s", 60.0).value
        self._evaluation: bool = declare("evaluation", False).value
        if self._chains < 0:
            raise TaskError(f"chains: {self._chains} must not be negative; example: chains:=20")

    def close(self) -> None:
        """Ctrl-C: the arms hold, grippers keep, whoever resets stops."""
        if self._run is not None:
            self._cancel()

    # -- who asks for a run ---------------------------------------------------------------------------

    def _on_goal(self, _: Any) -> GoalResponse:
        if self._run is None and not self._chains:
            return GoalResponse.ACCEPT
        self.diagnose(WARN, "goal refused: the chain is running; cancel it first")
        return GoalResponse.REJECT

    async def _execute(self, handle: Any) -> RunChain.Result:
        done = self._begin(int(handle.request.seed), bool(handle.request.evaluation), handle)
        over: Over = await done
        if handle.is_cancel_requested:
            handle.canceled()
        elif over.success:
            handle.succeed()
        else:
            handle.abort()
        return self._result

    def _begin(self, seed: int, evaluation: bool, handle: Any = None) -> Future:
        self._run = _Run(Sequence(self._chain), seed, evaluation, handle, Future())
        self._peers_since, self._waits_since = None, time.monotonic()
        self._tell(ChainStatus.STATE_IDLE, "waiting for the other nodes")
        return self._run.done

    def _watch(self) -> None:
        """Next run of several, peers, cancel requests, and what does not come."""
        run = self._run
        if run is None:
            if self._chains and not self.ended.done():
                self._begin(reset_seed(self.seed, "chain", self._count), self._evaluation)
            return
        if run.handle is not None and run.handle.is_cancel_requested:
            self._cancel()
        elif self._waits_since is not None:
            self._wait_for_peers(run)
        else:
            self._mover.check()
            self._attempt.check()

    def _wait_for_peers(self, run: _Run) -> None:
        now, missing = time.monotonic(), self._missing_peers()
        if missing:
            self._peers_since, lacking = None, "; ".join(missing)
            waits = f"waiting for the other nodes: {lacking}"
            if waits != self._message:
                self._tell(ChainStatus.STATE_IDLE, waits)
            if now - (self._waits_since or now) > self._peer_timeout_s:
                text = f"after {self._peer_timeout_s:g} s the graph still lacks: {lacking}"
                self._fail(text, fatal=True)
            return
        self._peers_since = self._peers_since or now
        if self._count or now - self._peers_since >= SETTLE_S:
            self._waits_since = None
            self._reset(run)

    def _missing_peers(self) -> list[str]:
        missing = self._attempt.graph.missing_peers()
        for skill in self._skills:
            topic = topics.skill_reward(skill.spec.name)
            if skill.rules.use_reward and not self.count_publishers(topic):
                missing.append(f"publisher of {topic} (reward node of skill '{skill.spec.name}')")
        return missing

    def _reset(self, run: _Run) -> None:
        self._tell(ChainStatus.STATE_IDLE, "reset")
        self._next_episode()
        self._attempt.graph.reset(self._episode, run.seed, run.evaluation, self._on_reset)

    def _next_episode(self) -> int:
        self._episode += 1
        return self._episode

    # -- from one thing to the next -------------------------------------------------------------------

    def _on_reset(self, stamp: Time) -> None:
        if self._run is not None:
            self._mover.forget_grippers()
            self._go(self._run.sequence.now, stamp)

    def _on_moved(self, stamp: Time) -> None:
        if self._run is not None:
            self._go(self._run.sequence.moved(), stamp)

    def _on_not_moved(self, reason: str, fatal: bool) -> None:
        self._fail(reason, fatal)

    def _on_attempt(self, attempt: Attempt) -> None:
        if self._run is None:
            return
        directive = self._run.sequence.acted(attempt)
        if attempt.reason == FAULT:
            name = self._skills[self._run.sequence.finished - 1].spec.name
            self._fail(f"skill '{name}': {self._attempt.fault}", fatal=True)
            return
        self._go(directive, self._attempt.stamp)

    def _on_reward(self, index: int, message: Reward) -> None:
        run = self._run
        if run is not None and isinstance(run.sequence.now, Act) and run.sequence.now.skill == index:
            self._attempt.on_reward(message)

    def _go(self, directive: Directive, stamp: Time) -> None:
        """Does what is due from a state on, whose stamp is known."""
        self._stamp = stamp
        if isinstance(directive, Over):
            self._over(directive)
        elif isinstance(directive, Move):
            self._tell(ChainStatus.STATE_MOVING, directive.what)
            self._mover.start(directive.motions, self._rng(directive, 0), stamp)
        else:
            self._act(directive, stamp)

    def _act(self, act: Act, stamp: Time) -> None:
        if wrong := self._mover.wrong_gripper():
            self._fail(f"skill '{self._skills[act.skill].spec.name}': {wrong}", fatal=True)
            return
        self._tell(ChainStatus.STATE_ACTING, "")
        seed = int(self._rng(act, 1).integers(2**63))
        self._attempt.begin(self._skills[act.skill], self._next_episode(), stamp, seed)

    def _rng(self, due: Move | Act, stream: int) -> np.random.Generator:
        """The same for the same seed, skill and attempt, whatever happened before."""
        assert self._run is not None
        return np.random.default_rng([self._run.seed, due.skill, due.attempt, stream])

    # -- the end --------------------------------------------------------------------------------------

    def _cancel(self) -> None:
        """Arms hold, grippers keep."""
        if self._attempt.running:
            self._attempt.abort(CANCELLED)
        else:
            self._attempt.graph.give_up_start()
            self._fail(CANCELLED)

    def _fail(self, reason: str, fatal: bool = False) -> None:
        if self._run is not None:
            self._over(self._run.sequence.failed(reason), fatal)

    def _over(self, over: Over, fatal: bool = False) -> None:
        run = self._run
        assert run is not None
        self._mover.stop()
        records = skill_results(run.sequence.records)
        self._result = RunChain.Result(success=over.success, message=over.message, skills=records)
        self._tell(ChainStatus.STATE_DONE if over.success else ChainStatus.STATE_FAILED, over.message)
        level = OK if over.success else WARN
        self.diagnose(level, "chain is over", success=over.success, why=over.message)
        self._run = None
        self._count += 1
        run.done.set_result(over)
        if self._chains:
            self._after_one_of_several(over, fatal)

    def _after_one_of_several(self, over: Over, fatal: bool) -> None:
        """A failed chain is a result; one that could not be run ends them all."""
        if fatal and not over.message.endswith(CANCELLED):
            self.diagnose(ERROR, f"chain {self._count}: {over.message}")
        elif self._count < self._chains:
            return
        self._statuses.wait_for_all_acked(Duration(seconds=LAST_STATUS_S))
        self.finish(int(fatal))

    # -- status ---------------------------------------------------------------------------------------

    def _tell(self, state: int, message: str) -> None:
        self._state, self._message = state, message
        self._say()

    def _say(self) -> None:
        """Publishes where the chain stands."""
        status = ChainStatus(chain=self._chain.name, state=self._state, message=self._message)
        run, acting = self._run, self._state == ChainStatus.STATE_ACTING
        status.header.stamp = self._attempt.stamp if acting and self._attempt.step else self._stamp
        if run is not None:
            if isinstance(run.sequence.now, Move | Act):
                due = run.sequence.now
                spec = self._skills[due.skill].spec
                status.skill_index, status.skill = due.skill, spec.name
                status.attempt, status.max_attempts = due.attempt, spec.attempts
            status.skills = skill_results(run.sequence.records[: run.sequence.finished])
        if acting:
            status.step, status.success_probability = self._attempt.step, self._attempt.probability
        self._statuses.publish(status)
        if run is not None and run.handle is not None and run.handle.is_active:
            run.handle.publish_feedback(RunChain.Feedback(status=status))


def main() -> None:
    """Entry point of the executable `chain`."""
    run(ChainNode)


if __name__ == "__main__":
    main()
