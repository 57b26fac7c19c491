# SPDX-License-Identifier: Apache-2.0
"""What a Franka arm needs before its controllers may run, and again after it stopped itself.

The order is that of franka_hardware's documentation ("Recovery Steps"): clear the error, activate the
hardware component, activate the controllers. The collision behaviour is set before controllers move the arm,
as franka_ros2's own examples do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lifecycle_msgs.msg import State

from hilserl_franka.messages import Messages
from hilserl_franka.robot_link import RobotLink, StepFailed
from hilserl_franka.settings import CollisionThresholds

SWITCH_TIMEOUT_S = 5  # of the controller manager; 0 would be for ever


@dataclass(frozen=True)
class Names:
    """Where the arm is found.

    Attributes:
        driver: namespace of franka_ros2's service_server and action_server: "left" for the prefix left_, ""
            for none.
        hardware: hardware component in the robot description's <ros2_control>.
        controllers: activated in this order.
    """

    driver: str
    hardware: str
    controllers: Sequence[str]


class FrankaArm:
    """The steps. All of them raise StepFailed with the name of the service and its answer."""

    def __init__(
        self, link: RobotLink, messages: Messages, names: Names, thresholds: CollisionThresholds
    ) -> None:
        self._link, self._messages, self._names, self._thresholds = link, messages, names, thresholds

    def start(self) -> None:
        """From a hardware component that is active to controllers that run."""
        self._wait_for_hardware()
        self._set_collision_behavior()
        self._activate_controllers()

    def recover(self) -> None:
        """From a reflex, or any other error of the robot, to controllers that run."""
        self._clear_error()
        self._activate_hardware()
        self._deactivate_controllers()
        self._set_collision_behavior()
        self._activate_controllers()

    def is_active(self) -> bool:
        """Whether the hardware component is active now."""
        return self.hardware_state() == State.PRIMARY_STATE_ACTIVE

    def hardware_state(self) -> int:
        """lifecycle_msgs/State of the hardware component; franka_hardware is unconfigured after an error."""
        kind = self._messages.list_hardware
        answer = self._link.call(kind, "controller_manager/list_hardware_components", kind.Request())
        states = {component.name: component.state.id for component in answer.component}
        if self._names.hardware not in states:
            known = ", ".join(sorted(states)) or "none"
            raise StepFailed(
                f"hardware: {self._names.hardware!r} is not a hardware component; there are: {known}"
            )
        return int(states[self._names.hardware])

    def _wait_for_hardware(self) -> None:
        self._link.wait(self.is_active, f"hardware component {self._names.hardware} is not active")

    def _set_collision_behavior(self) -> None:
        kind = self._messages.collision_behavior
        name = self._driver("service_server/set_full_collision_behavior")
        answer = self._link.call(kind, name, self._thresholds.fill(kind.Request()))
        if not answer.success:
            raise StepFailed(f"{name} refused the thresholds: {answer.error}")

    def _clear_error(self) -> None:
        kind = self._messages.error_recovery
        self._link.act(kind, self._driver("action_server/error_recovery"), kind.Goal())

    def _activate_hardware(self) -> None:
        if self.is_active():
            return
        kind = self._messages.set_hardware_state
        wanted = State(id=State.PRIMARY_STATE_ACTIVE, label="active")
        request = kind.Request(name=self._names.hardware, target_state=wanted)
        answer = self._link.call(kind, "controller_manager/set_hardware_component_state", request)
        if not answer.ok:
            raise StepFailed(f"hardware component {self._names.hardware} stays {answer.state.label}")

    def _activate_controllers(self) -> None:
        self._link.wait(self._loaded, f"controllers {', '.join(self._names.controllers)} are not loaded")
        self._switch(activate=self._controllers_that_are("inactive"))
        if still := self._controllers_that_are("inactive"):
            raise StepFailed(
                f"controllers {', '.join(still)} were not activated: see the controller manager's log"
            )

    def _deactivate_controllers(self) -> None:
        """The manager does so after an error of the hardware, not after a change of its state by a service.

        A controller that was never deactivated would go on with the reference it had. The manager switches
        controllers only while the hardware is active.
        """
        self._switch(deactivate=self._controllers_that_are("active"))

    def _switch(self, activate: Sequence[str] = (), deactivate: Sequence[str] = ()) -> None:
        if not activate and not deactivate:
            return
        kind = self._messages.switch_controllers
        # Best effort: another arm's node may switch a broadcaster of both at this moment.
        request = kind.Request(
            activate_controllers=list(activate),
            deactivate_controllers=list(deactivate),
            strictness=kind.Request.BEST_EFFORT,
        )
        request.timeout.sec = SWITCH_TIMEOUT_S
        self._link.call(kind, "controller_manager/switch_controller", request)

    def _controllers_that_are(self, state: str) -> list[str]:
        states = self._controller_states()
        return [name for name in self._names.controllers if states.get(name) == state]

    def _loaded(self) -> bool:
        states = self._controller_states()
        return all(states.get(name) in ("inactive", "active") for name in self._names.controllers)

    def _controller_states(self) -> dict[str, str]:
        kind = self._messages.list_controllers
        answer = self._link.call(kind, "controller_manager/list_controllers", kind.Request())
        return {controller.name: controller.state for controller in answer.controller}

    def _driver(self, name: str) -> str:
        return f"{self._names.driver}/{name}" if self._names.driver else name
