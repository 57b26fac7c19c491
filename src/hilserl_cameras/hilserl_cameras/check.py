# SPDX-License-Identifier: Apache-2.0
"""Looks at the cameras of a task before anything depends on them: a table, and a picture of what they see.

ros2 run hilserl_cameras check --task my_task --out cameras.png
ros2 run hilserl_cameras check --list
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import cv2

from hilserl_cameras.camera_loop import Health
from hilserl_cameras.command_line import add_task, chosen_cameras, complete, run_tool
from hilserl_cameras.contact_sheet import contact_sheet, sharpness
from hilserl_cameras.live import LivePictures, Stream
from hilserl_cameras.realsense_devices import HAS_REALSENSE, RealSenseDevices
from hilserl_cameras.v4l2_source import v4l2_paths
from hilserl_ros.pictures import prepared
from hilserl_task import Task, TaskError, load_task
from hilserl_task.camera_spec import CameraSpec

HEADINGS = ("camera", "driver", "size", "rate", "age", "exposure", "brightness", "sharpness", "verdict")
FIRST_PICTURE_S = 10.0
DARK, BRIGHT = 25.0, 230.0  # mean of the grey values, of 255


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Exit code 1: a camera is not fit; 2: wrong arguments or task."""
    parser = _parser()
    complete(parser)
    options = parser.parse_args(arguments)
    raise SystemExit(run_tool("check", _list if options.list else partial(_check, options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="check",
        description="Shows rate, age, exposure and sharpness of every camera of a task, and saves a picture "
        "of what each of them and the policy sees. Drivers that nobody runs are started for the time.",
    )
    add_task(parser)
    add = parser.add_argument
    add("--set", action="append", default=[], metavar="a.b=c", help="change a key of the task; repeatable")
    add("--camera", metavar="NAME", help="only this camera")
    add("--seconds", type=_positive, default=3.0, metavar="S", help="how long to look (default: 3)")
    add("--out", type=Path, default=Path("cameras.png"), metavar="FILE", help="contact sheet (cameras.png)")
    add("--list", action="store_true", help="list the RealSense and V4L2 cameras of this computer and exit")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 3600:
        raise argparse.ArgumentTypeError(f"'{text}': must be above 0 and below 3600 s; example: 3")
    return value


def _list() -> int:
    """Everything that can be named in a task file."""
    devices = RealSenseDevices().table() if HAS_REALSENSE else []
    print("RealSense (driver: realsense, serial: ...)")
    for serial, name, usb in devices:
        print(f"  {serial}  {name}, USB {usb}")
    if not devices:
        print("  none connected" if HAS_REALSENSE else "  pyrealsense2 is not installed")
    print("V4L2 (driver: v4l2, device: ...)")
    for path in v4l2_paths() or ["none connected"]:
        print(f"  {path}")
    return 0


def _check(options: argparse.Namespace) -> int:
    task = load_task(options.task, options.set)
    cameras = chosen_cameras(task, options.camera)
    if not options.out.parent.is_dir():
        raise TaskError(f"--out: folder {options.out.parent} does not exist; example: --out cameras.png")
    live = LivePictures(options.task, options.set, task, cameras)
    try:
        _look(live, options.seconds)
        health, streams = live.health(), live.streams
    finally:
        live.close()
    rows = [_row(task, camera, streams[camera.name], health.get(camera.name)) for camera in cameras]
    _print_table(rows)
    _save(options.out, task, cameras, streams, rows)
    return 0 if all(row[-1] == "fit" for row in rows) else 1


def _look(live: LivePictures, seconds: float) -> None:
    """Waits for the first picture of every camera, then looks for a while. Says which it waits for."""
    deadline = time.monotonic() + FIRST_PICTURE_S
    said = 0.0
    while time.monotonic() < deadline and not live.failed():
        waiting = [name for name, stream in live.streams.items() if not stream.count]
        if not waiting:
            break
        if time.monotonic() - said > 2.0:
            said = time.monotonic()
            print(f"waiting for {', '.join(waiting)}", file=sys.stderr, flush=True)
        time.sleep(0.05)
    if any(stream.count for stream in live.streams.values()):
        time.sleep(seconds)


def _row(task: Task, camera: CameraSpec, stream: Stream, health: Health | None) -> tuple[str, ...]:
    """One line of the table; the last word is the verdict."""
    driver = camera.driver_in(task.scene is not None)
    picture = stream.newest
    if picture is None:
        reason = stream.problem or (
            health.reason if health is not None else f"nothing on {camera.input_topic}"
        )
        return (camera.name, driver, "-", "-", "-", "-", "-", "-", reason)
    height, width, _ = picture.shape
    grey = float(picture.mean())
    age_s = median(stream.ages_s)
    exposure = "-" if health is None or health.exposure is None else f"{health.exposure:g}"
    return (
        camera.name,
        driver,
        f"{width} x {height}",
        f"{stream.rate_hz():.1f} Hz",
        f"{age_s * 1e3:.0f} ms",
        exposure,
        f"{grey:.0f}",
        f"{sharpness(picture):.0f}",
        _verdict(task, camera, stream, age_s, grey),
    )


def _verdict(task: Task, camera: CameraSpec, stream: Stream, age_s: float, grey: float) -> str:
    """`fit`, or what is wrong."""
    assert stream.newest is not None
    try:
        prepared(stream.newest, camera.crop, task.observation.image_size)
    except ValueError as error:
        return str(error)
    realtime = task.pacing == "realtime"
    if realtime and abs(age_s) > task.observation.max_age_s:
        return f"older than observation.max_age_s ({task.observation.max_age_s:g} s)"
    if realtime and stream.rate_hz() < 1 / task.period_s:
        return f"slower than the policy ({1 / task.period_s:g} Hz)"
    if grey < DARK:
        return "too dark: exposure, or a lens cap?"
    if grey > BRIGHT:
        return "too bright: exposure?"
    return "fit"


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    table = [HEADINGS, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _save(
    path: Path,
    task: Task,
    cameras: Sequence[CameraSpec],
    streams: dict[str, Stream],
    rows: Sequence[tuple[str, ...]],
) -> None:
    captions = {row[0]: f"{row[0]}: {row[2]}, {row[3]}, sharpness {row[7]}, {row[-1]}" for row in rows}
    pictures = {name: stream.newest for name, stream in streams.items()}
    sheet = contact_sheet(cameras, pictures, captions, task.observation.image_size)
    try:
        done, data = cv2.imencode(path.suffix or ".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        if not done:
            raise OSError("OpenCV cannot encode it")
        path.write_bytes(data.tobytes())
    except (OSError, cv2.error) as error:
        raise TaskError(f"--out: {path} is not writable: {error}; example: --out cameras.png") from error
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
