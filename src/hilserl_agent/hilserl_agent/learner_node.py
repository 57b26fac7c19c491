# SPDX-License-Identifier: Apache-2.0
"""The learner: takes transitions in, updates, sends policies out, survives restarts.

One thread. An update cycle is a slice between two turns of the executor, so an insert waits for one cycle at
most and nothing needs a lock. The actor's uploads are asynchronous, so that wait never reaches the robot.
"""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from rclpy.duration import Duration
from std_srvs.srv import Trigger

from hilserl_agent.board import AXES, Axis, make_boards
from hilserl_agent.checkpoint import size_bytes
from hilserl_agent.insert_service import InsertService
from hilserl_agent.learner_core import LearnerCore, TrainingDiverged
from hilserl_agent.learner_status import LearnerStatus, episode_scalars, learner_scalars
from hilserl_agent.policy_codec import encode_policy
from hilserl_agent.value_watch import ValueWatch
from hilserl_learning.distributed import WorkerFailed
from hilserl_msgs.msg import EpisodeSummary, PolicyWeights, TrainingStatus
from hilserl_msgs.srv import InsertTransitions
from hilserl_ros import qos, topics
from hilserl_ros.node import ERROR, OK, WARN, HilserlNode, run

STATUS_PERIOD_S = 0.5
PROBLEM_PERIOD_S = 30.0  # a problem that lasts is told again so often
LAST_STATUS_S = 1.0  # for the dashboard to take the reason of a failure
LEARNER_PAUSE = "learner/pause"
LEARNER_RESUME = "learner/resume"


