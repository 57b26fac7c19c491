# SPDX-License-Identifier: Apache-2.0
"""The intervention mux: the only publisher of arm and gripper commands.

ros2 run hilserl_intervention intervention_mux --ros-args -p task:=ram_insertion
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TwistStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from sensor_msgs.msg import Joy
from std_srvs.srv import SetBool

from hilserl_intervention.buttons import Event
from hilserl_intervention.decision import Decision, Observed, Source, Wish, overall
from hilserl_intervention.mux import Mux
from hilserl_intervention.target import target_message
from hilserl_msgs.msg import (
    Action,
    CartesianTarget,
    EpisodeSummary,
    GripperCommand,
    InterventionState,
    Observation,
)
from hilserl_msgs.srv import OperatorEvent
from hilserl_ros import codec, qos, topics
from hilserl_ros.node import WARN, HilserlNode, run
from hilserl_task.action_codec import ArmTarget

# Without a policy action for this many periods the arm is told once to stay; after that the
# controller's own stale-target rule holds it (design: silence of the chosen source means hold).
SILENT_PERIODS = 2.0


class InterventionMux(HilserlNode):
    """Feeds messages to the decision core and publishes what it decides.

    Parameter `operator_enabled`: false = no person, no device: never wait for one, never let one in.
    Default: the task's operator.interventions.
    """

    def __init__(self) -> None:
        super().__init__("intervention_mux")
        interventions = self.task.operator.interventions
        self._present = bool(self.declare_parameter("operator_enabled", interventions).value)
        self._lockstep = self.task.pacing == "lockstep"
        self._answered = self._lockstep and self._present and self.task.operator.kind == "scripted"
        # Where the person pays, the buttons are listened to in every phase.
        self._judged = self._present or self.task.reward.source == "human"
        self._mux = Mux(self.task, self._answered, self._warn)
        self._mux.enabled = self._present
        self._last_wish_ns = 0
        self._commanded: list[float | None] = [None] * len(self.task.arms)
        # One event at a time, whatever executor a container runs this node in: events keep their order.
        self._events = MutuallyExclusiveCallbackGroup()
        self._make_publishers()
        self._make_subscriptions()
        self._make_services()
        self._command_grippers()
        self._say_who((Source.HOLD,) * len(self.task.arms))

    def _make_publishers(self) -> None:
        self._executed = self.create_publisher(Action, topics.EXECUTED_ACTION, qos.EXECUTED_ACTION)
        self._state = self.create_publisher(
            InterventionState, topics.INTERVENTION_STATE, qos.INTERVENTION_STATE
        )
        self._targets = {
            arm.name: self.create_publisher(
                CartesianTarget, topics.controller_target(arm.name), qos.CONTROLLER_TARGET
            )
            for arm in self.task.arms
        }
        self._grippers = [
            self.create_publisher(GripperCommand, topics.gripper_command(arm.name), qos.GRIPPER_COMMAND)
            for arm in self.task.arms
        ]

    def _make_subscriptions(self) -> None:
        subscribe = partial(self.create_subscription, callback_group=self._events)
        subscribe(Observation, topics.OBSERVATION, self._on_observation, qos.OBSERVATION)
        subscribe(Action, topics.POLICY_ACTION, self._on_policy_action, qos.POLICY_ACTION)
        for arm in self._mux.devices:
            if self._present:
                subscribe(TwistStamped, topics.twist(arm), partial(self._on_twist, arm), qos.TELEOP)
            if self._judged:
                subscribe(Joy, topics.joy(arm), partial(self._on_joy, arm), qos.TELEOP)
        subscribe(EpisodeSummary, topics.EPISODE, self._on_episode_end, qos.EPISODE)
        if not self._lockstep:
            self.create_timer(self.task.period_s, self._watch_silence, callback_group=self._events)

    def _make_services(self) -> None:
        serve: Any = partial(self.create_service, callback_group=self._events)
        serve(SetBool, topics.SET_ENABLED, self._set_enabled)
        serve(SetBool, topics.SET_INTERVENTION, self._set_intervention)
        serve(OperatorEvent, topics.OPERATOR_EVENT, self._operator_event)

    def _command_grippers(self, stamp_ns: int = 0) -> None:
        """Latched and once a change: a fixed gripper gets its one command at start.

        In lockstep the simulation waits in every step for the command of a gripper that moves, as it does
        for the target, so a learned gripper gets it with the target and stamped like it.
        """
        for number, position in enumerate(self._mux.gripper_positions):
            every_step = self._lockstep and self.task.arms[number].gripper.learned
            due = stamp_ns > 0 if every_step else position != self._commanded[number]
            if position is not None and due:
                command = GripperCommand(header=codec.header(stamp_ns), position=position)
                self._grippers[number].publish(command)
                self._commanded[number] = position

    # --- input ---------------------------------------------------------------------------------

    def _on_observation(self, message: Observation) -> None:
        try:
            poses = tuple(codec.matrix_from_pose(arm.pose) for arm in message.arms)
        except ValueError as error:
            self._warn(f"observation: {error}")
            return
        if len(poses) != len(self.task.arms):
            self._warn(f"observation: {len(poses)} arms, must be {len(self.task.arms)} as in the task")
            return
        stamp_ns = codec.ns_from_stamp(message.header.stamp)
        openings = tuple(float(arm.gripper_position) for arm in message.arms)
        observed = Observed(message.episode, message.step, stamp_ns, poses, openings)
        self._mux.observe(observed, stamp_ns if self._answered else time.monotonic_ns())
        self._command_grippers()
        self._decide()

    def _on_policy_action(self, message: Action) -> None:
        # One that comes after the end of its episode is no policy that could fall silent.
        self._last_wish_ns = self._clock_ns() if self._mux.running else 0
        values = tuple(float(value) for value in message.values)
        stamp_ns = codec.ns_from_stamp(message.header.stamp)
        self._mux.wish(Wish(message.episode, message.step, values, message.policy_version, stamp_ns))
        self._decide()

    def _on_twist(self, arm: str | None, message: TwistStamped) -> None:
        linear, angular = message.twist.linear, message.twist.angular
        deflection = (linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
        self._mux.stick(self._device_stamp(message.header.stamp), deflection, arm)
        self._decide()

    def _on_joy(self, arm: str | None, message: Joy) -> None:
        self._mux.joy(self._device_stamp(message.header.stamp), list(message.buttons), arm)
        self._decide()

    def _on_episode_end(self, message: EpisodeSummary) -> None:
        """Between episodes the policy may be silent: the robot side moves the arm to its next start."""
        was_running = self._mux.running
        self._mux.end_episode(message.episode)
        self._last_wish_ns = 0
        if was_running and not self._mux.running and not self._lockstep:  # in lockstep the world stands still
            self._publish_targets(self._mux.release(), self._clock_ns())

    def _device_stamp(self, stamp: Time) -> int:
        """A scripted person who is waited for stamps what was answered. Of any other device the time of
        arrival on the steady clock counts: a driver's clock may be another computer's, and simulated time
        stands still while a dead driver's last push would go on steering."""
        return codec.ns_from_stamp(stamp) if self._answered else time.monotonic_ns()

    # --- output --------------------------------------------------------------------------------

    def _decide(self) -> None:
        observed = self._mux.observed
        if observed is None:
            return
        device_ns = observed.stamp_ns if self._answered else time.monotonic_ns()
        decision = self._mux.decide(device_ns, observed.stamp_ns if self._lockstep else self._clock_ns())
        if decision is not None:
            self._publish(decision)

    def _publish(self, decision: Decision) -> None:
        """Executed action first, so that it is under way before the world moves on."""
        stamp_ns = decision.observed.stamp_ns if self._lockstep else self._clock_ns()
        self._executed.publish(
            Action(
                header=codec.header(decision.observed.stamp_ns),
                episode=decision.observed.episode,
                step=decision.observed.step,
                source=int(decision.source),
                arm_sources=[int(source) for source in decision.arm_sources],
                values=codec.floats32(decision.values),
                policy_values=codec.floats32(decision.policy_values),
                policy_version=decision.policy_version,
                event=int(decision.event),
                success_pressed=decision.success_pressed,
            )
        )
        self._command_grippers(stamp_ns)
        self._publish_targets(decision.targets, stamp_ns)
        self._say_who(decision.arm_sources)

    def _publish_targets(self, targets: Mapping[str, ArmTarget], stamp_ns: int) -> None:
        for arm in self.task.arms:
            if arm.name in targets:
                header = codec.header(stamp_ns, arm.base_frame)
                self._targets[arm.name].publish(target_message(targets[arm.name], header))

    def _say_who(self, arm_sources: tuple[Source, ...]) -> None:
        self._arm_sources, source = arm_sources, overall(arm_sources)
        observed = self._mux.observed
        state = InterventionState(
            enabled=self._mux.enabled,
            active=source is Source.HUMAN,
            forced=self._mux.forced,
            source=int(source),
            arm_sources=[int(each) for each in arm_sources],
        )
        if observed is not None:
            state.header = codec.header(observed.stamp_ns)
            state.episode, state.step = observed.episode, observed.step
        self._state.publish(state)

    def _watch_silence(self) -> None:
        """Realtime: nobody steers any more, so the arm is told once to stay where it is."""
        observed = self._mux.observed
        silent = self._clock_ns() - self._last_wish_ns > SILENT_PERIODS * self.task.period_s * 1e9
        if self._last_wish_ns == 0 or observed is None or not silent:
            return
        self._last_wish_ns = 0
        targets = self._mux.release()
        if self._mux.fresh(self._clock_ns()):  # an old pose would pull the arm back to it
            poses = zip(self.task.arms, observed.base_T_tcp, strict=True)
            targets = {arm.name: ArmTarget(base_T_tcp) for arm, base_T_tcp in poses}
        self._publish_targets(targets, self._clock_ns())
        self._say_who((Source.HOLD,) * len(self.task.arms))
        self._warn("policy is silent; holding the pose")  # last: the first word of a log takes its time

    # --- services ------------------------------------------------------------------------------

    def _set_enabled(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data and not self._present:
            response.success = False
            response.message = "nobody is there: operator_enabled is false; start with operator_enabled:=true"
            return response
        self._mux.enabled = bool(request.data)
        self._say_who(self._arm_sources)
        response.success, response.message = True, "people may take over" if request.data else "policy only"
        return response

    def _set_intervention(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data and not self._mux.enabled:
            response.success = False
            response.message = "interventions are disabled; call set_enabled with true first"
            return response
        self._mux.forced = bool(request.data)
        self._say_who(self._arm_sources)
        response.success, response.message = (
            True,
            "person" if request.data else "policy unless the stick moves",
        )
        return response

    def _operator_event(
        self, request: OperatorEvent.Request, response: OperatorEvent.Response
    ) -> OperatorEvent.Response:
        """A button in a window. It counts for the next step, once, as an edge of a device's button does."""
        names = {event.value: event.name.lower() for event in Event if event is not Event.NONE}
        name = names.get(request.event)
        response.accepted = name is not None and self._mux.press(Event(request.event))
        if name is None:
            known = ", ".join(f"{number} {text}" for number, text in names.items())
            response.message = f"event: {request.event} must be one of {known}"
        else:
            response.message = (
                f"{name} taken" if response.accepted else f"{name} ignored: no episode is running"
            )
        return response

    def _warn(self, text: str) -> None:
        # The part before the colon is the diagnostic's name, without numbers: repeats of it are limited.
        what, _, detail = text.partition(":")
        self.diagnose(WARN, what, detail=detail.strip()) if detail else self.diagnose(WARN, text)

    def _clock_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)


def main() -> None:
    """Entry point."""
    run(InterventionMux)


if __name__ == "__main__":
    main()
