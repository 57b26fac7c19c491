# SPDX-License-Identifier: Apache-2.0
"""Records whole episodes as rosbag2 folders.

ros2 run hilserl_recorder recorder --ros-args -p task:=ram_insertion -p run_dir:=runs/x -p target:=20
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from std_srvs.srv import SetBool

from hilserl_msgs.msg import (
    Action,
    CartesianControllerState,
    EpisodeSummary,
    Observation,
    RecorderStatus,
    Reward,
)
from hilserl_recorder.controller_parameters import ControllerParameters
from hilserl_recorder.episode_buffer import ACTION, OBSERVATION, REWARD, EpisodeBuffer, Recorded
from hilserl_recorder.gate import refusal
from hilserl_recorder.numbering import bag_path, existing_numbers, next_number, remove_leftovers
from hilserl_recorder.provenance import now, software
from hilserl_ros import codec, qos, topics
from hilserl_ros.bags import BagError, EpisodeBagWriter
from hilserl_ros.node import ERROR, OK, WARN, HilserlNode, run
from hilserl_task import TaskError

KEEP = ("successes", "all")
PATIENCE_S = 5.0  # for parts that arrive after the summary of their episode
STATUS_PERIOD_S = 1.0
STATE_DEPTH = 2000  # controller states: 2 s at 1 kHz
ACTOR = "actor"  # node that the pause is passed on to
LAST_WORD_S = 1.0  # for the last status to reach its listeners


class RecorderNode(HilserlNode):
    """Writes one bag an episode.

    Parameters:
        target: end after so many bags, those found at start included; 0: record until stopped. Default: the
            task's learner.demonstration_count.
        folder: default `<run_dir>/demos`.
        keep: `successes`, or `all` (failures and discarded episodes too: the reader tells them apart).

    Who says that an episode succeeded is the task's `demonstrations.gate`.

    Services:
        ~/pause: std_srvs/SetBool. Episodes that begin while paused are not recorded; the running one is. The
            actor is asked to pause, too.
    """

    def __init__(self) -> None:
        super().__init__("recorder")
        self._read_parameters()
        leftovers = remove_leftovers(self._folder)
        if leftovers:
            self.diagnose(WARN, "removed unfinished bags of an earlier recorder", count=len(leftovers))
        self._gate = self.task.demonstrations
        self._buffer = EpisodeBuffer(PATIENCE_S, rewards_needed=self._gate.needs_classifier)
        self._controllers = ControllerParameters(self, self.task)
        self._paused = False
        self._passed_over: int | None = None  # episode that began while paused
        self._saved = len(existing_numbers(self._folder))
        self._discarded = 0
        self._last_bag = ""
        self._state, self._message = "idle", ""
        self._status = self.create_publisher(RecorderStatus, topics.RECORDER_STATUS, qos.STATUS)
        self._subscribe()
        self.create_service(SetBool, topics.PAUSE, self._on_pause)
        self._actor_pause = self.create_client(SetBool, topics.PAUSE.replace("~", ACTOR))
        self.create_timer(STATUS_PERIOD_S, self._tick)
        self.get_logger().info(f"{self._saved} of {self._target or 'unlimited'} bags in {self._folder}")
        self._end_if_done()

    def _read_parameters(self) -> None:
        self._target = int(self.declare_parameter("target", self.task.learner.demonstration_count).value)
        self._folder = Path(self.declare_parameter("folder", "").value or self.run_dir / "demos")
        self._keep = str(self.declare_parameter("keep", "successes").value)
        if self._target < 0:
            raise TaskError(f"target: {self._target} must not be negative; example: target:=20")
        if self._keep not in KEEP:
            raise TaskError(f"keep: '{self._keep}' must be one of {KEEP}; example: keep:=successes")

    def _subscribe(self) -> None:
        for kind, message_type, name in (
            (OBSERVATION, Observation, topics.OBSERVATION),
            (ACTION, Action, topics.EXECUTED_ACTION),
            (REWARD, Reward, topics.REWARD),
        ):
            topic = self.resolve_topic_name(name)
            self.create_subscription(message_type, name, partial(self._on_part, kind, topic), qos.RECORDER)
        for arm in self.task.arms:
            name = topics.controller_state(arm.name)
            callback = partial(self._on_state, self.resolve_topic_name(name))
            self.create_subscription(
                CartesianControllerState, name, callback, _deep(qos.sensor(self.task.pacing))
            )
        self.create_subscription(EpisodeSummary, topics.EPISODE, self._on_summary, qos.EPISODE)

    # -- input ----------------------------------------------------------------------------------------

    def _on_part(self, kind: str, topic: str, message: Any) -> None:
        if self._passes_over(kind, message):
            return
        self._buffer.add(kind, _recorded(topic, message))
        if self._state == "idle" and self._buffer.recording:
            self._controllers.refresh()
            self._set_state("recording", f"episode {message.episode}")
        self._save_whole()

    def _passes_over(self, kind: str, message: Any) -> bool:
        """An episode that began while paused is not recorded, to its end."""
        number = int(message.episode)
        if number == self._passed_over and not (kind == OBSERVATION and message.step == 0):
            return True
        if self._paused and not self._buffer.holds(number):
            self._passed_over = number
            return True
        return False

    def _on_state(self, topic: str, message: CartesianControllerState) -> None:
        self._buffer.add_state(_recorded(topic, message))
        self._save_whole()

    def _on_summary(self, message: EpisodeSummary) -> None:
        self._buffer.end(_recorded(self.resolve_topic_name(topics.EPISODE), message), time.monotonic())
        self._save_whole()

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._paused = request.data
        if self._actor_pause.service_is_ready():
            self._actor_pause.call_async(SetBool.Request(data=request.data))
            who = "recorder and actor"
        else:
            who = "recorder (no actor here)"
        running = "; the running episode is recorded to its end" if self._buffer.recording else ""
        response.success = True
        response.message = f"{who} paused{running}" if request.data else f"{who} resumed"
        if self._state in ("idle", "paused"):
            self._set_state("paused" if request.data else "idle", response.message)
        return response

    def _tick(self) -> None:
        self._save_whole()
        broken = self._buffer.take_broken(time.monotonic())
        if broken is not None:
            self._discarded += 1
            self.diagnose(WARN, "an episode has gaps and is not kept", episode=broken[0], missing=broken[1])
        self._saved = len(existing_numbers(self._folder))  # somebody may have deleted one meanwhile
        self._say_status()

    # -- saving ---------------------------------------------------------------------------------------

    def _save_whole(self) -> None:
        if self.ended.done():
            return
        messages = self._buffer.take_whole(time.monotonic())
        if messages is None:
            return
        summary = next(m.message for m in messages if isinstance(m.message, EpisodeSummary))
        reason = refusal(messages, summary, self._gate.gate) if self._keep == "successes" else ""
        if reason:
            self._discarded += 1
            self._rest(f"episode {summary.episode} not kept: {reason}")
            return
        try:
            self._write(messages, summary)
        except BagError as error:
            self._fail(str(error))
            return
        self._rest(f"episode {summary.episode}: {summary.steps} steps")
        self._end_if_done()

    def _rest(self, message: str) -> None:
        self._set_state("paused" if self._paused else "idle", message)

    def _write(self, messages: list[Recorded], summary: EpisodeSummary) -> None:
        path = bag_path(self._folder, next_number(self._folder))
        with EpisodeBagWriter(path, self.task, self._metadata(summary)) as bag:
            for recorded in messages:
                bag.write(recorded.topic, recorded.message, recorded.stamp_ns)
        self._saved = len(existing_numbers(self._folder))
        self._last_bag = str(path)
        self.diagnose(OK, "saved", bag=path, steps=summary.steps, saved=self._saved, target=self._target)

    def _metadata(self, summary: EpisodeSummary) -> dict[str, str]:
        """Strings beside the data: who recorded it, with what."""
        return {
            **software(),
            "recorded_at": now(),
            "phase": summary.phase,
            "actor_id": summary.actor_id,
            "gate": self._gate.gate,
            "controllers": self._controllers.text(),
        }

    def _fail(self, reason: str) -> None:
        """A truncated bag must never pass for a good one: the recorder ends."""
        self.diagnose(ERROR, reason)
        self._set_state("error", reason)
        self._status.wait_for_all_acked(Duration(seconds=LAST_WORD_S))
        self.finish(1)

    def _end_if_done(self) -> None:
        if self._target and self._saved >= self._target:
            self._set_state("done", f"{self._saved} bags in {self._folder}")
            self._status.wait_for_all_acked(Duration(seconds=LAST_WORD_S))
            self.finish(0)

    def _set_state(self, state: str, message: str) -> None:
        self._state, self._message = state, message
        self._say_status()

    def _say_status(self) -> None:
        self._status.publish(
            RecorderStatus(
                header=codec.header(self.get_clock().now().nanoseconds),
                state=self._state,
                saved=self._saved,
                target=self._target,
                discarded=self._discarded,
                last_bag=self._last_bag,
                message=self._message,
            )
        )


def _deep(profile: QoSProfile) -> QoSProfile:
    """The same, with room for what comes while a bag is written."""
    return QoSProfile(depth=STATE_DEPTH, reliability=profile.reliability, durability=profile.durability)


def _recorded(topic: str, message: Any) -> Recorded:
    return Recorded(topic, codec.ns_from_stamp(message.header.stamp), message)


def main() -> None:
    """Entry point of the executable `recorder`."""
    run(RecorderNode)


if __name__ == "__main__":
    main()
