# SPDX-License-Identifier: Apache-2.0
"""The actor: runs episodes, acts, and brings what was executed to the learner.

A state machine driven by messages. In lockstep nothing but them moves it; timers only notice that a peer
is missing or dead.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from builtin_interfaces.msg import Time
from rclpy.duration import Duration

from hilserl_agent.actor_desk import ActorDesk
from hilserl_agent.actor_parameters import read_parameters
from hilserl_agent.actor_policy import LearnedPolicy, make_policy
from hilserl_agent.actor_stage import Deadline, Stage
from hilserl_agent.actor_state import CounterFile
from hilserl_agent.config import load_perception, perception_id
from hilserl_agent.episode_book import ClosedStep, Ending, EpisodeBook, Outcome
from hilserl_agent.episode_plan import EpisodePlan
from hilserl_agent.episode_summary import episode_summary
from hilserl_agent.graph_client import GraphClient
from hilserl_agent.insights import Insights
from hilserl_agent.learner_link import LearnerLink
from hilserl_agent.observations import ObservationReader, executed_of
from hilserl_agent.reward_patience import RewardPatience
from hilserl_agent.starts import write_start
from hilserl_agent.training_stop import TrainingStop
from hilserl_agent.training_trials import TrainingTrials
from hilserl_msgs.msg import Action, EpisodeSummary, Observation, Reward
from hilserl_ros import qos, topics
from hilserl_ros.node import ERROR, WARN, HilserlNode, run
from hilserl_task.gripper import GripperPenalty

WATCH_PERIOD_S = 0.2
RESET_ATTEMPTS = 3
LEARNER_TIMEOUT_S = 60.0  # for the last transitions and the last checkpoint
MUX_TIMEOUT_S = 5.0  # to switch interventions off or on
SUMMARY_TIMEOUT_S = 2.0  # for the monitor to take the last summary
SETTLE_S = 0.5  # discovery between the other nodes may lag behind ours
MISSING_REWARDS = 10  # realtime: steps without a reward after which an episode cannot be judged
DISCARDED_IN_A_ROW = 10  # evaluation: so many say that something is broken


class Actor(HilserlNode):
    """Owns the episodes of one robot."""

    def __init__(self) -> None:
        super().__init__("actor")
        torch.set_num_threads(1)  # more only spin: the learner and the simulation need the cores
        self._chosen = read_parameters(self)
        self._counters = CounterFile(self.run_dir, self._chosen.phase, self._chosen.counting)
        self._state = self._counters.load()
        self._summaries = self.create_publisher(EpisodeSummary, topics.EPISODE, qos.EPISODE)
        self._stop = TrainingStop(self.task.training)
        self._stop.restore(self._state.training_stop)
        self._done_episodes = self._discarded_in_a_row = 0
        self._finished = False
        perception = load_perception(self.task, self.run_dir) if self._chosen.phase != "teleop" else None
        self._reader = ObservationReader(self.task, perception.encode if perception else None)
        self._policy = make_policy(self.task, self.run_dir, self._chosen)
        self._link = self._make_link(perception_id(perception))
        self._graph = GraphClient(self, self.task, self, self._chosen.use_reward)
        self._insights = Insights(self)
        self._trials = self._make_trials()
        self._enter_waiting()
        self._desk = ActorDesk(
            self, self._trials, lambda: (self._stage, self._state.next_episode - 1), self._enter_waiting
        )
        self.create_timer(WATCH_PERIOD_S, self._watch)
        self._patience = RewardPatience(self, self.task.period_s, self._reward_overdue)

    # -- set-up ---------------------------------------------------------------------------------------

    def _make_trials(self) -> TrainingTrials | None:
        if self._link is None or not isinstance(self._policy, LearnedPolicy):
            return None
        disturbed = bool(self.task.evaluation.disturbances)
        return TrainingTrials(self, self._policy, disturbed, self._state.people_off)

    def _make_link(self, features_id: str) -> LearnerLink | None:
        if not isinstance(self._policy, LearnedPolicy) or self._chosen.phase != "train":
            return None
        link = LearnerLink(
            self,
            self._policy,
            self._chosen.actor_id,
            features_id,
            self._chosen.learner_namespace,
            on_progress=self._advance,
            on_fault=self._fail,
        )
        if link.recovered_steps:
            self._state.count(link.newest_episode, link.recovered_steps)
            self._save_counters()
            self.diagnose(WARN, f"kept {link.recovered_steps} steps of an episode that was left open")
        return link

    # -- stages ---------------------------------------------------------------------------------------

    def _enter_waiting(self) -> None:
        self._stage = Stage.WAITING
        self._peers_since: float | None = None
        self._deadline = Deadline.after(self._chosen.peer_timeout_s, "the graph is not complete")

    def _wait_for_peers(self) -> None:
        missing = self._graph.missing_peers()
        if missing:
            self._peers_since = None
            self._deadline.text = (
                f"after {self._chosen.peer_timeout_s:g} s the graph still lacks: {'; '.join(missing)}"
            )
            return
        now = time.monotonic()
        if self._peers_since is None:
            self._peers_since = now
            self._deadline = Deadline.after(
                self._chosen.policy_timeout_s,
                f"no policy on {topics.POLICY} after {self._chosen.policy_timeout_s:g} s: is the learner up?",
            )
        if self._link is not None and not self._link.ready:
            return
        if now - self._peers_since >= SETTLE_S:
            self._next_episode()

    def _next_episode(self) -> None:
        if self._trials is None or not self._trials.pending:
            if self._is_over():
                return
        if self._desk.paused:
            self._stage = Stage.PAUSED
            return
        if self._trials is not None and not self._trials.ready(self._next_episode):
            self._stage = Stage.SWITCHING
            self._deadline = Deadline.after(MUX_TIMEOUT_S, f"no answer from the mux for {MUX_TIMEOUT_S:g} s")
            return
        if self._link is not None:  # may know episodes that a lost counter file does not
            self._state.next_episode = max(self._state.next_episode, self._link.newest_episode + 1)
        self._episode = self._state.next_episode
        self._plan = self._next_plan()
        self._state.next_episode += 1
        self._state.trials += self._plan.phase != self._chosen.phase
        self._state.people_off = self._trials is not None and self._trials.people_off
        self._save_counters()
        self._attempts = 0
        self._reset()

    def _next_plan(self) -> EpisodePlan:
        """Evaluations go by trial, so one that had to be discarded is repeated; all else by episode."""
        trial = self._trials.plan() if self._trials is not None else None
        if trial is not None:
            return trial
        chosen = self._chosen
        index = self._episode - self._state.trials
        if chosen.phase == "evaluate":
            index = chosen.first_trial + self._done_episodes
        learnt = self._link is not None
        return EpisodePlan(chosen.phase, chosen.counting, index, chosen.evaluation, self._policy, learnt)

    def _reset(self) -> None:
        self._attempts += 1
        self._stage = Stage.RESETTING
        self._book = EpisodeBook(self._chosen.rules, GripperPenalty(self.task))
        self._next_step = 0
        self._stamps: dict[int, Time] = {}
        self._patience.begin_episode()
        self._began_at = time.monotonic()
        self._plan.policy.seed(self._plan.exploration_seed(self.seed))
        self._graph.start_episode(self._episode, self._plan.reset_seed(self.seed), self._plan.disturbed)

    def _is_over(self) -> bool:
        if self._chosen.episodes and self._done_episodes >= self._chosen.episodes:
            self.get_logger().info(f"{self._done_episodes} episodes done")
            self._finish(0)
            return True
        if self._chosen.phase == "evaluate" and self._discarded_in_a_row >= DISCARDED_IN_A_ROW:
            self._fail(f"{DISCARDED_IN_A_ROW} evaluation episodes discarded in a row; see the diagnostics")
            return True
        reason = self._stop.reason(self._state.total_steps)
        if self._link is None or reason is None:
            return False
        self.get_logger().info(f"training is over: {reason}")
        self._stage = Stage.FLUSHING
        self._deadline = Deadline.after(
            LEARNER_TIMEOUT_S,
            f"learner did not take the last transitions and save within {LEARNER_TIMEOUT_S:g} s",
        )
        self._link.finish(lambda: self._finish(0))
        return True

    # -- what arrives ---------------------------------------------------------------------------------

    def on_start_failed(self, reason: str) -> None:
        """Tries the reset again, a few times."""
        if self._attempts >= RESET_ATTEMPTS:
            self._fail(f"episode {self._episode}: {reason} ({self._attempts} attempts)")
            return
        self.diagnose(WARN, f"episode {self._episode}: {reason}; trying again")
        self._reset()

    def on_observation(self, message: Observation) -> None:
        """Takes observation k: encodes it once, closes step k-1, answers it when it may be answered."""
        if self._finished or self._book.ending is not None:
            return
        try:
            frame = self._reader.frame(message)
        except ValueError as error:
            self._fail(str(error))
            return
        if frame.step == 0 and self._plan.learnt:
            self._note_start(message)
        self._stage = Stage.RUNNING
        self._stamps[frame.step] = message.header.stamp
        self._expect(frame.step)
        self._take(self._book.add_frame(frame))

    def _note_start(self, message: Observation) -> None:
        plan = self._plan
        about = {"actor_id": self._chosen.actor_id, "phase": plan.phase, "counting": plan.counting}
        try:
            write_start(self.run_dir, message, **about, index=plan.index, seed=plan.reset_seed(self.seed))
        except OSError as error:
            self.diagnose(WARN, f"start of the episode not noted: {error}")

    def on_executed(self, message: Action) -> None:
        """Takes what the mux made of action k."""
        try:
            executed = executed_of(message, self.task.action_dim)
        except ValueError as error:
            self._fail(str(error))
            return
        self._take(self._book.add_executed(int(message.step), executed))

    def on_reward(self, message: Reward) -> None:
        """Takes the judgement of observation k."""
        self._take(self._book.add_reward(int(message.step), bool(message.success)))

    def _take(self, closed: list[ClosedStep]) -> None:
        if self._book.discarded:
            self._upload(lambda link: link.end_episode(discarded=True))
        elif closed:
            self._upload(lambda link: link.put(closed, self._episode))
        self._advance()

    def _upload(self, hand_over: Callable[[LearnerLink], None]) -> None:
        if self._link is None or not self._plan.learnt:
            return
        try:
            hand_over(self._link)
        except OSError as error:
            self._fail(f"transitions cannot be kept: {error}; free disk space and start again")

    # -- acting ---------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Does whatever is due: end the episode, or answer the newest observation."""
        if self._stage is not Stage.RUNNING or self._finished:
            return
        if self._book.ending is not None:
            self._end_episode()
        elif self._may_act():
            self._act()

    def _may_act(self) -> bool:
        step = self._next_step
        if self._book.frame(step) is None:
            return False
        if self._book.steps < step and not self._may_act_unjudged(step):
            return False
        return not (self._chosen.synchronous and self._link is not None and not self._link.up_to_date)

    def _may_act_unjudged(self, step: int) -> bool:
        """Realtime only: after a short wait the robot goes on although a step is not closed yet."""
        return not self._chosen.lockstep and self._patience.is_over(step)

    def _reward_overdue(self) -> None:
        step = self._next_step
        if self._stage is not Stage.RUNNING or self._book.steps >= step:
            return
        missing = ", ".join(self._book.missing(self._book.steps))
        self.diagnose(WARN, f"step {self._book.steps}: {missing} late", episode=self._episode)
        if step - self._book.steps > MISSING_REWARDS:
            self.diagnose(
                ERROR, f"episode {self._episode} discarded: {missing} missing for {MISSING_REWARDS} steps"
            )
            self._book.finish(Ending.FAULT)
        self._patience.give_up(step)
        self._advance()

    def _act(self) -> None:
        step = self._next_step
        frame = self._book.frame(step)
        assert frame is not None
        try:
            decision = self._plan.policy.decide(frame)
        except RuntimeError as error:
            self._fail(str(error))
            return
        self._next_step = step + 1
        self._expect(step)
        version, stamp = self._plan.policy.version, self._stamps.pop(step)
        self._graph.send_action(step, decision.action, version, stamp)
        self._insights.publish(self._episode, step, version, stamp, decision)

    def _expect(self, step: int) -> None:
        """Starts the clock for what has to follow observation `step`."""
        self._deadline = Deadline.after(
            self._chosen.timeout_s, f"no progress for {self._chosen.timeout_s:g} s after step {step}"
        )

    # -- the end of an episode ------------------------------------------------------------------------

    def _end_episode(self) -> None:
        self._patience.stop()
        self._graph.close_episode()
        book = self._book
        if self._trials is not None and not self._plan.learnt:
            self._trials.add(book, self.task.period_s)
            self._finish_episode(book)
            return
        self._done_episodes += not book.discarded
        self._discarded_in_a_row = self._discarded_in_a_row + 1 if book.discarded else 0
        self._state.count(self._episode, book.steps)
        if not book.discarded:
            self._stop.add(book.outcome is Outcome.SUCCESS, book.steps, book.intervention_steps)
        self._state.training_stop = self._stop.state()
        self._save_counters()
        self._upload(lambda link: link.end_episode(book.discarded))
        self._finish_episode(book)

    def _finish_episode(self, book: EpisodeBook) -> None:
        self._summaries.publish(self._summary(book))
        self._stage = Stage.WAITING
        if not self._finished:
            self._next_episode()

    def _summary(self, book: EpisodeBook) -> EpisodeSummary:
        return episode_summary(
            book,
            self.task.period_s,
            self.get_clock().now().to_msg(),
            actor_id=self._chosen.actor_id,
            phase=self._plan.phase,
            episode=self._episode,
            wall_s=time.monotonic() - self._began_at,
            policy_version=self._plan.policy.version,
            total_steps=self._state.total_steps,
        )

    # -- watching -------------------------------------------------------------------------------------

    def _watch(self) -> None:
        if self._finished or self._stage is Stage.PAUSED:
            return
        if self._stage is Stage.WAITING:
            self._wait_for_peers()
        elif self._stage is Stage.RESETTING:
            self._graph.check_start()
            return
        if self._finished or time.monotonic() < self._deadline.at:
            return
        text = self._deadline.text
        if self._stage is Stage.RUNNING:
            waiting_for = self._book.missing(self._book.steps)
            if self._chosen.synchronous and self._link is not None and not self._link.up_to_date:
                if time.monotonic() < self._deadline.at + LEARNER_TIMEOUT_S:
                    return
                waiting_for = ["the learner (updates: synchronous)"]
            text += f": waiting for {', '.join(waiting_for)}; is the simulation or robot still running?"
        self._fail(text)

    def _save_counters(self) -> None:
        try:
            self._counters.save(self._state)
        except OSError as error:
            self._fail(f"counters cannot be saved: {error}; free disk space and start again")

    def _fail(self, text: str) -> None:
        if not self._finished:
            self.diagnose(ERROR, text)
            self._finish(1)

    def _finish(self, code: int) -> None:
        self._finished = True
        # The last summary must be with the monitor before the end of this process ends the whole phase.
        self._summaries.wait_for_all_acked(Duration(seconds=SUMMARY_TIMEOUT_S))
        self.finish(code)

    def close(self) -> None:
        """Stops the upload; counters are on disk already."""
        if self._link is not None:
            self._link.close()


def main() -> None:
    """Entry point of the executable `actor`."""
    run(Actor)


if __name__ == "__main__":
    main()
