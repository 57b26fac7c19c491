# SPDX-License-Identifier: Apache-2.0
"""What tests of whole graphs share: a short version of the story, and how to start it."""

import os
import shutil
import signal
import subprocess
import sys
import time
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


class RunningTraining:
    """A training in its own process group, that a test disturbs."""

    def __init__(self, short_run, folder):
        folder.mkdir()
        for name in ("classifier", "perception", "demos"):
            shutil.copytree(short_run.folder / name, folder / name)
        env = {key: value for key, value in os.environ.items() if key != "ROS_DOMAIN_ID"}
        env["HILSERL_CONFIG"] = str(REPOSITORY / "config")
        overrides = set_options((*SHORT, "training.max_steps=100000"))
        options = ["--task", "ram_insertion", "--run-dir", str(folder), *overrides]
        command = [sys.executable, "-m", "hilserl_bringup.run", "train", *options]
        self.folder, self._log = folder, open(folder / "output.txt", "w+")  # noqa: SIM115  closed in stop()
        self.process = subprocess.Popen(
            command, stdout=self._log, stderr=subprocess.STDOUT, env=env, start_new_session=True
        )

    def wait_for(self, condition, seconds=120):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.2)

    def nodes(self, name=""):
        """Process ids of this run's nodes."""
        found = []
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if f"{self.folder}" in command and f"__node:={name}" in command:
                found.append(int(process.parent.name))
        return found

    def output(self):
        return (self.folder / "output.txt").read_text()

    def episodes(self):
        log = self.folder / "metrics" / "episodes.jsonl"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self._log.close()
