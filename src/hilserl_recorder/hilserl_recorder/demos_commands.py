# SPDX-License-Identifier: Apache-2.0
"""The commands of `demos`: their options, and what each calls."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from hilserl_recorder import control, listing, merge, replay, trash, trim
from hilserl_recorder.contact_sheet import contact_sheet
from hilserl_recorder.folders import bags_of
from hilserl_ros.bags import BagError, read_episode
from hilserl_ros.names import OUTCOMES
from hilserl_task import load_task

FASTEST = 10.0  # replay: listeners must keep up with 10 Hz pictures
Commands = Any  # argparse has no public name for it
Run = Callable[[argparse.Namespace], int]


def _command(commands: Commands, name: str, text: str, run: Run) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text}.")
    parser.set_defaults(run=run)
    return parser


def _add_list(commands: Commands) -> None:
    parser = _command(commands, "list", "one line an episode: length, outcome, who acted, origin", _list)
    _add_folder(parser)


def _add_show(commands: Commands) -> None:
    parser = _command(commands, "show", "pictures of episodes on one sheet", _show)
    _add_folder(parser)
    parser.add_argument("--out", type=Path, default=Path("strip.png"), help="picture to write (%(default)s)")
    parser.add_argument("--frames", type=_two_or_more, default=8, help="pictures an episode (%(default)s)")
    parser.add_argument(
        "--episodes", type=_two_or_more, default=10, help="at most so many episodes (%(default)s)"
    )


def _add_trim(commands: Commands) -> None:
    parser = _command(commands, "trim", "cut steps off either end; frame numbers as `show` has them", _trim)
    parser.add_argument("bag", type=Path, metavar="BAG")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="K", help="first frame to keep")
    parser.add_argument(
        "--to", dest="last", type=int, metavar="K", help="last frame to keep (default: the last)"
    )
    parser.add_argument(
        "--outcome", choices=OUTCOMES, help="verdict on what is left, where the end is cut off"
    )
    parser.add_argument(
        "--out", type=Path, metavar="BAG", help="new bag (default: in place; undo brings it back)"
    )


def _add_delete(commands: Commands) -> None:
    parser = _command(commands, "delete", "move bags into the trash beside them", _delete)
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG")


def _add_undo(commands: Commands) -> None:
    parser = _command(commands, "undo", "bring back what delete or trim took last", _undo)
    _add_folder(parser)


def _add_merge(commands: Commands) -> None:
    parser = _command(commands, "merge", "copy several folders into one, if they are of one task", _merge)
    parser.add_argument("sources", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new or existing folder")


def _add_replay(commands: Commands) -> None:
    parser = _command(
        commands, "replay", "publish episodes again, to a recorder or any other listener", _replay
    )
    _add_folder(parser)
    parser.add_argument("--rate", type=_rate, default=1.0, help="1: as recorded, 2: twice as fast (up to 10)")
    parser.add_argument(
        "--wait", type=float, default=10.0, metavar="S", help="for a listener (%(default)s s)"
    )


def _add_pause(commands: Commands) -> None:
    for name, paused in (("pause", True), ("resume", False)):
        parser = _command(commands, name, f"{name} a running recorder", _set_paused)
        parser.set_defaults(paused=paused)
        parser.add_argument(
            "run_dir",
            type=Path,
            nargs="?",
            metavar="RUN_DIR",
            help="its run folder (default: this ROS domain)",
        )


def _add_export(commands: Commands) -> None:
    parser = _command(commands, "export", "write a LeRobotDataset v3.0", _export)
    _add_folder(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder of the dataset")
    parser.add_argument(
        "--video", action="store_true", help="pictures as H.264 video: small, but not exact (default: PNG)"
    )


def _add_import(commands: Commands) -> None:
    text = "bags from a LeRobotDataset v3 (a folder) or demonstrations of the original (a .pkl file)"
    parser = _command(commands, "import", text, _import)
    parser.add_argument("source", type=Path, metavar="SOURCE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of bags, new or not")
    parser.add_argument("--task", required=True, metavar="NAME", help="name or path of the task file")
    parser.add_argument(
        "--camera", action="append", default=[], type=_pair, metavar="TASK=SOURCE",
        help="name of a camera in the source, where it differs; may be repeated",
    )  # fmt: skip


COMMANDS: tuple[Callable[[Commands], None], ...] = (
    _add_list,
    _add_show,
    _add_trim,
    _add_delete,
    _add_undo,
    _add_merge,
    _add_export,
    _add_import,
    _add_replay,
    _add_pause,
)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of bags, or one bag")


def _two_or_more(text: str) -> int:
    if not text.isdigit() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"'{text}' must be a whole number of 2 or more; example: 8")
    return int(text)


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value <= FASTEST:
        raise argparse.ArgumentTypeError(f"'{text}' must be above 0 and at most {FASTEST:g}; example: 2")
    return value


def _pair(text: str) -> tuple[str, str]:
    ours, separator, theirs = text.partition("=")
    if not (ours and separator and theirs):
        raise argparse.ArgumentTypeError(f"'{text}' must be TASK=SOURCE; example: wrist_1=front")
    return ours, theirs


def _list(options: argparse.Namespace) -> int:
    return 0 if listing.print_list(options.folder) else 1


def _show(options: argparse.Namespace) -> int:
    paths = bags_of(options.folder)[: options.episodes]
    sheet = contact_sheet([read_episode(path) for path in paths], options.frames)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(options.out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise BagError(f"picture {options.out}: not writable")
    print(f"{options.out}: {len(paths)} episodes, {sheet.shape[1]} x {sheet.shape[0]} pixels")
    return 0


def _trim(options: argparse.Namespace) -> int:
    last = options.last if options.last is not None else read_episode(options.bag).steps
    path = trim.trim(options.bag, options.first, last, options.outcome, options.out)
    undo = "" if options.out else f"; demos undo {path.parent} brings the original back"
    print(f"{path}: {last - options.first} steps{undo}")
    return 0


def _delete(options: argparse.Namespace) -> int:
    for bag in options.bags:
        if bags_of(bag) != [bag]:
            raise BagError(f"bag {bag}: is a folder of bags; example: demos delete {bag}/episode_0000")
    for bag in options.bags:
        thrown = trash.throw_away(bag, "deleted")
        print(f"{bag}: lies in {thrown.parent}; demos undo {bag.parent} brings it back")
    return 0


def _undo(options: argparse.Namespace) -> int:
    print(trash.undo(options.folder))
    return 0


def _merge(options: argparse.Namespace) -> int:
    made = merge.merge(options.sources, options.out)
    print(f"{options.out}: {len(made)} episodes added, {made[0].name} to {made[-1].name}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from hilserl_recorder.lerobot_export import export  # slow to import: only where it is needed

    bags = bags_of(options.folder)
    frames = export(bags, options.out, options.video)
    print(f"{options.out}: LeRobotDataset v3.0, {len(bags)} episodes, {frames} frames")
    return 0


def _import(options: argparse.Namespace) -> int:
    from hilserl_recorder.lerobot_import import import_dataset
    from hilserl_recorder.pickle_import import import_pickle

    if not options.source.exists():
        raise BagError(
            f"import: {options.source} does not exist; example: demos import demo_data/ram.pkl ..."
        )
    read = import_dataset if options.source.is_dir() else import_pickle
    made = read(options.source, options.out, load_task(options.task), dict(options.camera))
    print(f"{options.out}: {len(made)} episodes, {made[0].name} to {made[-1].name}")
    return 0


def _replay(options: argparse.Namespace) -> int:
    paths = bags_of(options.folder)
    played = replay.replay(paths, options.rate, options.wait)
    print(f"{len(paths)} episodes, {played} messages played")
    return 0


def _set_paused(options: argparse.Namespace) -> int:
    print(control.set_paused(options.run_dir, options.paused))
    return 0
