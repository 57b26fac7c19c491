# SPDX-License-Identifier: Apache-2.0
"""The check tool: real drivers on video files, real topics, the table, the picture and the exit code."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilserl_cameras.check import main
from hilserl_cameras.contact_sheet import CAPTION, ROW_HEIGHT, contact_sheet, sharpness
from hilserl_ros.testing import own_domain
from hilserl_task.camera_spec import CameraSpec

TASK = str(Path(__file__).resolve().parents[3] / "config" / "tasks" / "ram_insertion.yaml")


def scene(width=96, height=72):
    rng = np.random.default_rng(0)
    small = rng.integers(60, 200, (height // 6, width // 6, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)


def write_clip(path, brightness=1.0, fps=30, frames=150):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (96, 72))
    for _ in range(frames):
        writer.write((scene() * brightness).astype(np.uint8))
    writer.release()
    return path


def check(tmp_path, cameras, *arguments):
    keys = {
        "scene": "null",
        "pacing": "realtime",
        "operator.kind": "spacenav",
        "cameras": json.dumps(cameras),
    }
    settings = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    out = tmp_path / "sheet.png"
    command = [
        sys.executable, "-m", "hilserl_cameras.check", "--task", TASK, *settings, "--seconds", "1", "--out",
        str(out), *arguments,
    ]  # fmt: skip
    own_domain()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done, out


def test_a_fit_camera_a_dark_one_and_one_with_a_crop_outside_its_picture(tmp_path):
    crop = {"left": 10, "top": 0, "right": 70, "bottom": 60}
    bright, dark = write_clip(tmp_path / "bright.avi"), write_clip(tmp_path / "dark.avi", 0.1)
    cameras = [
        {"name": "good", "driver": "v4l2", "device": str(bright), "crop": crop},
        {"name": "dark", "driver": "v4l2", "device": str(dark)},
        {
            "name": "outside", "driver": "v4l2", "device": str(write_clip(tmp_path / "third.avi")),
            "crop": {**crop, "right": 97}, "transport": "compressed",
        },
    ]  # fmt: skip
    done, out = check(tmp_path, cameras)
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert done.returncode == 1
    assert rows["camera"].split()[:4] == ["camera", "driver", "size", "rate"]
    assert "96 x 72" in rows["good"]
    assert rows["good"].endswith("fit")
    assert rows["dark"].endswith("too dark: exposure, or a lens cap?")
    assert "right 97, bottom 60 does not fit a picture of 96 x 72" in rows["outside"]
    sheet = cv2.imread(str(out))
    assert sheet.shape[0] == 3 * (CAPTION + ROW_HEIGHT + 8)
    alone, _ = check(tmp_path, cameras, "--camera", "good")
    assert alone.returncode == 0, alone.stdout


def test_a_device_that_offers_something_else_says_so_in_the_table(tmp_path):
    clip = write_clip(tmp_path / "clip.avi")
    camera = {"name": "side", "driver": "v4l2", "device": str(clip), "width": 640, "height": 480}
    done, _ = check(tmp_path, [camera])
    assert done.returncode == 1
    assert "offers no 640 x 480; it offers 96 x 72" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--camera", "nose"], "'nose' is not a camera of task 'ram_insertion'; known: wrist_1, wrist_2"),
        (["--out", "/none/sheet.png"], "folder /none does not exist"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--task", TASK, *arguments])
    errors = capsys.readouterr().err
    assert ended.value.code == 2
    assert words in errors
    assert errors.count("\n") == 1


def test_the_list_names_both_kinds(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--list"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "RealSense (driver: realsense, serial: ...)" in said
    assert "V4L2 (driver: v4l2, device: ...)" in said


def test_a_blurred_picture_is_far_less_sharp():
    assert sharpness(cv2.GaussianBlur(scene(), (0, 0), 3)) < 0.1 * sharpness(scene())


def test_the_sheet_shows_the_raw_picture_with_its_crop_and_the_input_beside_it():
    crop = {"left": 24, "top": 0, "right": 96, "bottom": 72}
    camera = CameraSpec.model_validate({"name": "side", "crop": crop})
    raw = np.zeros((72, 96, 3), np.uint8)
    raw[:, 24:] = (0, 200, 0)
    sheet = contact_sheet([camera], {"side": raw}, {"side": "side"}, 128)
    width = ROW_HEIGHT * 96 // 72
    assert sheet.shape == (CAPTION + ROW_HEIGHT + 8, width + ROW_HEIGHT + 4 * 8, 3)
    middle = CAPTION + ROW_HEIGHT // 2
    assert sheet[middle, 8 + 20].tolist() == [0, 0, 0]  # outside of the crop
    assert sheet[middle, 8 + 80].tolist() == [255, 140, 0]  # its edge
    assert (sheet[middle, 8 + width + 16 + 2 : -10] == (0, 200, 0)).all()  # the input: only what is inside
    lost = contact_sheet([camera], {"side": None}, {"side": "side: nothing"}, 128)
    assert lost.shape == sheet.shape
