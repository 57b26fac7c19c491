# SPDX-License-Identifier: Apache-2.0
"""Pauses and resumes a recorder from another terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool

from hilserl_ros import topics
from hilserl_ros.bags import BagError

GRAPH_FILE = "graph.json"  # hilserl_bringup says in it in which ROS domain the run's graph lives
RECORDER = "recorder"
ANSWER_S = 5.0


def set_paused(run_dir: Path | None, paused: bool) -> str:
    """Asks the recorder; returns its answer.

    Args:
        run_dir: of the run whose recorder it is; None: of this shell's ROS_DOMAIN_ID.

    Raises:
        BagError: no recorder there.
    """
    if run_dir is not None:
        os.environ["ROS_DOMAIN_ID"] = str(_domain(run_dir))
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # Ctrl-C is Python's own
    executor = SingleThreadedExecutor()
    node = rclpy.create_node("demos_control")
    executor.add_node(node)
    try:
        client = node.create_client(SetBool, topics.PAUSE.replace("~", RECORDER))
        if not client.wait_for_service(ANSWER_S):
            raise BagError(
                f"recorder: no service {client.srv_name} within {ANSWER_S:g} s; is it recording in this "
                "ROS_DOMAIN_ID? Name its run folder: demos pause runs/latest"
            )
        future = client.call_async(SetBool.Request(data=paused))
        executor.spin_until_future_complete(future, ANSWER_S)
        if not future.done():
            raise BagError(f"recorder: no answer within {ANSWER_S:g} s; is it busy or hanging?")
        return str(future.result().message)
    finally:
        node.destroy_node()
        executor.shutdown()
        rclpy.try_shutdown()


def _domain(run_dir: Path) -> int:
    try:
        return int(json.loads((run_dir / GRAPH_FILE).read_text(encoding="utf-8"))["ros_domain_id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BagError(
            f"run folder {run_dir}: no graph is running there ({GRAPH_FILE}: {error}); example: demos pause "
            "runs/latest while record_demos is running"
        ) from error
