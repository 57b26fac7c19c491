# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from hilserl_sim.picture import HEIGHT, ROW_HEIGHT, ROW_WIDTH, WIDTH, main


def test_picture_shows_the_scene_beside_the_cameras(task, task_file, world, tmp_path, capsys):
    out = tmp_path / "scene.png"
    arguments = ["--task", str(task_file), "--out", str(out), "--seed", "3"]
    assert main(arguments) == 0
    picture = cv2.imread(str(out))[..., ::-1]
    side = HEIGHT // len(task.cameras)
    assert picture.shape == (HEIGHT, WIDTH + side, 3)
    world.reset(np.random.default_rng(3))
    np.testing.assert_array_equal(picture[:, :WIDTH], world.render_scene(WIDTH, HEIGHT))
    assert picture[:, :WIDTH].std() > 10
    for number, camera in enumerate(world.render().values()):
        shown = picture[number * side : (number + 1) * side, WIDTH:]
        corners = (0, -1)
        np.testing.assert_array_equal(shown[np.ix_(corners, corners)], camera[np.ix_(corners, corners)])
    assert main([*arguments, "--board-moved"]) == 0
    assert (cv2.imread(str(out))[..., ::-1] != picture).any()
    assert main(["--task", "ram_insertio", "--out", str(out)]) == 2
    assert "did you mean 'ram_insertion'" in capsys.readouterr().err


def test_a_sheet_shows_a_row_for_every_start(task, task_file, world, tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert main(["--task", str(task_file), "--out", str(out), "--seed", "3", "--starts", "3"]) == 0
    sheet = cv2.imread(str(out))[..., ::-1]
    assert sheet.shape == (3 * ROW_HEIGHT, ROW_WIDTH + len(task.cameras) * ROW_HEIGHT, 3)
    corners = np.ix_((0, -1), (0, -1))
    for row, seed in enumerate((3, 4, 5)):
        world.reset(np.random.default_rng(seed))
        shown = sheet[row * ROW_HEIGHT : (row + 1) * ROW_HEIGHT]
        for number, camera in enumerate(world.render().values()):
            left = ROW_WIDTH + number * ROW_HEIGHT
            np.testing.assert_array_equal(shown[:, left : left + ROW_HEIGHT][corners], camera[corners])
    with pytest.raises(SystemExit):
        main(["--out", str(out), "--starts", "0"])
    assert "--starts: 0 must be within 1" in capsys.readouterr().err
