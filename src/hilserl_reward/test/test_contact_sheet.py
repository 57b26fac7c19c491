# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np

from hilserl_reward.contact_sheet import Row, Tile, mistake_rows, write_sheet

TOP, STEP = 28 + 32 + 64, 134  # middle of the first picture: below heading and caption; from tile to tile


def test_worst_mistake_comes_first_with_its_number_and_probability(tmp_path):
    images = np.stack([np.full((1, 128, 128, 3), 40 * index, np.uint8) for index in range(5)])
    kinds = np.array([0, 0, 0, 1, 1])
    probabilities = np.array([0.1, 0.86, 0.99, 0.95, 0.2])
    rows = mistake_rows(np.arange(100, 105), kinds, probabilities, 0.85, frames_per_row=3)
    assert [row.heading for row in rows] == [
        "taken for success, but is not (2)",
        "success not seen (1)",
        "success, least sure",
        "no success, least sure",
    ]
    assert [tile.lines[0] for tile in rows[0].tiles] == ["#102  p=0.99", "#101  p=0.86"]
    assert [tile.wrong for row in rows for tile in row.tiles] == [True, True, True, False, False]
    path = tmp_path / "sheet.png"
    write_sheet(path, images, rows, frames_per_row=3)
    first_row = cv2.imread(str(path))[TOP]
    assert first_row[64].tolist() == [80, 80, 80]  # p = 0.99
    assert first_row[64 + STEP].tolist() == [40, 40, 40]  # p = 0.86
    assert first_row[64 + 2 * STEP].tolist() == [255, 255, 255]


def test_mistakes_of_classes_say_what_was_seen():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.0, 0.1, 0.9]])
    rows = mistake_rows(np.arange(3), np.array([0, 1, 2]), probabilities, 0.9, ("a", "b", "lost"))
    (tile,) = rows[1].tiles
    assert rows[1].heading == "b, taken for something else (1)"
    assert tile.lines == ("#1  p=0.60 seen as lost", "label: b")
    assert not rows[0].tiles


def test_no_mistake_is_a_picture_too(tmp_path):
    images = np.zeros((2, 2, 64, 64, 3), np.uint8)
    write_sheet(tmp_path / "s.png", images, [Row("nothing wrong", [])])
    assert cv2.imread(str(tmp_path / "s.png")) is not None


def test_a_long_row_goes_on_in_the_next_line(tmp_path):
    images = np.stack([np.full((1, 64, 64, 3), 50 * index, np.uint8) for index in range(5)])
    tiles = [Tile(index, (str(index), "")) for index in range(5)]
    write_sheet(tmp_path / "s.png", images, [Row("five", tiles)], frames_per_row=2)
    sheet = cv2.imread(str(tmp_path / "s.png"))
    line = 64 + 32 + 6
    seen = [sheet[28 + 32 + 32 + k // 2 * line, 32 + k % 2 * 70, 0] for k in range(5)]
    assert seen == [0, 50, 100, 150, 200]
