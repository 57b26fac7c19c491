# SPDX-License-Identifier: Apache-2.0
"""Executable `chain`: runs trained skills in sequence, with scripted motions between them, and counts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hilserl_bringup.chain_graph import chain_specs, open_folder, with_runs
from hilserl_bringup.options import run_main
from hilserl_bringup.process_runner import INTERRUPTED, run_specs
from hilserl_task import TaskError, completion
from hilserl_task.chain_loader import available_chains, load_chain

DEFAULT_CHAIN = "ram_pair"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_main(_chain, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chain",
        description="Run a chain of trained skills: policies in sequence, scripted motions between them.",
        epilog="example: chain --chain ram_pair --chains 20 --run first=runs/one --run second=runs/other",
    )
    add = parser.add_argument
    name = f"name in config/chains, or path of a chain file (default: {DEFAULT_CHAIN})"
    add("--chain", default=DEFAULT_CHAIN, metavar="NAME", help=name)
    add("--chains", default="10", metavar="N", help="so many chains (default: 10)")
    add("--serve", action="store_true", help="wait for goals of the action chain/run instead")
    add("--seed", default="0", metavar="N", help="of all randomness (default: 0)")
    add(
        "--run",
        action="append",
        default=[],
        metavar="SKILL=DIR",
        help="run folder of a skill; repeatable (default: the chain file's, else the newest of its task)",
    )
    add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of run folders")
    add("--out", type=Path, metavar="DIR", help="of the results (default: a new one beside the run folders)")
    add("--pacing", choices=("lockstep", "realtime"), help="simulation: as fast as possible, or by the clock")
    add("--board-moved", action="store_true", help="simulation: with the board moved, as in an evaluation")
    add("--videos", default="1", metavar="N", help="videos of the first N chains (default: 1)")
    add("--list-chains", action="store_true", help="print the names of all chains and exit")
    completion.complete_with_shell(parser, chain=lambda **_: available_chains())
    return parser


def _chain(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    if options.list_chains:
        print("\n".join(available_chains()))
        return 0
    chains = 0 if options.serve else _number("--chains", options.chains, 1, "10")
    seed, pictured = _number("--seed", options.seed, 0, "0"), _number("--videos", options.videos, 0, "1")
    chain = with_runs(load_chain(options.chain), options.runs, _chosen(options.run))
    folder, task = open_folder(options.out, options.runs, chain, options.pacing)
    what = "waiting for goals of chain/run" if options.serve else f"{chains} chains"
    print(f"{chain.name}: {what}, seed {seed}; {folder}", flush=True)
    for skill in chain.skills:
        print(f"  {skill.name}: {skill.checkpoint or 'newest policy'} of {skill.run}", flush=True)
    specs = chain_specs(chain, task, folder, seed, chains, pictured, options.board_moved)
    code = run_specs(specs, folder, isolated=task.scene is not None and not options.serve)
    if code == INTERRUPTED:
        print(f"Stopped; chains that were over are in {folder}.", file=sys.stderr)
    return code


def _chosen(texts: Sequence[str]) -> dict[str, str]:
    """Run folders by skill."""
    chosen = {}
    for text in texts:
        skill, separator, folder = text.partition("=")
        if not (skill and separator and folder):
            raise TaskError(f"--run: '{text}' must be SKILL=DIR; example: --run first=runs/latest")
        chosen[skill] = folder
    return chosen


def _number(option: str, text: str, least: int, example: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise TaskError(f"{option}: '{text}' must be a whole number of at least {least}; example: {example}")
    return value


if __name__ == "__main__":
    sys.exit(main())
