# SPDX-License-Identifier: Apache-2.0
"""The dashboard as a plugin of rqt: Plugins > Robot Tools > HIL-SERL dashboard."""

from __future__ import annotations

from typing import Any

from rqt_gui_py.plugin import Plugin

from hilserl_rqt.dashboard import Dashboard
from hilserl_rqt.link import Link


class DashboardPlugin(Plugin):
    """Hosts the widget. It listens through a node of its own, in the domain that rqt runs in."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.setObjectName("HilserlDashboard")
        self._widget = Dashboard(Link())
        if context.serial_number() > 1:
            self._widget.setWindowTitle(f"{self._widget.windowTitle()} {context.serial_number()}")
        context.add_widget(self._widget)

    def shutdown_plugin(self) -> None:
        """Called by rqt when the dock is closed."""
        self._widget.shut_down()

    def save_settings(self, plugin_settings: Any, instance_settings: Any) -> None:
        """Keeps which robot is shown."""
        instance_settings.set_value("namespace", self._widget.chosen())

    def restore_settings(self, plugin_settings: Any, instance_settings: Any) -> None:
        """Chooses the robot of the last session; it is shown as soon as it is found."""
        namespace = instance_settings.value("namespace")
        if namespace:
            self._widget.link.listener.choose(namespace)
