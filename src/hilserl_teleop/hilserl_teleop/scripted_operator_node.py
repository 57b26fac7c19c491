# SPDX-License-Identifier: Apache-2.0
"""The simulated person as a node: watches observations, publishes stick and buttons.

ros2 run hilserl_teleop scripted_operator --ros-args -p task:=ram_insertion -p phase:=demos
"""

from __future__ import annotations

import time

import numpy as np

from hilserl_msgs.msg import InterventionState, Observation, SimGroundTruth
from hilserl_ros import codec, qos, topics
from hilserl_ros.node import WARN, HilserlNode, run
from hilserl_task import TaskError
from hilserl_teleop.craft import View
from hilserl_teleop.device import PUBLISH_RATE_HZ, DevicePublisher
from hilserl_teleop.label_class import LabelClass
from hilserl_teleop.scripted_operator import PHASES, OperatorOutput, ScriptedOperator
from hilserl_teleop.view import view_from_messages

KEPT_TRUTHS = 10
BLIND_PERIODS = 5  # realtime: without observations for so long a person lets go
TRUTH_PATIENCE_S = 2.0  # without ground truth for an observation: say so

UNHEARD_PERIOD_S = 0.1  # lockstep: how often to look whether the mux listens by now


class ScriptedOperatorNode(HilserlNode):
    """Answers observations with the help of the simulator's truth: one device, or one an arm.

    Lockstep: exactly one reading an observation, carrying the observation's stamp, so that the mux can wait
    for it. Realtime: readings at the rate of a driver.

    Parameter `phase`: labels, demos, train or evaluate.
    """

    def __init__(self) -> None:
        super().__init__("scripted_operator")
        phase = str(self.declare_parameter("phase", "demos").value)
        if phase not in PHASES:
            raise TaskError(f"phase: '{phase}' is unknown, must be one of {PHASES}; example: phase:=demos")
        self._lockstep = self.task.pacing == "lockstep"
        self._arms = tuple(arm.name for arm in self.task.arms)
        self._operator = ScriptedOperator(self.task, phase, self._rng(0))
        self._neutral = OperatorOutput({arm: np.zeros(6) for arm in self._arms})
        single = len(self._arms) == 1
        self._devices = {arm: DevicePublisher(self, None if single else arm) for arm in self._arms}
        self._label_class = LabelClass(self, self.task.reward.classes, self._answer, phase == "labels")
        self._truths: dict[int, SimGroundTruth] = {}
        self._pending: Observation | None = None
        self._seen_at = 0.0
        self._episode: int | None = None
        self._enabled = True
        self._output = self._neutral
        self.create_subscription(Observation, topics.OBSERVATION, self._on_observation, qos.OBSERVATION)
        self.create_subscription(
            SimGroundTruth, topics.SIM_GROUND_TRUTH, self._on_truth, qos.SIM_GROUND_TRUTH
        )
        self.create_subscription(
            InterventionState, topics.INTERVENTION_STATE, self._on_state, qos.INTERVENTION_STATE
        )
        self.create_timer(TRUTH_PATIENCE_S / 2, self._watch_truth)
        if self._lockstep:
            self.create_timer(UNHEARD_PERIOD_S, self._answer)
        else:
            self.create_timer(1.0 / PUBLISH_RATE_HZ, self._publish_now)

    def _rng(self, episode: int) -> np.random.Generator:
        """Randomness of one episode: the same whatever happened before."""
        return np.random.default_rng([self.seed, episode])

    def _on_state(self, message: InterventionState) -> None:
        self._enabled = bool(message.enabled)

    def _on_truth(self, message: SimGroundTruth) -> None:
        self._truths[codec.ns_from_stamp(message.header.stamp)] = message
        for stamp_ns in sorted(self._truths)[:-KEPT_TRUTHS]:
            del self._truths[stamp_ns]
        self._answer()

    def _on_observation(self, message: Observation) -> None:
        if message.step == 0 or message.episode != self._episode:
            self._episode = int(message.episode)
            self._operator.use_random(self._rng(self._episode))
        self._pending, self._seen_at = message, time.monotonic()
        self._answer()

    def _answer(self) -> None:
        """Decides on the pending observation once its truth is there, and the labels know its class."""
        observation, truth = self._pending, self._truth_of_pending()
        if observation is None or truth is None or (self._lockstep and not self._heard()):
            return
        if not self._label_class.is_set_to(truth.kind):
            return
        self._pending = None
        self._output = self._decide(observation, truth)
        if self._lockstep:
            for arm, device in self._devices.items():
                device.publish(observation.header.stamp, self._output.sticks[arm], self._buttons(arm))

    def _heard(self) -> bool:
        return all(device.heard for device in self._devices.values())

    def _truth_of_pending(self) -> SimGroundTruth | None:
        """Lockstep: of exactly the same moment. Realtime: the newest."""
        if self._pending is None or not self._truths:
            return None
        if self._lockstep:
            return self._truths.get(codec.ns_from_stamp(self._pending.header.stamp))
        return self._truths[max(self._truths)]

    def _decide(self, observation: Observation, truth: SimGroundTruth) -> OperatorOutput:
        try:
            return self._operator.act(self._view(observation, truth), may_intervene=self._enabled)
        except ValueError as error:
            self.diagnose(WARN, "no usable pose, hands off", reason=error)
            return self._neutral

    def _view(self, observation: Observation, truth: SimGroundTruth) -> View:
        return view_from_messages(self._arms, observation, truth)

    def _buttons(self, arm: str) -> tuple[bool, bool, bool, bool]:
        """Success, discard, failure, gripper. The first device speaks for the person."""
        first = arm == self._arms[0]
        output = self._output
        return (
            first and output.success_button,
            first and output.discard_button,
            False,
            arm in output.gripper_buttons,
        )

    def _publish_now(self) -> None:
        if time.monotonic() - self._seen_at > BLIND_PERIODS * self.task.period_s:
            self._output = self._neutral
        for arm, device in self._devices.items():
            device.publish(self.get_clock().now().to_msg(), self._output.sticks[arm], self._buttons(arm))

    def _watch_truth(self) -> None:
        """A person who sees nothing lets go, and says why."""
        if self._pending is None or time.monotonic() - self._seen_at < TRUTH_PATIENCE_S:
            return
        self._output = self._neutral
        self.diagnose(
            WARN,
            f"no '{topics.SIM_GROUND_TRUTH}' for an observation; scripted operators need the simulation",
            episode=self._pending.episode,
            step=self._pending.step,
        )


def main() -> None:
    """Entry point of the executable `scripted_operator`."""
    run(ScriptedOperatorNode)


if __name__ == "__main__":
    main()
