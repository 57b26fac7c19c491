# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np

from hilserl_reward.contact_sheet import write_contact_sheet


def test_worst_mistake_comes_first(tmp_path):
    images = np.stack([np.full((1, 128, 128, 3), 40 * index, np.uint8) for index in range(5)])
    labels = np.array([False, False, False, True, True])
    probabilities = np.array([0.1, 0.86, 0.99, 0.95, 0.2])
    path = tmp_path / "sheet.png"
    write_contact_sheet(path, images, labels, probabilities, 0.85, frames_per_row=3)
    sheet = cv2.imread(str(path))
    first_row = sheet[28 + 18 + 64]  # below heading and caption
    assert first_row[64].tolist() == [80, 80, 80]  # p = 0.99
    assert first_row[64 + 134].tolist() == [40, 40, 40]  # p = 0.86
    assert first_row[64 + 2 * 134].tolist() == [255, 255, 255]


def test_no_mistake_is_a_picture_too(tmp_path):
    images = np.zeros((2, 2, 64, 64, 3), np.uint8)
    write_contact_sheet(tmp_path / "s.png", images, np.array([True, False]), np.array([0.99, 0.0]), 0.85)
    assert cv2.imread(str(tmp_path / "s.png")) is not None
