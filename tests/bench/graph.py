# SPDX-License-Identifier: Apache-2.0
"""Speed of the lockstep graph: all nodes as processes, learner at work, no report and no recording.

Prepares a small run (few labels and demonstrations), then trains and counts environment steps by the clock.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

STEPS = 1000
WARM_UP_STEPS = 300  # the learner starts after 100 transitions
PREPARE = (
    "reward.positive_labels=40",
    "reward.negative_labels=160",
    "reward.minimum_accuracy=0.5",
    "learner.demonstration_count=3",
)


def bringup(arguments: list[str]) -> None:
    """Runs an executable of hilserl_bringup; raises with its output when it fails."""
    command = [sys.executable, "-m", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")


def main() -> None:
    """Measures and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for the run")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    run_dir = options.work / "run"
    changes = [word for change in (*PREPARE, f"training.max_steps={STEPS}") for word in ("--set", change)]
    for phase in ("labels", "classifier", "demos", "perception", "train"):
        command = ["hilserl_bringup.run", phase, "--task", "ram_insertion", "--run-dir", str(run_dir)]
        bringup([*command, *changes])
    options.out.write_text(json.dumps(measured(run_dir)))


def measured(run_dir: Path) -> dict[str, dict[str, object]]:
    """Rate over the training episodes after the warm-up, resets included."""
    rows = [json.loads(line) for line in (run_dir / "metrics" / "episodes.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["phase"] == "train"]
    first = next(row for row in rows if row["total_steps"] >= WARM_UP_STEPS)
    steps = rows[-1]["total_steps"] - first["total_steps"]
    seconds = rows[-1]["wall_s"] - first["wall_s"]
    rate = steps / seconds
    how = f"{steps} steps of training, every node a process, learner running, resets included"
    return {
        "graph.lockstep_steps_per_s": {"value": rate, "unit": "1/s", "how": how},
        "graph.real_time_factor": {"value": rate * 0.1, "unit": "1", "how": "of the 10 Hz task; " + how},
    }


if __name__ == "__main__":
    main()
