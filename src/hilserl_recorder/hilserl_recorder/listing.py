# SPDX-License-Identifier: Apache-2.0
"""The table of `demos list`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from hilserl_recorder.folders import bags_of
from hilserl_ros.bags import BagError, EpisodeData, read_episode
from hilserl_ros.names import SOURCES

_HEAD = (
    f"{'bag':<16}{'steps':>6}{'seconds':>9}  {'outcome':<11}{'ended by':<12}"
    + "".join(f"{source:>8}" for source in SOURCES)
    + f"{'MB':>7}  origin"
)


def print_list(folder: Path) -> bool:
    """Prints a line for each bag, unreadable ones with the reason. Returns whether all are readable."""
    print(_HEAD)
    steps, broken = [], 0
    for path in bags_of(folder):
        try:
            episode = read_episode(path)
        except BagError as error:
            print(f"{path.name:<16} {error}", file=sys.stderr)
            broken += 1
            continue
        print(_line(path, episode))
        steps.append(episode.steps)
    median = f", {np.median(steps):g} steps in the median" if steps else ""
    print(f"{len(steps)} episodes{median}{f', {broken} unreadable' if broken else ''}")
    return not broken


def _line(path: Path, episode: EpisodeData) -> str:
    summary = episode.metadata["summary"]
    outcome = "discarded" if episode.discarded else episode.outcome
    shares = [float(np.mean(episode.sources == k)) if episode.steps else 0.0 for k in range(len(SOURCES))]
    megabytes = sum(file.stat().st_size for file in path.iterdir()) / 1e6
    return (
        f"{path.name:<16}{episode.steps:>6}{summary['duration_s']:>9.1f}  {outcome:<11}"
        f"{summary['termination_reason']:<12}"
        + "".join(f"{share:>8.0%}" for share in shares)
        + f"{megabytes:>7.2f}  {_origin(episode.metadata)}"
    )


def _origin(metadata: dict[str, str]) -> str:
    """Where the data came from: recorded here, or imported; and whether it was trimmed."""
    origin = metadata.get("imported_from", "recorded")
    return f"{origin}, trimmed" if "trimmed" in metadata else origin
