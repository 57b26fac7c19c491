# SPDX-License-Identifier: Apache-2.0
"""Plays the scripted person of a task at the simulated world, without ROS: how often it succeeds and how long
it takes, or what it would show the reward classifier."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from person_in_simulation import Person, Played

from hilserl_sim.picture import write_png
from hilserl_sim.world import SimWorld
from hilserl_task import load_task

COLUMNS = 10  # pictures an episode in the strip
EDGE = 3  # pixels around a picture; green while the person says success
GREEN, GREY = (40, 200, 60), (60, 60, 60)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 when nothing succeeded; 2 and one line when something is unusable."""
    options = _parse(arguments)
    try:
        world = SimWorld(load_task(options.task))
        try:
            played, rows = _play(world, options)
        finally:
            world.close()
        if options.out is not None:
            write_png(options.out, np.concatenate(rows, axis=0))
            print(f"pictures: {options.out.resolve()}")
    except (ValueError, OSError) as error:  # TaskError is a ValueError
        print(f"play: {error}", file=sys.stderr)
        return 2
    return 0 if _summary(played, options.phase) else 1


def _play(world: SimWorld, options: argparse.Namespace) -> tuple[list[Played], list[np.ndarray]]:
    """Episodes, and for `--out` a row of pictures of each."""
    played, rows = [], []
    for seed in range(options.seed, options.seed + options.episodes):
        pictures: list[np.ndarray] = []

        def look(view, output, pictures=pictures):
            if options.out is not None:
                pictures.append(np.concatenate(list(world.render().values()), axis=0))

        episode = Person(world, options.phase, seed).play(on_view=look)
        played.append(episode)
        print(_line(seed, episode, world.task.period_s), flush=True)
        if pictures:
            rows.append(_row(pictures, _marks(episode, options.phase)))
    return played, rows


def _line(seed: int, episode: Played, period_s: float) -> str:
    seconds = (len(episode.views) - 1) * period_s
    pressed = sum(output.success_button for output in episode.outputs)
    depth_mm = max(view.depth for view in episode.views) * 1e3
    done = "success" if any(episode.done) else "no success"
    return (
        f"seed {seed}: {done}, {seconds:.1f} s, depth at most {depth_mm:.1f} mm, button down {pressed} steps"
    )


def _summary(played: list[Played], phase: str) -> bool:
    """Prints it; whether anything succeeded."""
    done = [any(episode.done) for episode in played]
    pressed = [output.success_button for episode in played for output in episode.outputs]
    if phase == "labels":
        print(f"{len(pressed)} pictures, of success {sum(pressed)} ({np.mean(pressed):.0%})")
    else:
        print(f"{sum(done)} of {len(done)} episodes succeeded")
    return any(done)


def _marks(episode: Played, phase: str) -> list[bool]:
    """What is framed in green: where the person calls it done, or holds the button."""
    return [output.success_button for output in episode.outputs] if phase == "labels" else episode.done


def _row(pictures: list[np.ndarray], marks: list[bool]) -> np.ndarray:
    """An episode from left to right, cameras below each other; the last picture is always there."""
    framed = []
    for index in np.linspace(0, len(pictures) - 1, COLUMNS).round().astype(int):
        picture = pictures[index].copy()
        colour = GREEN if marks[index] else GREY
        picture[:EDGE], picture[-EDGE:], picture[:, :EDGE], picture[:, -EDGE:] = (colour,) * 4
        framed.append(picture)
    return np.concatenate(framed, axis=1)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="play.py", description=__doc__)
    parser.add_argument("task", help="name or path of the task file")
    parser.add_argument("--phase", choices=("demos", "labels"), default="demos", help="what the person does")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the first episode")
    parser.add_argument("--out", type=Path, help="write pictures of every episode there, e.g. strip.png")
    options = parser.parse_args(arguments)
    if options.episodes < 1:
        parser.error(f"--episodes: {options.episodes} must be at least 1, e.g. --episodes 10")
    if options.out is not None and options.out.suffix != ".png":
        parser.error(f"--out: {options.out} must end in .png, e.g. strip.png")
    return options


if __name__ == "__main__":
    sys.exit(main())