class Learner(HilserlNode):
    """Owns buffers and agent; speaks ROS for them."""

    def __init__(self) -> None:
        super().__init__("learner")
        torch.set_num_threads(1)  # more only spin: OpenMP waits busily and the actor needs the other core
        device: str = self.declare_parameter("device", self.task.learner.device).value
        self._synchronous = self.task.learner.updates == "synchronous"
        workers: int = self.declare_parameter("workers", self.task.learner.workers).value
        self.core = LearnerCore(self.task, self.run_dir, self.seed, device, workers)
        self._status = LearnerStatus(self.core)
        self._problems: dict[str, float] = {}  # what is wrong -> when it was told
        self._inserts = InsertService(self.core)
        self._values = ValueWatch(self, self.core.agent, self.core.picture_encoder)
        self.core.on_stored = self._values.note
        for text in self.core.warnings:
            self.diagnose(WARN, text)
        self._boards = make_boards(self.run_dir, self.task.learner.wandb, self._drawn_so_far())
        self._drawn = -1
        self._policies = self.create_publisher(PolicyWeights, topics.POLICY, qos.POLICY)
        self._statuses = self.create_publisher(TrainingStatus, topics.LEARNER_STATUS, qos.STATUS)
        self._slices = self.create_timer(0.0, self._slice)
        self._announce()
        self._guarded(self._publish_policy)
        self._offer_services()
        self.create_timer(STATUS_PERIOD_S, self._report)
        self._schedule()

    def _offer_services(self) -> None:
        self.create_service(InsertTransitions, topics.INSERT_TRANSITIONS, self._insert)
        self.create_service(Trigger, topics.LEARNER_SAVE, self._save)
        self.create_service(Trigger, LEARNER_PAUSE, self._pause)
        self.create_service(Trigger, LEARNER_RESUME, self._resume)
        self.create_subscription(EpisodeSummary, topics.EPISODE, self._episode_ended, qos.EPISODE)

    def _drawn_so_far(self) -> dict[Axis, int]:
        """Last step of the curves that stays: they go on behind it."""
        core = self.core
        if not core.resumed:
            return dict.fromkeys(AXES, -1)
        return {"gradient_steps": core.agent.gradient_steps, "environment_steps": core.inserted}

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
        if response.accepted:
            self._status.heard(request.actor_id)
        if self._synchronous:
            while self._may_update():
                self._guarded(self._cycle)
        self._schedule()
        response.policy_version = self.core.policy_version
        return response

    def _save(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            path = self.core.save()
            response.message = (
                f"{path} ({size_bytes(path) / 1e6:.1f} MB, after {self.core.cycles} update cycles)"
            )
            self._publish_policy()
            response.success = True
        except OSError as error:
            response.message = str(error)
            self._fail(f"{error}; free disk space and start again")
        except WorkerFailed as error:
            response.message = str(error)
            self._fail(_restart_hint(error))
        return response

    def _pause(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        again = self._status.paused
        self._status.paused, response.success = True, True
        response.message = (
            f"{'was paused already' if again else 'paused'} after {self.core.cycles} update cycles; "
            f"transitions are still taken in; {LEARNER_RESUME} goes on"
        )
        self._report()
        return response

    def _resume(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        before = self._status.paused
        self._status.paused, response.success = False, True
        due = f"{self.core.due} update cycles are due"
        response.message = f"goes on; {due}" if before else f"was not paused; {due}"
        self._schedule()
        self._report()
        return response

    # -- updates --------------------------------------------------------------------------------------

    def _may_update(self) -> bool:
        return not self._status.paused and not self._status.failure and self.core.due > 0

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
            self._keep_snapshot()
        if self.core.checkpoint_due:
            self.core.save()

    def _keep_snapshot(self) -> None:
        try:
            self.core.keep_snapshot()
        except OSError as error:
            self.diagnose(WARN, f"no snapshot for later analyses: {error}")

    def _guarded(self, step: Any) -> None:
        try:
            step()
        except TrainingDiverged as error:
            self._fail(str(error))
        except OSError as error:
            self._fail(f"{error}; free disk space and start again, training goes on from the last checkpoint")
        except WorkerFailed as error:
            self._fail(_restart_hint(error))

    def _fail(self, text: str) -> None:
        """Ends the process without another checkpoint: the last good one stays."""
        if not self._status.failure:
            self._status.failure = text
            self.diagnose(ERROR, text)
            self._send_status()
            self._statuses.wait_for_all_acked(Duration(seconds=LAST_STATUS_S))
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
        self._status.published()

    def _report(self) -> None:
        self._guarded(self.core.check)
        if self._status.failure:
            return
        status = self._send_status()
        self._values.publish()
        self._tell_problems(self._status.problems(status))
        if status.gradient_steps != self._drawn:
            self._drawn = status.gradient_steps
            self._draw("gradient_steps", status.gradient_steps, learner_scalars(status))

    def _send_status(self) -> TrainingStatus:
        status = self._status.message()
        status.header.stamp = self.get_clock().now().to_msg()
        self._statuses.publish(status)
        return status

    def _tell_problems(self, found: dict[str, dict[str, object]]) -> None:
        now = time.monotonic()
        for text in set(self._problems) - set(found):
            del self._problems[text]
            self.diagnose(OK, f"no longer: {text}")
        for text, facts in found.items():
            if now - self._problems.get(text, -math.inf) >= PROBLEM_PERIOD_S:
                self._problems[text] = now
                self.diagnose(WARN, text, **facts)

    def _episode_ended(self, episode: EpisodeSummary) -> None:
        try:
            row = self.core.episodes.add(episode)
        except OSError as error:
            self.diagnose(WARN, f"episodes cannot be remembered over a restart: {error}")
            return
        if row is not None and not row["discarded"]:
            self._draw("environment_steps", self.core.inserted, episode_scalars(row, self.core.episodes))

    def _draw(self, axis: Axis, step: int, values: dict[str, float]) -> None:
        """Curves that cannot be drawn do not stop training."""
        for board in self._boards:
            try:
                board.scalars(axis, step, values)
            except OSError as error:
                self.diagnose(WARN, f"curves cannot be written: {error}")

    def close(self) -> None:
        """Saves what was learnt, unless it is broken."""
        if not self._status.failure:
            try:
                self.core.save()
            except (OSError, WorkerFailed) as error:
                self.get_logger().error(str(error))
        self.core.close()
        for board in self._boards:
            board.close()


def _restart_hint(error: Exception) -> str:
    return f"{error}; start the learner again, training goes on from the last checkpoint"


def main() -> None:
    """Entry point of the executable `learner`."""
    run(Learner)


if __name__ == "__main__":
    main()
