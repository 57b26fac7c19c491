# SPDX-License-Identifier: Apache-2.0
"""The dashboard's way into ROS: a context, a node and a thread of its own, in any ROS domain."""

from __future__ import annotations

import threading
import traceback

from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from hilserl_rqt.listener import Listener


class Link:
    """Listens until closed. Neither rqt's node nor the window's thread ever runs its callbacks.

    Args:
        domain: ROS domain; the one of the environment if None.

    Attributes:
        listener: the node.
        domain: the number in use.
        failure: why the thread has ended by itself; empty while it runs.
    """

    def __init__(self, domain: int | None = None) -> None:
        self._context = Context()
        self._context.init(args=[], domain_id=domain)
        self.domain = self._context.get_domain_id()
        self.listener = Listener(self._context)
        self.failure = ""
        self._closing = False
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.listener)
        self._thread = threading.Thread(target=self._spin, name="dashboard_ros", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends thread, node and context."""
        self._closing = True
        self._context.try_shutdown()
        self._thread.join(timeout=5.0)
        self.listener.destroy_node()
        self._executor.shutdown(timeout_sec=0)

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        except Exception:
            if self._closing:
                return  # a callback under way found its context gone
            self.failure = traceback.format_exc()
            print(self.failure, flush=True)
