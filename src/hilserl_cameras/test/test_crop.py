# SPDX-License-Identifier: Apache-2.0
"""The crop tool: what it writes, what it refuses, and the window under real mouse events."""

import difflib
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from rclpy.serialization import serialize_message

from hilserl_cameras.crop import main
from hilserl_cameras.crop_file import write_crop
from hilserl_cameras.recorded import from_bag
from hilserl_ros import bag_storage, codec, qos
from hilserl_ros.image_transport import compressed_image
from hilserl_ros.pictures import prepared
from hilserl_ros.testing import own_domain
from hilserl_task import TaskError, load_task
from hilserl_task.camera_spec import CropSpec

CONFIG = Path(__file__).resolve().parents[3] / "config" / "tasks" / "ram_insertion.yaml"
REGION = CropSpec(left=40, top=20, right=100, bottom=80)
BLOCK = """
cameras:
  # the one at the wrist
  - name: wrist_1     # D405
    arm: arm
  - name: wrist_2
    arm: arm
    crop:
      left: 1    # keep
      top: 2
      right: 103
      bottom: 104

observation:
"""


@pytest.fixture
def task_file(tmp_path):
    path = tmp_path / "my_task.yaml"
    path.write_text(CONFIG.read_text())
    return path


@pytest.fixture
def block_file(tmp_path):
    text = CONFIG.read_text()
    begin, end = text.index("\ncameras:"), text.index("\nobservation:")
    path = tmp_path / "block.yaml"
    path.write_text(text[:begin] + BLOCK + text[end + len("\nobservation:\n") :])
    return path


def changed_lines(before, after):
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


# -- the file ------------------------------------------------------------------------------------------


def test_a_crop_is_added_inside_braces_and_nothing_else_changes(task_file):
    before = task_file.read_text()
    write_crop(task_file, "wrist_2", REGION)
    assert changed_lines(before, task_file.read_text()) == [
        "-   - {name: wrist_2, arm: arm}",
        "+   - {name: wrist_2, arm: arm, crop: {left: 40, top: 20, right: 100, bottom: 80}}",
    ]
    assert [camera.crop for camera in load_task(str(task_file)).cameras] == [None, REGION]
    assert [path.name for path in task_file.parent.iterdir()] == [task_file.name]


def test_a_crop_is_added_below_the_name_and_an_old_one_changed_where_it_stands(block_file):
    before = block_file.read_text()
    write_crop(block_file, "wrist_1", REGION)
    write_crop(block_file, "wrist_2", REGION)
    lines = changed_lines(before, block_file.read_text())
    assert [line for line in lines if line[0] == "+"] == [
        "+     crop: {left: 40, top: 20, right: 100, bottom: 80}",
        "+       left: 40    # keep",
        "+       top: 20",
        "+       right: 100",
        "+       bottom: 80",
    ]
    assert [camera.crop for camera in load_task(str(block_file)).cameras] == [REGION, REGION]


@pytest.mark.parametrize("old", ["null", "{left: 0, top: 0, right: 5, bottom: 5}"])
def test_an_old_crop_on_one_line_is_replaced(task_file, old):
    task_file.write_text(
        CONFIG.read_text().replace("{name: wrist_1, arm: arm}", f"{{name: wrist_1, crop: {old}}}")
    )
    write_crop(task_file, "wrist_1", REGION)
    assert "{name: wrist_1, crop: {left: 40, top: 20, right: 100, bottom: 80}}" in task_file.read_text()


def test_line_ends_of_windows_and_letters_beyond_ascii_stay(block_file):
    text = block_file.read_text().replace("# D405", "# Kamera über dem Brett").replace("\n", "\r\n")
    block_file.write_bytes(text.encode())
    write_crop(block_file, "wrist_1", REGION)
    after = block_file.read_bytes().decode()
    assert after.count("\n") == after.count("\r\n") == text.count("\r\n") + 1
    assert "über" in after


def test_a_link_is_followed_as_the_installed_file_is_one(task_file, tmp_path):
    link = tmp_path / "installed" / "my_task.yaml"
    link.parent.mkdir()
    link.symlink_to(task_file)
    write_crop(link, "wrist_1", REGION)
    assert link.is_symlink()
    assert load_task(str(task_file)).cameras[0].crop == REGION


def test_what_cannot_be_written_leaves_the_file_as_it_was(task_file):
    before = task_file.read_bytes()
    with pytest.raises(TaskError, match=r"'wrist_3' is not in .*known cameras: wrist_1, wrist_2"):
        write_crop(task_file, "wrist_3", REGION)
    anchored = before.decode().replace("{name: wrist_1, arm: arm}", "&one {name: wrist_1}")
    task_file.write_text(anchored.replace("{name: wrist_2, arm: arm}", "{<<: *one, name: wrist_2}"))
    before = task_file.read_bytes()
    with pytest.raises(TaskError, match=r"anchors.*nothing was changed"):
        write_crop(task_file, "wrist_1", REGION)  # would change the other camera as well
    assert task_file.read_bytes() == before
    assert [path.name for path in task_file.parent.iterdir()] == [task_file.name]


