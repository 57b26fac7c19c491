# SPDX-License-Identifier: Apache-2.0
"""Transport between two processes: transitions by the insert service, policies by the latched topic.

The child process is the learner's side (real service, real replay buffer, real policy encoding); this one
is the actor's side (real uploader, real assembler).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from hilserl_agent.outbox import Outbox
from hilserl_agent.policy_codec import PolicyAssembler, encode_policy
from hilserl_agent.transport import Identity, TransitionUploader
from hilserl_learning.replay import ReplayBuffer
from hilserl_msgs.msg import PolicyWeights, Transition
from hilserl_msgs.srv import InsertTransitions
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import own_domain

TRANSITIONS = 2000
POLICIES = 200
POLICY_BYTES = 450_000  # the fast profile's policy
POLICY_PERIOD_S = 0.05
FEATURES, STATE, ACTION = 60, 18, 6


def serve() -> None:
    """The learner's side."""
    rclpy.init()
    node = Node("bench_learner")
    buffer = ReplayBuffer(TRANSITIONS + 10, STATE, FEATURES, ACTION)
    last = 0

    def insert(
        request: InsertTransitions.Request, response: InsertTransitions.Response
    ) -> InsertTransitions.Response:
        nonlocal last
        for t in request.transitions:
            buffer.add_step(
                request.actor_id,
                t.sequence,
                t.episode,
                t.step,
                t.state,
                t.features,
                t.action,
                t.reward,
                False,
                False,
            )
            last = t.sequence
        response.accepted, response.last_sequence = True, last
        return response

    node.create_service(InsertTransitions, topics.INSERT_TRANSITIONS, insert)
    publisher = node.create_publisher(PolicyWeights, topics.POLICY, qos.POLICY)
    version = 0

    def publish() -> None:
        nonlocal version
        if last < TRANSITIONS or version >= POLICIES:
            return
        version += 1
        blob = os.urandom(POLICY_BYTES)
        stamp = codec.header(time.monotonic_ns())  # both processes share the machine's monotonic clock
        for message in encode_policy(blob, version, version, "bench"):
            message.header = stamp
            publisher.publish(message)

    node.create_timer(POLICY_PERIOD_S, publish)
    rclpy.spin(node)


class Silent:
    """Nobody is told how the upload goes; without an end of it the measurement ends by time-out."""

    def on_connected(self, newest_episode: int) -> None:
        """Nothing."""

    def on_acknowledged(self, policy_version: int, learner_session: str) -> None:
        """Nothing."""

    def on_refused(self, reason: str) -> None:
        """Nothing."""

    def on_warning(self, text: str) -> None:
        """Nothing."""


def measure(work: Path) -> dict[str, dict[str, object]]:
    """The actor's side; returns the results."""
    node = Node("bench_actor")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    outbox = Outbox(work / "outbox")
    identity = Identity("", "", {})
    uploader = TransitionUploader(node, topics.INSERT_TRANSITIONS, "bench", identity, outbox, Silent())
    assembler, delays = PolicyAssembler("bench"), []

    def policy_came(message: PolicyWeights) -> None:
        if assembler.add(message) is not None:
            delays.append((time.monotonic_ns() - codec.ns_from_stamp(message.header.stamp)) * 1e-6)

    node.create_subscription(PolicyWeights, topics.POLICY, policy_came, qos.POLICY)
    spin_until(executor, lambda: uploader.connected)
    rng = np.random.default_rng(0)
    messages = [
        Transition(
            episode=1,
            step=step,
            state=codec.floats32(rng.normal(size=STATE)),
            features=codec.floats32(rng.normal(size=FEATURES)),
            action=codec.floats32(rng.uniform(-1, 1, ACTION)),
        )
        for step in range(TRANSITIONS)
    ]
    begun = time.monotonic()
    for message in messages:
        outbox.put(message)
    outbox.release()
    uploader.send()
    spin_until(executor, lambda: uploader.idle)
    rate = TRANSITIONS / (time.monotonic() - begun)
    spin_until(executor, lambda: len(delays) >= POLICIES - 1)
    uploader.close()
    how = f"{TRANSITIONS} transitions with {FEATURES} features each, acknowledged, two processes"
    latency = f"{len(delays)} policies of {POLICY_BYTES // 1000} kB, published to checked, two processes"
    return {
        "transport.transitions_per_s": {"value": rate, "unit": "1/s", "how": how},
        "transport.policy_latency_ms.p99": {
            "value": float(np.percentile(delays, 99)),
            "unit": "ms",
            "how": latency,
        },
    }


def spin_until(executor: SingleThreadedExecutor, condition, seconds: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    """Runs callbacks until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("transport bench: no progress; is the other process alive?")
        executor.spin_once(timeout_sec=0.1)


def main() -> None:
    """Starts the other side, measures, writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--serve", action="store_true", help="be the learner's side")
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    own_domain()
    rclpy.init()
    child = subprocess.Popen([sys.executable, __file__, "--serve"])
    try:
        results = measure(options.out.parent)
    finally:
        child.kill()
        child.wait()
    options.out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
