# SPDX-License-Identifier: Apache-2.0
"""The observation node: cameras, arms and grippers into one stamped message with a step number.

ros2 run hilserl_observation observation --ros-args -p task:=ram_insertion
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage, Image, JointState

from hilserl_msgs.msg import CartesianControllerState, Observation, Reward
from hilserl_msgs.srv import BeginEpisode
from hilserl_observation.assembler import EpisodeCounter, ExactMatcher, LatestMatcher, SensorSet, Step
from hilserl_observation.composer import ArmSample, Composer
from hilserl_observation.source_watch import SourceWatch
from hilserl_ros import codec, qos, topics
from hilserl_ros.image_transport import rgb_from_any
from hilserl_ros.node import ERROR, WARN, HilserlNode, run
from hilserl_ros.pictures import prepared
from hilserl_task import TaskError
from hilserl_task.camera_spec import CameraSpec
from hilserl_task.schema import ArmSpec

# Nothing for so long where something is due: name what is missing.
PATIENCE_S = 1.0
WATCH_PERIOD_S = 0.25
REPORT_PERIOD_S = 1.0


class ObservationNode(HilserlNode):
    """Matches sensor parts, counts steps, publishes observations.

    Parameter `begin_timeout_s`: begin_episode fails when no complete set has come for so long.
    """

    def __init__(self) -> None:
        super().__init__("observation")
        self._timeout_s: float = self.declare_parameter("begin_timeout_s", 5.0).value
        if not self._timeout_s > 0:
            raise TaskError(f"begin_timeout_s: {self._timeout_s} must be above 0 s; example: 5.0")
        self._lockstep = self.task.pacing == "lockstep"
        self._counter = EpisodeCounter(round(self.task.period_s * 1e9) if self._lockstep else None)
        sources = [camera.input_topic for camera in self.task.cameras]
        sources += [topics.controller_state(arm.name) for arm in self.task.arms]
        self._exact = ExactMatcher(sources)
        self._latest = LatestMatcher(sources, round(self.task.observation.max_age_s * 1e9))
        self._watched = SourceWatch(sources, None if self._lockstep else PATIENCE_S)
        self._composer = Composer(self.task)
        self._begun: Future | None = None
        self._announced_at = self._heard_at = self._published_at = time.monotonic()
        self._publisher = self.create_publisher(Observation, topics.OBSERVATION, qos.OBSERVATION)
        self._subscribe()
        # Its own group: while it waits for step 0 the sensors must go on.
        self.create_service(
            BeginEpisode,
            topics.BEGIN_EPISODE,
            self._begin_episode,
            callback_group=ReentrantCallbackGroup(),
        )
        self.create_timer(WATCH_PERIOD_S, self._watch)
        self.create_timer(REPORT_PERIOD_S, self._report)
        self._ticks = None if self._lockstep else self.create_timer(self.task.period_s, self._tick)

    def _subscribe(self) -> None:
        profile, subscribe = qos.sensor(self.task.pacing), self.create_subscription
        if self.task.observation.start_class:  # first: what came before a sensor's part is read before it
            subscribe(Reward, topics.REWARD, self._composer.take_reward, qos.REWARD)
        for camera in self.task.cameras:
            kind = CompressedImage if camera.transport == "compressed" else Image
            subscribe(kind, camera.input_topic, self._picture_callback(camera), profile)
        for arm in self.task.arms:
            state, gripper = topics.controller_state(arm.name), topics.gripper_state(arm.name)
            subscribe(CartesianControllerState, state, self._state_callback(arm), profile)
            subscribe(JointState, gripper, self._gripper_callback(arm), profile)

    # -- sensor parts ---------------------------------------------------------------------------------

    def _picture_callback(self, camera: CameraSpec) -> Callable[[Image | CompressedImage], None]:
        def take(message: Image | CompressedImage) -> None:
            try:
                picture = prepared(rgb_from_any(message), camera.crop, self.task.observation.image_size)
            except ValueError as error:
                self._refuse(camera.input_topic, f"camera '{camera.name}': picture refused", error)
                return
            self._take(camera.input_topic, codec.ns_from_stamp(message.header.stamp), picture)

        return take

    def _state_callback(self, arm: ArmSpec) -> Callable[[CartesianControllerState], None]:
        topic = topics.controller_state(arm.name)
        joints = arm.joints if self.task.observation.joint_state else None

        def take(message: CartesianControllerState) -> None:
            try:
                sample = ArmSample.of(message, joints)
            except ValueError as error:
                self._refuse(topic, f"arm '{arm.name}': state refused", error)
                return
            self._take(topic, codec.ns_from_stamp(message.header.stamp), sample)

        return take

    def _gripper_callback(self, arm: ArmSpec) -> Callable[[JointState], None]:
        def take(message: JointState) -> None:
            position = float(message.position[0]) if message.position else float("nan")
            if np.isfinite(position):
                self._composer.gripper_positions[arm.name] = position
            else:
                reason = f"position {list(message.position)} must begin with a finite number"
                self.diagnose(ERROR, f"gripper of arm '{arm.name}': state refused", reason=reason)

        return take

    def _take(self, source: str, stamp_ns: int, value: object) -> None:
        self._heard_at = time.monotonic()
        if self._watched.counts[source].arrived(stamp_ns, self._heard_at):
            self.diagnose(WARN, f"{source}: its clock jumped", to=stamp_ns)
        if not self._lockstep:
            self._latest.add(source, stamp_ns, value)
            return
        sensors = self._exact.add(source, stamp_ns, value)
        if sensors is not None:
            self._number(sensors)

    def _refuse(self, source: str, message: str, reason: ValueError) -> None:
        self._watched.counts[source].refused += 1
        self.diagnose(ERROR, message, reason=reason)

    def _tick(self) -> None:
        """Realtime: the observation of this period."""
        if self._counter.idle:
            return
        now_ns = self._now_ns()
        sensors = self._latest.current(now_ns)
        if sensors is not None:
            self._number(sensors)
        else:
            self._watched.blame(self._latest.missing(now_ns))

    # -- steps ----------------------------------------------------------------------------------------

    def _number(self, sensors: SensorSet) -> None:
        step = self._counter.number(sensors)
        if step is None:
            return
        self._publish(step)

    def _publish(self, step: Step) -> None:
        self._published_at = time.monotonic()
        self._watched.matched(step.sensors.stamp_ns - step.sensors.oldest_ns)
        self._publisher.publish(self._composer.observation(step))
        if step.first:
            self._answer_begin("")

    async def _begin_episode(
        self, request: BeginEpisode.Request, response: BeginEpisode.Response
    ) -> BeginEpisode.Response:
        """Answers once step 0 is published, or with the reason why there is none."""
        self._answer_begin(f"episode {request.episode} was begun before there was an observation")
        self._announced_at = self._published_at = time.monotonic()
        begun = self._begun = Future()
        held = self._counter.begin(request.episode, codec.ns_from_stamp(request.not_before))
        if held is not None:
            self._publish(held)
        elif self._ticks is not None:
            self._ticks.reset()  # step 1 comes a period after step 0
            self._tick()
        response.message = await begun
        response.accepted = not response.message
        return response

    def _answer_begin(self, reason: str) -> None:
        """Answers the pending begin_episode: accepted if there is no reason against it."""
        if self._begun is not None:
            begun, self._begun = self._begun, None
            begun.set_result(reason)

    # -- watching -------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Names the topics an observation waits for, and gives a begin up that waits too long."""
        now = time.monotonic()
        if self._counter.waiting:
            waited = now - self._announced_at
            reason = f"no complete set of sensor data since the reset: {self._missing()}"
            if waited >= PATIENCE_S:
                self.diagnose(ERROR, reason)
            if waited >= self._timeout_s:
                self._counter.cancel()
                self._answer_begin(f"{reason}, for {self._timeout_s:g} s")
        elif not self._counter.idle and self._is_overdue(now):
            self.diagnose(WARN, f"observation is overdue: {self._missing()}")

    def _report(self) -> None:
        """Rate, age and losses of every sensor."""
        if self._lockstep:
            self._watched.take_matcher_counts(self._exact.late, self._exact.unmatched)
        for report in self._watched.reports(time.monotonic(), self._now_ns()):
            self.report(report.source, report.level, report.message, **report.values)

    def _is_overdue(self, now: float) -> bool:
        """In lockstep nothing is due until the first part of a new moment has come."""
        if self._lockstep:
            return bool(self._exact.missing()) and now - self._heard_at >= PATIENCE_S
        return now - self._published_at >= PATIENCE_S

    def _missing(self) -> str:
        """What is missing, in words, with topic names."""
        if self._lockstep:
            lacking = self._exact.missing()
            return f"nothing on {', '.join(lacking)}" if lacking else "nothing new on any topic"
        reasons = self._latest.missing(self._now_ns())
        return (
            "; ".join(f"{topic}: {reason}" for topic, reason in reasons.items()) or "all older than the reset"
        )

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)


def main() -> None:
    """Entry point of the executable `observation`."""
    run(ObservationNode)


if __name__ == "__main__":
    main()