# -- the command line ----------------------------------------------------------------------------------


def picture_file(folder, width=160, height=120):
    path = folder / "frame.png"
    gradient = np.zeros((height, width, 3), np.uint8)
    gradient[..., 2] = np.arange(width)  # BGR: red grows to the right
    gradient[..., 1] = np.arange(height)[:, None]
    cv2.imwrite(str(path), gradient)
    return path


def test_set_writes_without_a_window(task_file, capsys):
    assert run("--task", task_file, "--camera", "wrist_1", "--set", "40,20,100,80") == 0
    assert load_task(str(task_file)).cameras[0].crop == REGION
    assert "camera 'wrist_1': crop left 40, top 20, right 100, bottom 80" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "1,2,3,4"], ["of which camera?", "--camera wrist_1"]),
        (["--camera", "wrist_1", "--set", "1,2,3"], ["four whole numbers"]),
        (["--camera", "wrist_1", "--set", "9,2,3,4"], ["left must be below right"]),
        (["--camera", "wrist_1", "--set=-1,2,3,4"], ["left", "greater than or equal to 0"]),
        (["--camera", "wrist_9", "--set", "1,2,3,4"], ["'wrist_9' is not a camera", "wrist_1, wrist_2"]),
        (["--camera", "wrist_1", "--bag", "/none", "--set", "1,2,3,4"], ["folder /none does not exist"]),
        (["--camera", "wrist_1", "--image", "/none.png"], ["file /none.png does not exist"]),
    ],
)
def test_wrong_arguments_are_one_line_and_change_nothing(task_file, capsys, arguments, words):
    before = task_file.read_bytes()
    assert run("--task", task_file, *arguments) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("crop: ")
    assert errors.count("\n") == 1
    for word in words:
        assert word in errors
    assert task_file.read_bytes() == before


def test_a_region_outside_the_picture_is_refused_with_its_size(task_file, tmp_path, capsys):
    image = picture_file(tmp_path)
    arguments = ("--task", task_file, "--camera", "wrist_1", "--image", image, "--set", "0,0,200,100")
    assert run(*arguments) == 2
    assert "right 200, bottom 100 is outside the picture of 160 x 120" in capsys.readouterr().err


