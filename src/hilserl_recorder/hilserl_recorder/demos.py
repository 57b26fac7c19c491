# SPDX-License-Identifier: Apache-2.0
"""Command line: what is in a folder of recorded episodes.

demos list runs/ram_insertion-.../demos
demos show runs/ram_insertion-.../demos --out strip.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from hilserl_recorder.contact_sheet import HUMAN, contact_sheet
from hilserl_ros.bags import BagError, EpisodeData, episode_paths, read_episode


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the executable `demos`. Exit code 1 when a bag is unreadable."""
    options = _parser().parse_args(arguments)
    try:
        code = options.run(options)
    except BagError as error:
        print(f"demos: {error}", file=sys.stderr)
        code = 1
    raise SystemExit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demos", description="Lists and shows recorded episodes.")
    commands = parser.add_subparsers(required=True, metavar="list|show")
    listing = commands.add_parser("list", help="one line an episode")
    listing.set_defaults(run=_list)
    show = commands.add_parser("show", help="pictures of all episodes on one sheet")
    show.set_defaults(run=_show)
    show.add_argument("--out", type=Path, default=Path("strip.png"), help="picture to write (%(default)s)")
    show.add_argument("--frames", type=_count, default=8, help="pictures an episode (%(default)s)")
    show.add_argument("--episodes", type=_count, default=10, help="at most so many episodes (%(default)s)")
    for command in (listing, show):
        command.add_argument("folder", type=Path, metavar="DIR", help="folder of bags, or one bag")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"'{text}' must be a whole number of 2 or more; example: 8")
    return int(text)


def _paths(folder: Path) -> list[Path]:
    return [folder] if (folder / "metadata.yaml").is_file() else episode_paths(folder)


def _list(options: argparse.Namespace) -> int:
    """Prints all readable episodes; unreadable ones are named and counted."""
    print(
        f"{'bag':<16}{'steps':>6}  {'outcome':<11}{'ended by':<12}{'by person':>9}  {'seconds':>7}  {'MB':>6}"
    )
    steps, broken = [], 0
    for path in _paths(options.folder):
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
    return 1 if broken else 0


def _line(path: Path, episode: EpisodeData) -> str:
    summary = episode.metadata["summary"]
    outcome = "discarded" if episode.discarded else episode.outcome
    by_person = float(np.mean(episode.sources == HUMAN)) if episode.steps else 0.0
    megabytes = sum(file.stat().st_size for file in path.iterdir()) / 1e6
    return (
        f"{path.name:<16}{episode.steps:>6}  {outcome:<11}{summary['termination_reason']:<12}"
        f"{by_person:>8.0%}  {summary['duration_s']:>8.1f}  {megabytes:>6.2f}"
    )


def _show(options: argparse.Namespace) -> int:
    paths = _paths(options.folder)[: options.episodes]
    if not paths:
        raise BagError(f"bags: folder {options.folder} holds no episodes")
    sheet = contact_sheet([read_episode(path) for path in paths], options.frames)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(options.out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise BagError(f"picture {options.out}: not writable")
    print(f"{options.out}: {len(paths)} episodes, {sheet.shape[1]} x {sheet.shape[0]} pixels")
    return 0


if __name__ == "__main__":
    main()
