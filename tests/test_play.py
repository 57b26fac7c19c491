# SPDX-License-Identifier: Apache-2.0
"""The program that plays a scripted person without ROS (docs/add_a_task.md)."""

import cv2
import yaml
from play import COLUMNS, GREEN, main

from hilserl_task import load_task

TASK = "press_button"


def green_columns(path):
    """Which pictures of the first row are framed in green."""
    top = cv2.imread(str(path))[0, :, ::-1].reshape(COLUMNS, -1, 3)
    return [(picture == GREEN).all() for picture in top]


def test_it_says_how_often_and_shows_the_end(tmp_path, capsys):
    out = tmp_path / "strip.png"
    assert main([TASK, "--episodes", "2", "--seed", "5", "--out", str(out)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in printed[:2]] == ["seed 5: success", "seed 6: success"]
    assert printed[-1] == "2 of 2 episodes succeeded"
    task = load_task(TASK)
    size = task.observation.image_size
    height, width, _ = cv2.imread(str(out)).shape
    assert (height, width) == (2 * len(task.cameras) * size, COLUMNS * size)
    assert green_columns(out) == [False] * (COLUMNS - 1) + [True]


def test_it_shows_labels(tmp_path, capsys):
    out = tmp_path / "labels.png"
    assert main([TASK, "--phase", "labels", "--episodes", "1", "--out", str(out)]) == 0
    assert "of success" in capsys.readouterr().out
    assert {True, False} == {bool(green) for green in green_columns(out)}


def test_nothing_that_succeeds_is_a_failure(tmp_path, capsys):
    file = tmp_path / "press_button.yaml"
    task = load_task(TASK).model_dump(mode="json")
    task["operator"]["scripted"]["seated_depth_m"] = 0.02  # the button has 6 mm of travel
    file.write_text(yaml.safe_dump(task))
    assert main([str(file), "--episodes", "1"]) == 1
    assert "0 of 1 episodes succeeded" in capsys.readouterr().out


def test_a_wrong_name_is_one_line(capsys):
    assert main(["press_buton"]) == 2
    assert "press_button" in capsys.readouterr().err
