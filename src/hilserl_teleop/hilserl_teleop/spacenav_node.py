# SPDX-License-Identifier: Apache-2.0
"""A SpaceMouse through spacenavd.

ros2 run hilserl_teleop spacenav
"""

from __future__ import annotations

import numpy as np

from hilserl_ros.node import run
from hilserl_task.device_spec import DeviceSpec
from hilserl_task.frames import Array
from hilserl_teleop.device_node import DeviceNode
from hilserl_teleop.driver import DeviceGone, Driver
from hilserl_teleop.spnav import Motion, NoDaemon, Press, Spnav, Unplugged

# A full push of most models (original: raw / 350). The stock driver divides by 512.
FULL_SCALE = 350.0
STUCK_S = 0.15  # and a look later: neutral within 0.2 s


class SpacenavDriver(Driver):
    """All SpaceMice of one spacenavd, which mixes them.

    spacenavd passes what the kernel passes. Of wired models every report (125 a second) arrives; of newer
    ones only what changes. A hand jitters, so silence while deflected means trouble there too; where it does
    not (a puck held against its stop), set `repeat-interval = 50` in /etc/spnavrc or a longer stuck_s.
    """

    stuck_s = STUCK_S

    def __init__(self, spec: DeviceSpec) -> None:
        super().__init__()
        self._path, self._full_scale = spec.path, spec.full_scale or FULL_SCALE
        self._spnav: Spnav | None = None
        self.title = "spacenavd"

    def open(self) -> None:
        """Connects to spacenavd."""
        super().open()
        try:
            self._spnav = Spnav(self._path)
        except NoDaemon as error:
            raise DeviceGone(f"{error}; start it with `sudo systemctl start spacenavd`") from error
        if not self._spnav.has_device():
            raise DeviceGone("spacenavd runs, but no SpaceMouse is plugged in")
        self.title = self._spnav.device_name() or "spacenavd"

    def poll(self, now_s: float) -> bool:
        """Takes in all events."""
        self.tapped = frozenset()
        if self._spnav is None:
            raise DeviceGone("spacenavd: not connected")
        try:
            events = self._spnav.events()
        except NoDaemon as error:
            raise DeviceGone(f"{error}; start it with `sudo systemctl start spacenavd`") from error
        for event in events:
            if isinstance(event, Unplugged):
                raise DeviceGone("the SpaceMouse is unplugged")
            self._take(event)
        return bool(events)

    def _take(self, event: Motion | Press) -> None:
        if isinstance(event, Motion):
            self.axes = stock_axes(event.counts) / self._full_scale
        elif event.down:
            self._press(self.pressed | {str(event.number)})
        else:
            self._press(self.pressed - {str(event.number)})

    def close(self) -> None:
        """Ends the connection."""
        if self._spnav is not None:
            self._spnav.close()
            self._spnav = None


def stock_axes(counts: tuple[int, ...]) -> Array:
    """(6,) x forward, y left, z up of spnav's x right, y up, z forward, as the stock driver maps them."""
    x, y, z, rx, ry, rz = counts
    return np.array([z, -x, y, rz, -rx, ry], float)


class SpacenavNode(DeviceNode):
    """SpaceMouse through spacenavd."""

    def __init__(self) -> None:
        super().__init__("spacenav")

    def make_driver(self, spec: DeviceSpec) -> Driver:
        """Through libspnav."""
        return SpacenavDriver(spec)


def main() -> None:
    """Entry point of the executable `spacenav`."""
    run(SpacenavNode)


if __name__ == "__main__":
    main()
