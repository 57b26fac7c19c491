# SPDX-License-Identifier: Apache-2.0
"""One picture of a task's scene after a reset: the whole scene, beside it what every camera sees; or several
resets below each other."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hilserl_sim.world import SimWorld
from hilserl_task import load_task

WIDTH, HEIGHT = 640, 480  # of the scene's part; the model's offscreen buffer is no larger
ROW_WIDTH, ROW_HEIGHT = 320, 240  # of the scene's part in a row of a sheet
MOST_STARTS = 100  # a sheet of more is too tall to be looked at


def draw(world: SimWorld) -> NDArray[np.uint8]:
    """The scene (HEIGHT, WIDTH) and right of it the task's cameras below each other; uint8 RGB."""
    cameras = list(world.render().values())
    side = HEIGHT // len(cameras)
    column = np.zeros((HEIGHT, side, 3), np.uint8)
    for number, camera in enumerate(cameras):
        enlarged = cv2.resize(camera, (side, side), interpolation=cv2.INTER_NEAREST)
        column[number * side : (number + 1) * side] = enlarged
    return np.concatenate([world.render_scene(WIDTH, HEIGHT), column], axis=1)


def draw_sheet(world: SimWorld, seeds: Iterable[int], board_moved: bool = False) -> NDArray[np.uint8]:
    """A row a seed: the scene after its reset (ROW_HEIGHT, ROW_WIDTH), then every camera; uint8 RGB."""
    rows = []
    for seed in seeds:
        world.reset(np.random.default_rng(seed), board_moved)
        large = world.render_scene(WIDTH, HEIGHT)
        scene = cv2.resize(large, (ROW_WIDTH, ROW_HEIGHT), interpolation=cv2.INTER_AREA)
        cameras = [
            cv2.resize(camera, (ROW_HEIGHT, ROW_HEIGHT), interpolation=cv2.INTER_NEAREST)
            for camera in world.render().values()
        ]
        rows.append(np.concatenate([scene, *cameras], axis=1))
    return np.concatenate(rows, axis=0)


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Writes uint8 RGB (height, width, 3); OSError when the place is not writable."""
    done, encoded = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise OSError(f"a picture of shape {picture.shape} could not be encoded as PNG")
    path.write_bytes(encoded.tobytes())


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the executable `picture`; exit code 2 and one line when something is unusable."""
    options = _parse(arguments)
    try:
        world = SimWorld(load_task(options.task))
        try:
            if options.starts > 1:
                seeds = range(options.seed, options.seed + options.starts)
                drawn = draw_sheet(world, seeds, options.board_moved)
            else:
                world.reset(np.random.default_rng(options.seed), options.board_moved)
                drawn = draw(world)
            write_png(options.out, drawn)
        finally:
            world.close()
    except (ValueError, OSError) as error:  # TaskError is a ValueError
        print(f"picture: {error}", file=sys.stderr)
        return 2
    print(f"picture: {options.out.resolve()}")
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="picture", description=__doc__)
    parser.add_argument("--task", default="ram_insertion", help="name or path of the task file")
    parser.add_argument("--out", required=True, type=Path, help="file to write, e.g. scene.png")
    parser.add_argument("--board-moved", action="store_true", help="as in an evaluation with the board moved")
    parser.add_argument("--seed", type=int, default=0, help="of the start pose, the grasp and the board")
    parser.add_argument("--starts", type=int, default=1, help="draw so many starts, of seeds that follow")
    options = parser.parse_args(arguments)
    if not 1 <= options.starts <= MOST_STARTS:
        parser.error(f"--starts: {options.starts} must be within 1 and {MOST_STARTS}, e.g. --starts 4")
    if options.out.suffix != ".png":
        parser.error(f"--out: {options.out} must end in .png, e.g. scene.png")
    return options


if __name__ == "__main__":
    sys.exit(main())
