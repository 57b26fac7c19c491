# SPDX-License-Identifier: Apache-2.0
"""A device as a node: looks at it 50 times a second and publishes what the stock spacenav driver publishes.

ros2 run hilserl_teleop hidraw --ros-args -p task:=my_task -p device:=0
"""

from __future__ import annotations

import time

from hilserl_ros import topics
from hilserl_ros.node import ERROR, OK, WARN, HilserlNode
from hilserl_task import TaskError
from hilserl_task.device_spec import DeviceSpec, DriverName
from hilserl_teleop.device import DEVICE_RATE_HZ, DevicePublisher
from hilserl_teleop.driver import Driver
from hilserl_teleop.reader import Reader, Reading
from hilserl_teleop.watchdog import State

_TROUBLE = {
    State.GONE: (ERROR, "device gone, stick neutral"),
    State.SILENT: (ERROR, "device silent, stick neutral"),
    State.STUCK: (ERROR, "device stuck: deflected without a report, stick neutral"),
    State.UNCENTRED: (WARN, "let go of the device before it steers"),
}


class DeviceNode(HilserlNode):
    """Publishes joy and twist of one device of the task. Parameter `device`: index in operator.devices;
    -1, the default: the only one with this driver, else the driver with its defaults.

    Args:
        driver: its name.
    """

    def __init__(self, driver: DriverName) -> None:
        super().__init__(driver)
        index = int(self.declare_parameter("device", -1).value)
        self.spec, self._where = device_of_task(self.task.operator.devices, driver, index)
        self._driver = self.make_driver(self.spec)
        self._reader = Reader(self.spec, self._driver, self._where)
        self._publisher = DevicePublisher(self, self.spec.arm)
        self._state: State | None = None
        self._ever_steered = False
        self._look()
        self.create_timer(1.0 / DEVICE_RATE_HZ, self._look)

    def make_driver(self, spec: DeviceSpec) -> Driver:
        """The driver of this node."""
        raise NotImplementedError

    def close(self) -> None:
        """Lets the device go."""
        self._reader.close()

    def _look(self) -> None:
        reading = self._reader.read(time.monotonic())
        self._publisher.publish(self.get_clock().now().to_msg(), reading.stick, reading.buttons)
        self._tell(reading)

    def _tell(self, reading: Reading) -> None:
        """Trouble, once a second as long as it lasts; and its end."""
        if reading.state in _TROUBLE and not (reading.state is State.UNCENTRED and not self._worth_telling()):
            level, text = _TROUBLE[reading.state]
            why = {"reason": reading.problem} if reading.problem else {}
            self.diagnose(level, text, device=self._driver.title, **why)
        elif reading.state is State.STEERING and self._state is not State.STEERING:
            text = "device steers again" if self._ever_steered else "device ready"
            self.diagnose(OK, text, device=self._driver.title, topic=topics.joy(self.spec.arm))
            self._ever_steered = True
        if reading.state is State.GONE and not self._driver.returns:
            self.finish(1)
        self._state = reading.state

    def _worth_telling(self) -> bool:
        """Only a hand on the device keeps it from steering; the first tenth of a second at rest is normal."""
        return not self._reader.calibration.centred(self._driver.axes)


def device_of_task(devices: tuple[DeviceSpec, ...], driver: DriverName, index: int) -> tuple[DeviceSpec, str]:
    """The device a node drives, and its place in the task file.

    Raises:
        TaskError: no such device, of another driver, or several of this driver to choose from.
    """
    mine = [i for i, spec in enumerate(devices) if spec.driver == driver]
    if index >= len(devices):
        raise TaskError(f"device: {index}, but operator.devices has {len(devices)}; example: device:=0")
    if index >= 0:
        if index not in mine:
            raise TaskError(
                f"device: {index} is a {devices[index].driver}, start that executable instead; "
                f"{driver} in operator.devices: {mine or 'none'}"
            )
        return devices[index], f"operator.devices.{index}"
    if len(mine) > 1:
        raise TaskError(
            f"device: missing, operator.devices has several with driver: {driver}: {mine}; "
            f"example: device:={mine[0]}"
        )
    if mine:
        return devices[mine[0]], f"operator.devices.{mine[0]}"
    if driver == "leader":
        raise TaskError(
            "operator.devices: no driver: leader in the task file; "
            "example: {driver: leader, leader: {pose_topic: leader/pose}}"
        )
    return DeviceSpec(driver=driver), f"{driver} (not in the task file)"
