# SPDX-License-Identifier: Apache-2.0
"""Node `monitor`: shows how a run is going and writes it down.

Listens only. The simulator's ground truth and the pictures are looked at in the phase evaluate alone
(hilserl_agent.evaluation.record).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from rclpy.executors import SingleThreadedExecutor

from hilserl_agent.evaluation.record import EvaluationRecord, read_record_options
from hilserl_agent.metrics import (
    MetricsError,
    RateMeter,
    append_row,
    episode_row,
    read_rows,
    status_row,
    wall_so_far,
)
from hilserl_agent.monitor_display import Display, Progress
from hilserl_msgs.msg import (
    Action,
    EpisodeSummary,
    RecorderStatus,
    TrainingStatus,
)
from hilserl_ros import qos, topics
from hilserl_ros.codec import ns_from_stamp
from hilserl_ros.node import HilserlNode, run
from hilserl_task import TaskError

PHASES = ("labels", "demos", "train", "evaluate")
IN_TRAINING = "evaluations_in_training.jsonl"
_STATUS_EVERY_S = 2.0
_SHOW_EVERY_S = 0.25
# Truth and last observation of an episode may come after its summary: topics have no common order.
_TRUTH_WAIT_S = 1.0
# For messages that have come but were not looked at when the node was asked to end.
_QUEUED_S = 0.5


@dataclass(frozen=True)
class _Finished:
    """An episode that is over, waiting for the truth about its last step."""

    summary: EpisodeSummary
    wall_s: float
    deadline_s: float
    trial: int


class Monitor(HilserlNode):
    """Shows progress; writes metrics/{episodes,status,evaluation}.jsonl and evaluation pictures."""

    def __init__(self) -> None:
        super().__init__("monitor")
        self._phase = self._read_phase()
        self._metrics = self.run_dir / "metrics"
        self._seen: set[tuple[str, int, int]] = set()
        self._begun_s = time.monotonic()
        self._progress = Progress(self.task.name, self._phase)
        self._continue_run()
        self._steps, self._ended = RateMeter(), -1
        self._status_s = -_STATUS_EVERY_S
        self._finished: list[_Finished] = []
        self._evaluation = (
            EvaluationRecord(self, read_record_options(self)) if self._phase == "evaluate" else None
        )
        self._display = Display()
        self._subscribe()
        self.create_timer(_SHOW_EVERY_S, self._on_timer)

    def close(self) -> None:
        """Writes down what is still queued or waiting and leaves the last state on the screen."""
        self._take_queued()
        for finished in self._finished:
            self._settle(finished)
        self._finished = []
        if self._progress.status is not None:
            append_row(self._metrics / "status.jsonl", self._progress.status)
        if self._evaluation is not None:
            self._evaluation.close()
        self._update_progress()
        self._display.close(self._progress)

    def _take_queued(self) -> None:
        """The actor ends right after its last episode, and so do we: its summary may not be taken yet."""
        executor = SingleThreadedExecutor()
        executor.add_node(self)
        deadline_s = time.monotonic() + _QUEUED_S
        while time.monotonic() < deadline_s:
            executor.spin_once(timeout_sec=0.05)
        executor.remove_node(self)

    def _read_phase(self) -> str:
        phase = self.declare_parameter("phase", "train").value
        if phase not in PHASES:
            raise TaskError(f"phase: '{phase}' must be one of {', '.join(PHASES)}; example: phase:=train")
        return str(phase)

    def _continue_run(self) -> None:
        """Numbers go on where an earlier start of this run left them; an evaluation begins anew."""
        try:
            rows = read_rows(self._metrics / "episodes.jsonl")
            if self._phase != "evaluate":
                self._begun_s -= wall_so_far(self.run_dir, self._phase)
        except MetricsError as error:
            raise TaskError(f"{error}; move the file away, or use a new run folder") from error
        for row in rows:
            self._seen.add((row["actor_id"], row["episode"], row["stamp_ns"]))
            if row["phase"] == self._phase != "evaluate":
                self._progress.statistics.add(row)

    def _subscribe(self) -> None:
        subscribe = self.create_subscription
        subscribe(EpisodeSummary, topics.EPISODE, self._on_episode, qos.EPISODE)
        subscribe(Action, topics.EXECUTED_ACTION, self._on_executed, qos.EXECUTED_ACTION)
        subscribe(TrainingStatus, topics.LEARNER_STATUS, self._on_status, qos.STATUS)
        subscribe(RecorderStatus, topics.RECORDER_STATUS, self._on_saved, qos.STATUS)
        if self._phase == "evaluate":
            self._progress.target = self.task.evaluation.episodes

    def _on_executed(self, message: Action) -> None:
        self._steps.tick(time.monotonic())
        if message.episode != self._ended:  # topics have no common order: it may come after the summary
            self._progress.open_steps = message.step + 1

    def _on_status(self, message: TrainingStatus) -> None:
        now_s = time.monotonic()
        row = status_row(message, self._phase, self._wall_s(), self._env_steps(), self._steps.rate(now_s))
        self._progress.status = row
        if now_s - self._status_s >= _STATUS_EVERY_S:
            self._status_s = now_s
            append_row(self._metrics / "status.jsonl", row)

    def _on_saved(self, message: RecorderStatus) -> None:
        self._progress.saved, self._progress.target = message.saved, message.target
        self._progress.note = message.message

    def _on_episode(self, message: EpisodeSummary) -> None:
        key = (message.actor_id, message.episode, ns_from_stamp(message.header.stamp))
        if key in self._seen:
            return  # the topic is latched: the last episodes of a running actor come again to who starts anew
        self._seen.add(key)
        if message.phase == "evaluate" != self._phase:
            self._on_trial_in_training(message)
            return
        trial = self._evaluation.next_trial(message.discarded) if self._evaluation is not None else 0
        finished = _Finished(message, self._wall_s(), time.monotonic() + _TRUTH_WAIT_S, trial)
        if self._evaluation is None:
            self._settle(finished)
        else:
            self._finished.append(finished)
            self._settle_finished()

    def _on_trial_in_training(self, summary: EpisodeSummary) -> None:
        """An evaluation in the middle of training: apart from the numbers of training."""
        row = episode_row(summary, "evaluate", self._wall_s(), None)
        append_row(self._metrics / IN_TRAINING, row)
        self._display.episode(row)

    def _on_timer(self) -> None:
        self._settle_finished()
        self._update_progress()
        self._display.show(self._progress, time.monotonic())

    def _settle_finished(self) -> None:
        """Writes down the episodes whose truth is known or will not come any more."""
        if self._evaluation is None:
            return
        waiting = []
        for finished in self._finished:
            known = self._evaluation.truth(finished.summary) is not None
            if known or time.monotonic() >= finished.deadline_s:
                self._settle(finished)
            else:
                waiting.append(finished)
        self._finished = waiting

    def _settle(self, finished: _Finished) -> None:
        truth = self._evaluation.truth(finished.summary) if self._evaluation is not None else None
        row = episode_row(finished.summary, self._phase, finished.wall_s, truth)
        if self._evaluation is None or self._evaluation.of_the_run:
            append_row(self._metrics / "episodes.jsonl", row)
        if self._evaluation is not None:
            self._evaluation.write(row, finished.trial)
        self._progress.statistics.add(row)
        self._progress.open_steps, self._ended = 0, finished.summary.episode
        self._display.episode(row)

    def _update_progress(self) -> None:
        self._progress.wall_s = self._wall_s()
        self._progress.steps_per_s = self._steps.rate(time.monotonic())

    def _wall_s(self) -> float:
        return time.monotonic() - self._begun_s

    def _env_steps(self) -> int:
        return self._progress.statistics.env_steps + self._progress.open_steps


def main() -> None:
    """Entry point of the executable `monitor`."""
    run(Monitor)


if __name__ == "__main__":
    main()