def test_the_picture_may_come_from_a_bag_raw_or_compressed(task_file, tmp_path, capsys):
    rgb = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    writer = bag_storage.open_writer(tmp_path / "bag", {})
    raw, small = "/arm/wrist_1/color/image_raw", "/arm/wrist_2/color/image_raw/compressed"
    writer.add_topic(raw, "sensor_msgs/msg/Image", qos.sensor("realtime"))
    writer.add_topic(small, "sensor_msgs/msg/CompressedImage", qos.sensor("realtime"))
    for k in range(3):
        message = codec.image_from_array(rgb // (k + 1), 1 + k)
        writer.write(raw, serialize_message(message), 1 + k)
    message = compressed_image(rgb, 9, "f", "png")
    writer.write(small, serialize_message(message), 9)
    writer.close()
    first, second = load_task(str(task_file)).cameras
    for k, picture in enumerate(from_bag(tmp_path / "bag", first, 3)):
        np.testing.assert_array_equal(picture, rgb // (k + 1))
    np.testing.assert_array_equal(from_bag(tmp_path / "bag", second)[0], rgb)
    other = second.model_copy(update={"name": "side"})
    with pytest.raises(TaskError, match=r"no raw pictures of camera 'side'.*its topics: .*ros2 bag record"):
        from_bag(tmp_path / "bag", other)
    arguments = ("--task", task_file, "--camera", "wrist_1", "--bag", tmp_path / "bag", "--set", "0,0,64,49")
    assert run(*arguments) == 2
    assert "outside the picture of 64 x 48" in capsys.readouterr().err


# -- the window, in a process of its own: Qt without a screen -------------------------------------------

WINDOW = """
import sys
from pathlib import Path
import numpy as np
from PySide6 import QtCore, QtTest, QtWidgets
from hilserl_cameras.crop_file import write_crop
from hilserl_cameras.crop_window import CropWindow
from hilserl_cameras.recorded import from_file
from hilserl_task import load_task

file, image, shot = map(Path, sys.argv[1:])
app = QtWidgets.QApplication([])
task, picture = load_task(str(file)), from_file(image)
window = CropWindow(task.cameras, 128, lambda name: picture, lambda *what: write_crop(file, *what), file.name)
window.resize(1000, 560)
window.show()
QtTest.QTest.qWaitForWindowExposed(window)
view, left = window.view, QtCore.Qt.MouseButton.LeftButton


def drag(one, other):
    points = [view.to_widget(*one), view.to_widget(*other)]
    middle = (points[0] + points[1]) / 2
    QtTest.QTest.mousePress(view, left, pos=points[0].toPoint())
    for point in (middle, points[1]):
        QtTest.QTest.mouseMove(view, point.toPoint())
    QtTest.QTest.mouseRelease(view, left, pos=points[1].toPoint())


def near(region, *expected):
    got = (region.left, region.top, region.right, region.bottom)
    assert np.abs(np.subtract(got, expected)).max() <= 1, got


window.save()
assert "Draw a region first" in window.message.text() and not window.saved
QtTest.QTest.mouseClick(view, left, pos=view.to_widget(50, 50).toPoint())
assert view.region is None  # a click is no region
drag((40, 20), (100, 60))
near(view.region, 40, 20, 100, 80)  # square by its longer side
drag((70, 50), (90, 55))
near(view.region, 60, 25, 120, 85)  # moved
drag((90, 50), (159, 50))
near(view.region, 100, 25, 160, 85)  # as far as the picture goes
QtTest.QTest.keyClick(view, QtCore.Qt.Key.Key_Left)
near(view.region, 99, 25, 159, 85)
window.square.setChecked(False)
drag((20, 110), (5, 30))
near(view.region, 5, 30, 20, 110)  # backwards, not square
window.square.setChecked(True)
drag((40, 20), (100, 60))
QtTest.QTest.mouseClick(window.save_button, left)
region = window.saved["wrist_1"]
assert load_task(str(file)).cameras[0].crop == region == view.region
window.cameras.setCurrentText("wrist_2")
assert view.region is None
QtTest.QTest.mouseClick(window.whole_button, left)
QtTest.QTest.keyClick(window, QtCore.Qt.Key.Key_Return)
assert window.saved["wrist_2"].right == 160
file.unlink()
window.cameras.setCurrentText("wrist_1")
window.save()
assert "does not exist" in window.message.text(), window.message.text()
assert view.region == region
window.grab().save(str(shot))
preview = window.preview.pixmap().toImage()
colours = [preview.pixelColor(x, y) for x, y in ((2, 160), (317, 160))]
print(*(colour.red() for colour in colours))
QtTest.QTest.keyClick(window, QtCore.Qt.Key.Key_Escape)
assert not window.isVisible()
"""


def test_the_window_under_real_mouse_events(task_file, tmp_path):
    image, shot = picture_file(tmp_path), tmp_path / "window.png"
    command = [sys.executable, "-c", WINDOW, str(task_file), str(image), str(shot)]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    # Red is the column of the raw picture: the preview shows columns 40 to 100 and no others.
    left, right = (int(word) for word in done.stdout.split())
    assert abs(left - 40) <= 2
    assert abs(right - 99) <= 2
    window = cv2.imread(str(shot))
    assert window.shape[0] == 560
    # Outside of the region the picture is darker than inside.
    assert len(np.unique(window.reshape(-1, 3), axis=0)) > 100


def test_the_policys_input_is_that_of_the_observation_node(tmp_path):
    rgb = cv2.cvtColor(cv2.imread(str(picture_file(tmp_path))), cv2.COLOR_BGR2RGB)
    assert prepared(rgb, REGION, 60)[0, 0].tolist() == [40, 20, 0]


LIVE = """
import sys
from PySide6 import QtCore, QtTest, QtWidgets
from hilserl_cameras.crop import main

app = QtWidgets.QApplication([])
timer, left = QtCore.QTimer(), QtCore.Qt.MouseButton.LeftButton


def draw_and_save():
    window = next((widget for widget in app.topLevelWidgets() if hasattr(widget, "view")), None)
    if window is None or window.view.picture is None:
        return
    timer.stop()
    view = window.view
    QtTest.QTest.mousePress(view, left, pos=view.to_widget(8, 8).toPoint())
    QtTest.QTest.mouseMove(view, view.to_widget(40, 40).toPoint())
    QtTest.QTest.mouseRelease(view, left, pos=view.to_widget(40, 40).toPoint())
    window.save()
    window.close()


timer.timeout.connect(draw_and_save)
timer.start(20)
main(["--task", sys.argv[1], "--camera", "side"])
"""


def test_on_live_pictures_the_tool_starts_the_driver_that_nobody_runs(task_file, tmp_path):
    clip = str(tmp_path / "clip.avi")
    writer = cv2.VideoWriter(clip, cv2.VideoWriter.fourcc(*"MJPG"), 20, (64, 48))
    for k in range(60):
        writer.write(np.full((48, 64, 3), 4 * k, np.uint8))
    writer.release()
    text = CONFIG.read_text().replace("pacing: lockstep ", "pacing: realtime ")
    text = text.replace("scene:\n  name: ram_insertion\n", "").replace("kind: scripted", "kind: spacenav")
    camera = f"{{name: side, driver: v4l2, device: {clip}}}  # the one on the table"
    task_file.write_text(text.replace("{name: wrist_2, arm: arm}", camera))
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "ROS_DOMAIN_ID": str(own_domain())}
    command = [sys.executable, "-c", LIVE, str(task_file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "camera 'side': crop left 8, top 8, right 40, bottom 40" in done.stdout
    assert "bottom: 40}}  # the one on the table" in task_file.read_text()
    assert "Traceback" not in done.stderr
