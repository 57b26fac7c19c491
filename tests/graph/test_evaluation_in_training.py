# SPDX-License-Identifier: Apache-2.0
"""An evaluation in the middle of training, and a pause, in the whole lockstep graph."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# In a process of its own: the graph has another ROS domain than the tests.
CALL = """
import sys, rclpy
from hilserl_msgs.srv import Evaluate
from std_srvs.srv import SetBool
kind, name, request = {
    "evaluate": (Evaluate, "actor/evaluate", Evaluate.Request(episodes=2, deterministic=True)),
    "pause": (SetBool, "actor/pause", SetBool.Request(data=True)),
    "go_on": (SetBool, "actor/pause", SetBool.Request(data=False)),
}[sys.argv[1]]
rclpy.init()
node = rclpy.create_node("desk")
client = node.create_client(kind, name)
assert client.wait_for_service(60), name
future = client.call_async(request)
rclpy.spin_until_future_complete(node, future, timeout_sec=60)
print(future.result().message)
"""


def call(training, what):
    """Calls a service of the running actor; returns the message of its answer."""
    environment = Path(f"/proc/{training.nodes('actor')[0]}/environ").read_bytes().split(b"\0")
    domain = next(entry.decode() for entry in environment if entry.startswith(b"ROS_DOMAIN_ID="))
    env = dict(os.environ) | {"ROS_DOMAIN_ID": domain.partition("=")[2]}
    result = subprocess.run(
        [sys.executable, "-c", CALL, what], env=env, capture_output=True, text=True, timeout=180, check=True
    )
    return result.stdout.strip()


def rows(training, name):
    path = training.folder / "metrics" / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_training_can_be_evaluated_and_paused(training):
    assert call(training, "evaluate") == "begins after this episode"
    training.wait_for(lambda: len(rows(training, "evaluations_in_training.jsonl")) == 2)
    trials = rows(training, "evaluations_in_training.jsonl")
    assert [row["intervention_steps"] for row in trials] == [0, 0]
    assert len({row["policy_version"] for row in trials}) == 1
    before = training.episodes()
    training.wait_for(lambda: training.episodes() > before + 1)
    train = [row for row in rows(training, "episodes.jsonl") if row["phase"] == "train"]
    assert not {row["episode"] for row in trials} & {row["episode"] for row in train}
    later = [row["intervention_steps"] for row in train if row["episode"] > trials[-1]["episode"]]
    assert sum(later) > 0, "people may take over again"
    assert call(training, "pause").startswith("pause")
    training.wait_for(lambda: call(training, "pause") == "paused")
    before = training.episodes()
    time.sleep(3.0)
    assert training.episodes() <= before + 1  # the monitor may lag behind by one
    assert call(training, "go_on") == "goes on"
    before = training.episodes()
    training.wait_for(lambda: training.episodes() > before + 1)
