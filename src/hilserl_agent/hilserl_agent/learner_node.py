# SPDX-License-Identifier: Apache-2.0
"""The learner: takes transitions in, updates, sends policies out, survives restarts.

One thread. An update cycle is a slice between two turns of the executor, so an insert waits for one cycle at
most and nothing needs a lock. The actor's uploads are asynchronous, so that wait never reaches the robot.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from std_srvs.srv import Trigger
from torch.utils.tensorboard import SummaryWriter

from hilserl_agent.insert_service import InsertService
from hilserl_agent.learner_core import LearnerCore, TrainingDiverged
from hilserl_agent.policy_codec import encode_policy
from hilserl_msgs.msg import EpisodeSummary, PolicyWeights, TrainingStatus
from hilserl_msgs.srv import InsertTransitions
from hilserl_ros import qos, topics
from hilserl_ros.node import ERROR, WARN, HilserlNode, run

STATUS_PERIOD_S = 0.5
LEARNER_PAUSE = "learner/pause"
LEARNER_RESUME = "learner/resume"


class Learner(HilserlNode):
    """Owns buffers and agent; speaks ROS for them."""

    def __init__(self) -> None:
        super().__init__("learner")
        torch.set_num_threads(1)  # more only spin: OpenMP waits busily and the actor needs the other core
        device: str = self.declare_parameter("device", "cpu").value
        self._synchronous = self.task.learner.updates == "synchronous"
        self._paused = False
        self._failed = False
        self.core = LearnerCore(self.task, self.run_dir, self.seed, device)
        self._inserts = InsertService(self.core)
        for text in self.core.warnings:
            self.diagnose(WARN, text)
        self._board = SummaryWriter(str(self.run_dir / "tensorboard"))
        self._policies = self.create_publisher(PolicyWeights, topics.POLICY, qos.POLICY)
        self._statuses = self.create_publisher(TrainingStatus, topics.LEARNER_STATUS, qos.STATUS)
        self._slices = self.create_timer(0.0, self._slice)
        self._measured_at, self._measured_cycles = time.monotonic(), self.core.cycles
        self._updates_per_s = 0.0
        self._announce()
        self._publish_policy()
        self._offer_services()
        self.create_timer(STATUS_PERIOD_S, self._report)
        self._schedule()

    def _offer_services(self) -> None:
        self.create_service(InsertTransitions, topics.INSERT_TRANSITIONS, self._insert)
        self.create_service(Trigger, topics.LEARNER_SAVE, self._save)
        self.create_service(Trigger, LEARNER_PAUSE, self._pause)
        self.create_service(Trigger, LEARNER_RESUME, self._resume)
        self.create_subscription(EpisodeSummary, topics.EPISODE, self._episode_ended, qos.EPISODE)

    def _announce(self) -> None:
        core = self.core
        start = f"resumed at update cycle {core.cycles}" if core.resumed else "fresh start"
        self.get_logger().info(
            f"{start}: {len(core.demonstrations)} demonstration and {len(core.online)} online transitions, "
            f"profile {core.config.name}, configuration {core.config_hash}"
        )

    # -- services -------------------------------------------------------------------------------------

    def _insert(
        self, request: InsertTransitions.Request, response: InsertTransitions.Response
    ) -> InsertTransitions.Response:
        self._inserts.answer(request, response)
        if self._inserts.failure:
            self._fail(self._inserts.failure)
        elif not response.accepted:
            self.diagnose(WARN, response.message)
        if self._synchronous:
            while self._may_update():
                self._guarded(self._cycle)
        self._schedule()
        response.policy_version = self.core.policy_version
        return response

    def _save(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            response.message = str(self.core.save())
            self._publish_policy()
            response.success = True
        except OSError as error:
            response.message = str(error)
            self._fail(f"{error}; free disk space and start again")
        return response

    def _pause(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._paused, response.success = True, True
        return response

    def _resume(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._paused, response.success = False, True
        self._schedule()
        return response

    # -- updates --------------------------------------------------------------------------------------

    def _may_update(self) -> bool:
        return not self._paused and not self._failed and self.core.due > 0

    def _schedule(self) -> None:
        """The slice timer runs while updates are due, so an idle learner uses no processor time."""
        if self._may_update():
            self._slices.reset()
        else:
            self._slices.cancel()

    def _slice(self) -> None:
        if self._may_update():
            self._guarded(self._cycle)
        self._schedule()

    def _cycle(self) -> None:
        self.core.cycle()
        if self.core.publish_due:
            self._publish_policy()
        if self.core.checkpoint_due:
            self.core.save()

    def _guarded(self, step: Any) -> None:
        try:
            step()
        except TrainingDiverged as error:
            self._fail(str(error))
        except OSError as error:
            self._fail(f"{error}; free disk space and start again, training goes on from the last checkpoint")

    def _fail(self, text: str) -> None:
        """Ends the process without another checkpoint: the last good one stays."""
        if not self._failed:
            self._failed = True
            self.diagnose(ERROR, text)
            self.finish(1)

    # -- what goes out --------------------------------------------------------------------------------

    def _publish_policy(self) -> None:
        policy = self.core.next_policy()
        stamp = self.get_clock().now().to_msg()
        for message in encode_policy(
            policy.blob, policy.version, policy.gradient_steps, self.core.config_hash
        ):
            message.header.stamp = stamp
            self._policies.publish(message)

    def _report(self) -> None:
        now, core = time.monotonic(), self.core
        self._updates_per_s = (core.cycles - self._measured_cycles) / max(1e-9, now - self._measured_at)
        self._measured_at, self._measured_cycles = now, core.cycles
        status = TrainingStatus(
            state="paused" if self._paused else "training" if core.cycles else "waiting",
            gradient_steps=core.agent.gradient_steps,
            policy_version=core.policy_version,
            updates_per_s=self._updates_per_s,
            online_size=len(core.online),
            demo_size=len(core.demonstrations),
            metric_names=list(core.metrics),
            metric_values=list(core.metrics.values()),
        )
        status.header.stamp = self.get_clock().now().to_msg()
        self._statuses.publish(status)
        self._log_scalars()

    def _log_scalars(self) -> None:
        core, step = self.core, self.core.agent.gradient_steps
        for name, value in core.metrics.items():
            self._board.add_scalar(f"learner/{name}", value, step)
        self._board.add_scalar("learner/updates_per_s", self._updates_per_s, step)
        self._board.add_scalar("buffer/online", len(core.online), step)
        self._board.add_scalar("buffer/demonstrations", len(core.demonstrations), step)

    def _episode_ended(self, episode: EpisodeSummary) -> None:
        if episode.phase != "train":
            return
        step = int(episode.total_steps)
        self._board.add_scalar("episode/success", episode.outcome == EpisodeSummary.OUTCOME_SUCCESS, step)
        self._board.add_scalar(
            "episode/interventions", episode.intervention_steps / max(1, episode.steps), step
        )
        self._board.add_scalar("episode/cycle_time_s", episode.duration_s, step)

    def close(self) -> None:
        """Saves what was learnt, unless it is broken."""
        if not self._failed:
            try:
                self.core.save()
            except OSError as error:
                self.get_logger().error(str(error))
        self.core.close()
        self._board.close()


def main() -> None:
    """Entry point of the executable `learner`."""
    run(Learner)


if __name__ == "__main__":
    main()
