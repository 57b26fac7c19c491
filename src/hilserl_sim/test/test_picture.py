# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np

from hilserl_sim.picture import HEIGHT, WIDTH, main


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
