# SPDX-License-Identifier: Apache-2.0
"""Fits the read-out of the frozen perception on poses that the robot labelled itself, and saves it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hilserl_agent.config import PERCEPTION_FILE, learner_config
from hilserl_agent.heads import heads_of
from hilserl_agent.hindsight import label_frames
from hilserl_agent.marked_episodes import marked_episodes
from hilserl_learning.errors import LearningError
from hilserl_learning.perception import ONE_HEAD, Perception
from hilserl_learning.profiles import LearnerConfig
from hilserl_ros.bags import BagError
from hilserl_task import Task, TaskError, load_task


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the executable `fit_perception`; exit code 2 with one line on bad input."""
    options = _parse(arguments)
    torch.set_num_threads(1)
    try:
        fit_perception(load_task(options.task, options.set), options.run_dir)
    except (TaskError, LearningError, BagError, ValueError) as error:
        print(f"fit_perception: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"fit_perception: cannot write: {error}", file=sys.stderr)
        return 1
    return 0


def fit_perception(task: Task, run_dir: Path) -> Perception | None:
    """Makes `run_dir/perception` and prints what it is worth; None when the policy sees no pictures.

    Raises:
        ValueError: (also TaskError, LearningError, BagError) nothing to fit on, or unreadable data.
    """
    if not task.learner.policy_images:
        print("fit_perception: learner.policy_images is false, nothing to do")
        return None
    config = learner_config(task, None)
    perception = _readout(task, config, run_dir) if config.encoder == "readout" else _untrained(task, config)
    path = run_dir / PERCEPTION_FILE
    perception.save(path)
    trunk = task.trunk_file or f"random weights of seed {config.trunk_seed}"
    report = _report(perception) | {"trunk": trunk}
    path.with_name("report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    _print_table(perception)
    return perception


def _readout(task: Task, config: LearnerConfig, run_dir: Path) -> Perception:
    """The trunk with a read-out for every head of the task, fitted on the run's own episodes."""
    frames = label_frames(marked_episodes(task, run_dir), heads_of(task), task.period_s)
    print(
        f"fit_perception: {len(frames.images)} frames of {len(np.unique(frames.groups))} episodes",
        flush=True,
    )
    perception = _untrained(task, config, tuple(head.name for head in frames.heads))
    regions = [head.region for head in frames.heads]
    perception.fit_readout(frames.images, frames.targets, frames.groups, regions)
    return perception


def _untrained(task: Task, config: LearnerConfig, heads: tuple[str, ...] = ONE_HEAD) -> Perception:
    """The frozen trunk of a profile, before any read-out."""
    size = task.observation.image_size
    finest = -(-size // 2 ** (config.trunk_stages + 1))  # pixels a side that the trunk gives
    return Perception(
        n_cameras=len(task.cameras),
        kind="readout" if config.encoder == "readout" else "maps",
        width=config.trunk_width,
        seed=config.trunk_seed,
        weights=task.trunk_file,
        stages=config.trunk_stages,
        map_size=min(config.map_size, finest),
        components=config.readout_components,
        image_size=size,
        heads=heads,
    )


def _report(perception: Perception) -> dict[str, Any]:
    return {
        "perception_id": perception.perception_id,
        "kind": perception.kind,
        "feature_dim": perception.feature_dim,
        **perception.report,
    }


def _print_table(perception: Perception) -> None:
    print(
        f"fit_perception: {perception.kind}, {perception.feature_dim} features, id {perception.perception_id}"
    )
    heads = perception.report.get("heads", {})
    if heads:
        print("  mean absolute error, cross-validated over episodes; close: within 2 cm of the goal")
    for name, head in heads.items():
        print(f"  {name}: {head['samples']} frames of {head['groups']} episodes")
        print(f"    {'axis':8} {'error':>8} {'close':>8} {'mean only':>10}")
        for axis, error in head["mae"].items():
            close = f"{head['mae_close'][axis]:8.2f}" if head["mae_close"] else f"{'-':>8}"
            print(f"    {axis:8} {error:8.2f} {close} {head['mae_mean'][axis]:10.2f}")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fit_perception", description=__doc__)
    parser.add_argument("--task", required=True, help="name or path of the task file")
    parser.add_argument("--run-dir", required=True, type=Path, help="run folder with labels/ and demos/")
    parser.add_argument(
        "--seed", type=int, default=0, help="unused: the fit is exact; taken by every executable"
    )
    parser.add_argument("--set", action="append", default=[], metavar="a.b=c", help="override a task value")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
