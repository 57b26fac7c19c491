# SPDX-License-Identifier: Apache-2.0
"""Chooses the region of a camera's picture that the policy sees, and writes it into the task file.

ros2 run hilserl_cameras crop --task my_task                         on live pictures
ros2 run hilserl_cameras crop --task my_task --camera wrist_1 --image frame.png
ros2 run hilserl_cameras crop --task my_task --camera wrist_1 --set 120,0,600,480
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from hilserl_cameras import recorded
from hilserl_cameras.command_line import add_task, chosen_cameras, complete, run_tool
from hilserl_cameras.crop_file import write_crop
from hilserl_cameras.frame import Pixels
from hilserl_task import Task, TaskError, load_task
from hilserl_task.camera_spec import CameraSpec, CropSpec
from hilserl_task.loader import find_task_file


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Exit code 2: wrong arguments, task or picture."""
    parser = _parser()
    complete(parser)
    options = parser.parse_args(arguments)
    raise SystemExit(run_tool("crop", partial(_crop, options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crop",
        description="Chooses the part of a camera's picture that the policy sees, with the mouse on a live "
        "or recorded picture, and writes it into the task file (comments and formatting stay).",
    )
    add_task(parser)
    parser.add_argument("--camera", metavar="NAME", help="of the task file (default: all, with a chooser)")
    picture = parser.add_mutually_exclusive_group()
    picture.add_argument("--image", type=Path, metavar="FILE", help="a raw picture of the camera")
    picture.add_argument("--bag", type=Path, metavar="FOLDER", help="a bag with raw or compressed pictures")
    parser.add_argument("--set", metavar="L,T,R,B", help="the region in pixels, without a window")
    return parser


def _crop(options: argparse.Namespace) -> int:
    file = find_task_file(options.task).resolve()
    task = load_task(str(file))
    cameras = chosen_cameras(task, options.camera)
    if options.image is not None and len(cameras) > 1:
        raise TaskError(f"--image: whose picture is it? example: --camera {cameras[0].name}")
    if options.set is not None:
        return _set(file, cameras, options)
    return _window(file, task, cameras, options)


def _set(file: Path, cameras: Sequence[CameraSpec], options: argparse.Namespace) -> int:
    """Without a window."""
    if len(cameras) > 1:
        raise TaskError(f"--set: of which camera? example: --camera {cameras[0].name}")
    region = _region(options.set)
    size = _picture_size(cameras[0], options)
    if size is not None and (region.right > size[0] or region.bottom > size[1]):
        raise TaskError(
            f"--set: right {region.right}, bottom {region.bottom} is outside the picture of {size[0]} x "
            f"{size[1]}; example: --set 0,0,{min(size)},{min(size)}"
        )
    _save(file, cameras[0].name, region)
    return 0


def _window(file: Path, task: Task, cameras: Sequence[CameraSpec], options: argparse.Namespace) -> int:
    from hilserl_cameras.crop_window import CropWindow, show_window  # Qt only where a window is wanted

    size = task.observation.image_size
    save = partial(_save, file)
    if options.image is not None or options.bag is not None:
        pictures = {camera.name: _recorded(camera, options) for camera in cameras}
        show_window(lambda: CropWindow(cameras, size, pictures.get, save, file.name))
        return 0
    from hilserl_cameras.live import LivePictures

    live = LivePictures(str(file), (), task, cameras)
    try:
        show_window(
            lambda: CropWindow(cameras, size, lambda name: live.streams[name].newest, save, file.name)
        )
    finally:
        live.close()
    return 0


def _save(file: Path, camera: str, region: CropSpec) -> None:
    write_crop(file, camera, region)
    edges = f"left {region.left}, top {region.top}, right {region.right}, bottom {region.bottom}"
    print(f"{file}: camera '{camera}': crop {edges}", flush=True)


def _recorded(camera: CameraSpec, options: argparse.Namespace) -> Pixels:
    if options.image is not None:
        return recorded.from_file(options.image)
    return recorded.from_bag(options.bag, camera)[0]


def _picture_size(camera: CameraSpec, options: argparse.Namespace) -> tuple[int, int] | None:
    """Width and height of the raw picture, where they are known."""
    if options.image is not None or options.bag is not None:
        height, width, _ = _recorded(camera, options).shape
        return width, height
    return (camera.width, camera.height) if camera.width and camera.height else None


def _region(text: str) -> CropSpec:
    """Region of `left,top,right,bottom`."""
    try:
        left, top, right, bottom = (int(part) for part in text.split(","))
        return CropSpec(left=left, top=top, right=right, bottom=bottom)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        reason = f"{where}: {problem['msg']}" if where else problem["msg"].removeprefix("Value error, ")
        raise TaskError(f"--set: '{text}': {reason}; example: --set 120,0,600,480") from error
    except ValueError as error:
        raise TaskError(
            f"--set: '{text}' must be four whole numbers left,top,right,bottom; example: --set 120,0,600,480"
        ) from error


if __name__ == "__main__":
    main()
