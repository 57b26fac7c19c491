# SPDX-License-Identifier: Apache-2.0
"""What tests of whole graphs share: a short version of the story, and how to start it."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

# Everything of the real story, less of it: the classifier is not good yet, the policy learns little.
SHORT = (
    "reward.positive_labels=40",
    "reward.negative_labels=120",
    "reward.minimum_accuracy=0.6",
    "learner.demonstration_count=2",
    "learner.training_starts=20",
    "learner.publish_every=20",
    "learner.checkpoint_every=50",
    "episode.max_steps=40",
    "training.max_steps=120",
    "evaluation.episodes=2",
)


def bringup(program, *arguments, cwd, timeout=600, environment=None):
    """Runs an executable of hilserl_bringup and returns the finished process with its output."""
    env = {key: value for key, value in os.environ.items() if key != "ROS_DOMAIN_ID"}
    env["HILSERL_CONFIG"] = str(REPOSITORY / "config")
    command = [sys.executable, "-m", f"hilserl_bringup.{program}", *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        env=env | (environment or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def set_options(overrides):
    """`--set a=b` for each override."""
    return [word for override in overrides for word in ("--set", override)]
