# SPDX-License-Identifier: Apache-2.0
"""Base of every node: task, run folder, seed, diagnostics, and an end that peers and launchers can rely on.

Exit codes: 0 asked to end (SIGINT, SIGTERM, finish()), 1 fault, 2 unusable task or parameter.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from hilserl_ros import qos, topics
from hilserl_task import TaskError, load_task

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)
EXIT_FAULT, EXIT_UNUSABLE = 1, 2
# The same diagnostic again within this time is not published: 10 Hz faults would flood a console.
REPEAT_S = 1.0
IMPATIENT_S = 2.0


class HilserlNode(Node):
    """A node of the graph. Parameters: task (name or path), overrides (`a.b=c` strings), run_dir, seed.

    Attributes:
        task: the checked task.
        run_dir: folder of this run; not made here.
        seed: of everything random in this node.

    Args:
        name: node name.

    Raises:
        TaskError: the task or a parameter is unusable.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        reference = self.declare_parameter("task", "ram_insertion").value
        overrides = self.declare_parameter("overrides", [""]).value
        self.task = load_task(reference, overrides)
        self.run_dir = Path(self.declare_parameter("run_dir", "").value or f"runs/{self.task.name}")
        self.seed: int = self.declare_parameter("seed", 0).value
        if self.seed < 0:
            raise TaskError(f"seed: {self.seed} must not be negative; example: seed:=1")
        self.ended = Future()
        self._said: dict[str, float] = {}
        self._diagnostics = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, qos.DIAGNOSTICS)

    def diagnose(self, level: bytes, message: str, **values: Any) -> None:
        """Logs a diagnostic and publishes it on /diagnostics; the same message at most once a second.

        Args:
            level: OK, WARN, ERROR or STALE of this module.
            message: what is wrong, by the name of the thing; what changes each time belongs into values.
            values: further facts.
        """
        now = time.monotonic()
        if now - self._said.get(message, -REPEAT_S) < REPEAT_S:
            return
        self._said = {text: at for text, at in self._said.items() if now - at < REPEAT_S}
        self._said[message] = now
        self._publish_status("", level, message, values)
        text = ", ".join(f"{key} {value}" for key, value in values.items())
        self._log(level, f"{message} ({text})" if text else message)

    def report(self, part: str, level: bytes, message: str, **values: Any) -> None:
        """Publishes how a part of the node is, without a log line: for what is said again every second.

        Args:
            part: what it is about, e.g. `camera wrist_1`; the status is named `<node>: <part>`.
            level, message, values: as of `diagnose`.
        """
        self._publish_status(f": {part}", level, message, values)

    def _publish_status(self, part: str, level: bytes, message: str, values: dict[str, Any]) -> None:
        facts = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        name = self.get_fully_qualified_name().lstrip("/") + part
        array = DiagnosticArray(
            status=[DiagnosticStatus(level=level, name=name, message=message, values=facts)]
        )
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def _log(self, level: bytes, line: str) -> None:
        """One call a level: rclpy ties the severity to the calling line and refuses another one there."""
        if level == OK:
            self.get_logger().info(line)
        elif level == ERROR:
            self.get_logger().error(line)
        else:
            self.get_logger().warning(line)

    def finish(self, code: int = 0) -> None:
        """Ends the process with an exit code once the running callback has returned. Thread-safe."""
        if not self.ended.done():
            self.ended.set_result(code)

    def close(self) -> None:
        """Called once before the node goes away; nodes that hold files or threads override it."""


def run(node_class: Callable[[], HilserlNode], args: list[str] | None = None) -> None:
    """Main function of a node: builds it, spins it, closes it, and raises SystemExit with its exit code.

    Callbacks run one at a time. Measured with two processes and 98 kB observations on a shared two-core
    machine: 0.85 ms for an observation and its answer with rclpy's SingleThreadedExecutor. The experimental
    EventsExecutor of rclpy 7.1.6 came to a standstill at full CPU load in the same measurement.

    Args:
        node_class: called without arguments once ROS is up.
        args: command line; sys.argv if None.
    """
    # Blocked here, so blocked in every thread that ROS starts: only the waiting thread gets them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _END_SIGNALS)
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    ends = _EndSignals()
    code = EXIT_FAULT
    try:
        code = _run(node_class, ends)
    finally:
        ends.closing = True
        sys.stdout.flush()
        rclpy.try_shutdown()
    raise SystemExit(code)


_END_SIGNALS = {signal.SIGINT, signal.SIGTERM}


class _EndSignals:
    """Waits for SIGINT and SIGTERM in a thread, so that they work whatever the main thread is blocked in.

    The first asks the node to finish; Ctrl-C often comes twice, from the terminal and from a launcher. One
    that comes IMPATIENT_S later, to a node still busy in a callback, ends the process at once.
    """

    def __init__(self) -> None:
        self.node: HilserlNode | None = None
        self.closing = False
        self._first_at: float | None = None
        threading.Thread(target=self._wait, daemon=True, name="end_signals").start()

    def _wait(self) -> None:
        while True:
            number = signal.sigwait(_END_SIGNALS)
            now = time.monotonic()
            if self.node is None:
                os._exit(0)  # nothing is up yet
            if self.closing:
                continue  # files are being written; SIGKILL is for an end that hangs
            if self._first_at is not None and now - self._first_at > IMPATIENT_S:
                print(f"{self.node.get_name()}: does not end; killed", file=sys.stderr, flush=True)
                os._exit(128 + number)
            self._first_at = self._first_at or now
            self.node.finish(0)


def _run(node_class: Callable[[], HilserlNode], ends: _EndSignals) -> int:
    """Builds, spins and closes a node. Returns the exit code."""
    try:
        node = node_class()
    except (TaskError, InvalidParameterTypeException, InvalidParameterValueException) as error:
        print(f"{getattr(node_class, '__name__', 'node').lower()}: {error}", file=sys.stderr, flush=True)
        return EXIT_UNUSABLE
    ends.node = node
    code = _spin(node)
    ends.closing = True
    try:
        node.close()
    except Exception:
        node.get_logger().error(f"closing failed: {traceback.format_exc()}")
        code = code or EXIT_FAULT
    node.destroy_node()
    return code


def _spin(node: HilserlNode) -> int:
    """Runs callbacks until the node finishes or one of them fails. Returns the exit code."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        executor.spin_until_future_complete(node.ended)
        return int(node.ended.result() or 0)
    except ExternalShutdownException:
        return 0
    except TaskError as error:
        print(f"{node.get_name()}: {error}", file=sys.stderr, flush=True)
        return EXIT_UNUSABLE
    except Exception:
        node.get_logger().fatal(f"a callback failed: {traceback.format_exc()}")
        return EXIT_FAULT
    finally:
        executor.remove_node(node)
