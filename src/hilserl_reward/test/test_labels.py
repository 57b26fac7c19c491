# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from hilserl_reward import labels as labels_module
from hilserl_reward.gripper_states import gripper_states
from hilserl_reward.label_assembler import Frame, LabelAssembler
from hilserl_reward.label_set import load_label_set
from hilserl_reward.labels import (
    UNDECIDED,
    EpisodeLabels,
    LabelError,
    check_folder,
    count_classes,
    count_labels,
    label_files,
    last_press,
    next_label_file,
    read_all_labels,
    read_labels,
    undo_last_press,
    write_labels,
)
from hilserl_task import load_task

CAMERAS = ("wrist_1", "wrist_2")


def episode(frames=4, positives=1, size=32, cameras=CAMERAS):
    labels = np.arange(frames) >= frames - positives
    images = np.arange(frames * len(cameras), dtype=np.uint8).reshape(frames, len(cameras), 1, 1, 1)
    return EpisodeLabels(
        np.broadcast_to(images, (frames, len(cameras), size, size, 3)).copy(),
        labels,
        np.full((frames, 18), 0.5, np.float32),
        np.tile(np.eye(4), (frames, 1, 1, 1)),
        cameras,
    )


def test_files_are_numbered_on_and_read_back(tmp_path):
    for count in (3, 5):
        write_labels(next_label_file(tmp_path), episode(count))
    (tmp_path / "episode_0001.npz.part").write_bytes(b"left by a crash")
    assert [path.name for path in label_files(tmp_path)] == ["episode_0000.npz", "episode_0001.npz"]
    read = read_labels(tmp_path / "episode_0001.npz")
    np.testing.assert_array_equal(read.images, episode(5).images)
    np.testing.assert_array_equal(read.labels, [False] * 4 + [True])
    assert read.camera_names == CAMERAS
    assert count_labels(tmp_path) == (2, 6)


def test_a_missing_number_is_never_filled_in(tmp_path):
    write_labels(tmp_path / "episode_0007.npz", episode())
    assert next_label_file(tmp_path).name == "episode_0008.npz"


def test_a_file_that_a_running_training_adds_while_others_are_read_comes_next_time(tmp_path, monkeypatch):
    task = load_task("ram_insertion", ["observation.image_size=32"])
    cameras = tuple(camera.name for camera in task.cameras)
    write_labels(next_label_file(tmp_path), episode(4, cameras=cameras))

    def read_and_add(path):
        read = read_labels(path)
        write_labels(next_label_file(tmp_path), episode(7, cameras=cameras))
        return read

    monkeypatch.setattr(labels_module, "read_labels", read_and_add)
    found = load_label_set(tmp_path, task)
    assert [path.name for path in found.files] == ["episode_0000.npz"]
    assert len(found.kinds) == len(found.images) == 4


def test_cameras_are_selected_in_the_order_asked_for(tmp_path):
    write_labels(next_label_file(tmp_path), episode())
    (read,) = read_all_labels(tmp_path, ("wrist_2",), 32).values()
    assert read.images.shape == (4, 1, 32, 32, 3)
    assert read.images[0, 0, 0, 0, 0] == 1


@pytest.mark.parametrize(
    ("cameras", "size", "text"),
    [(("side",), 32, "camera 'side'"), (CAMERAS, 64, "32x32.*image_size: 64")],
)
def test_labels_of_another_task_are_refused(tmp_path, cameras, size, text):
    write_labels(next_label_file(tmp_path), episode())
    with pytest.raises(LabelError, match=text):
        read_all_labels(tmp_path, cameras, size)
    with pytest.raises(LabelError, match=text):
        check_folder(tmp_path, cameras, size)


def test_an_empty_folder_is_named_and_may_be_begun(tmp_path):
    check_folder(tmp_path / "labels", CAMERAS, 32)
    with pytest.raises(LabelError, match="run collect_labels first"):
        read_all_labels(tmp_path / "labels", CAMERAS, 32)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 torn"])
def test_a_torn_file_is_named(tmp_path, content):
    (tmp_path / "episode_0000.npz").write_bytes(content)
    with pytest.raises(LabelError, match=r"episode_0000\.npz: not readable"):
        read_labels(tmp_path / "episode_0000.npz")


def test_a_missing_array_is_named(tmp_path):
    np.savez(tmp_path / "episode_0000.npz", labels=np.zeros(3, bool))
    with pytest.raises(LabelError, match="array 'images' is missing"):
        read_labels(tmp_path / "episode_0000.npz")


def test_arrays_of_unequal_length_are_refused(tmp_path):
    good = episode()
    wrong = EpisodeLabels(good.images, good.labels[:2], good.states, good.base_T_tcp, CAMERAS)
    write_labels(tmp_path / "episode_0000.npz", wrong)
    with pytest.raises(LabelError, match="differ in length"):
        read_labels(tmp_path / "episode_0000.npz")


def frame(value):
    return Frame(np.full((2, 32, 32, 3), value, np.uint8), np.full(18, value, np.float32), np.eye(4)[None])


def test_frame_k_is_labelled_by_the_answer_to_it_in_any_order_of_arrival():
    assembler = LabelAssembler(CAMERAS)
    assembler.add_label(4, 1, True)
    assembler.add_frame(4, 0, frame(10))
    assembler.add_frame(4, 2, frame(12))  # the last observation gets no answer
    assembler.add_frame(4, 1, frame(11))
    assembler.add_label(4, 0, False)
    assert assembler.count_open() == [1, 1]
    closed = assembler.close(4)
    assert closed.labels.tolist() == [False, True]
    assert closed.images[:, 0, 0, 0, 0].tolist() == [10, 11]
    assert assembler.count_open() == [0, 0]
    assert assembler.close(4) is None


def test_an_episode_without_a_labelled_frame_leaves_no_file():
    assembler = LabelAssembler(CAMERAS)
    assembler.add_frame(1, 0, frame(0))
    assert assembler.open_episodes() == [1]
    assert assembler.close(1) is None
    assert assembler.open_episodes() == []


def test_an_episode_that_is_over_waits_for_what_is_still_on_its_way():
    assembler = LabelAssembler(CAMERAS)
    assembler.add_frame(1, 0, frame(0))
    assembler.expect(1, 1)
    assert not assembler.is_complete(1)
    assembler.add_label(1, 0, True)
    assert assembler.is_complete(1)
    assert assembler.close(1).positives == 1


def test_what_comes_after_closing_is_ignored_until_the_number_is_used_again():
    assembler = LabelAssembler(CAMERAS)
    assembler.add_frame(1, 0, frame(0))
    assembler.close(1)
    assembler.add_label(1, 5, True)
    assembler.add_frame(1, 5, frame(0))
    assert assembler.open_episodes() == []
    assembler.add_frame(1, 0, frame(3))
    assembler.add_label(1, 0, False)
    assert assembler.close(1).negatives == 1


def test_a_label_that_comes_before_the_first_frame_is_kept():
    assembler = LabelAssembler(CAMERAS)
    assembler.add_frame(1, 0, frame(0))
    assembler.add_label(2, 0, True)
    assert assembler.episodes_before(2) == [1]
    assembler.add_frame(2, 0, frame(0))
    assert assembler.count_open() == [0, 1]
    assert assembler.episodes_before(2) == [1, 2]


def test_frames_know_their_step_and_the_state_of_every_gripper():
    task = load_task("ram_insertion", ["arms.0.gripper.mode=learned", "arms.0.gripper.position=1.0"])
    assembler = LabelAssembler(CAMERAS, gripper_states=partial(gripper_states, task))
    for step, command in enumerate([0.0, -1.0, 0.0, 1.0, 0.0]):
        action = np.array([0.0] * 6 + [command])
        assembler.add_frame(0, step, frame(step))
        # Frame 2 was taken back; its action counts all the same.
        assembler.add_label(0, step, None if step == 2 else step == 4, action)
    closed = assembler.close(0)
    assert closed.steps.tolist() == [0, 1, 3, 4]
    assert closed.gripper_open.tolist() == [[True], [True], [False], [True]]


def test_states_after_a_lost_action_are_not_known():
    task = load_task("ram_insertion", ["arms.0.gripper.mode=learned", "arms.0.gripper.position=1.0"])
    actions = {step: np.zeros(7) for step in (0, 1, 3)}
    assert gripper_states(task, actions, [0, 2]).tolist() == [[True], [True]]
    assert gripper_states(task, actions, [0, 3]) is None
    assert gripper_states(task, {0: np.zeros(6)}, [1]) is None
    assert gripper_states(load_task("ram_insertion"), {0: np.zeros(6)}, [1]) is None


def test_arms_grippers_and_steps_are_read_back(tmp_path):
    poses = np.tile(np.eye(4), (4, 2, 1, 1))
    poses[:, 1, 0, 3] = [1, 2, 3, 4]
    states, steps = np.array([[True, False]] * 3 + [[False, False]]), np.array([0, 1, 5, 6])
    path = tmp_path / "episode_0000.npz"
    write_labels(path, replace(episode(), base_T_tcp=poses, gripper_open=states, steps=steps))
    read = read_labels(path)
    np.testing.assert_array_equal(read.base_T_tcp, poses)
    part = read.chosen([1, 3])
    assert part.gripper_open.tolist() == [[True, False], [False, False]]
    assert part.steps.tolist() == [1, 6]
    write_labels(path, replace(read, steps=steps[:2]))
    with pytest.raises(LabelError, match="differ in length"):
        read_labels(path)


def test_files_of_old_hold_one_arm_without_an_axis(tmp_path):
    path = tmp_path / "episode_0000.npz"
    write_labels(path, replace(episode(), base_T_tcp=np.tile(np.eye(4), (4, 1, 1))))
    read = read_labels(path)
    assert read.base_T_tcp.shape == (4, 1, 4, 4)
    assert (read.gripper_open, read.steps) == (None, None)


def of_classes(kinds, names=("a", "b", "lost")):
    plain = episode(len(kinds), positives=0)
    return replace(plain, classes=np.array(kinds, np.int16), class_names=names)


def test_classes_are_numbered_as_the_task_does_now(tmp_path):
    write_labels(next_label_file(tmp_path), of_classes([0, 2, UNDECIDED]))
    assert count_classes(tmp_path, ("lost", "a")) == [1, 1]
    (read,) = read_all_labels(tmp_path, CAMERAS, 32, ("lost", "b", "a")).values()
    assert read.kinds.tolist() == [2, 0, UNDECIDED]
    with pytest.raises(LabelError, match="class 'lost' is not one of"):
        read_all_labels(tmp_path, CAMERAS, 32, ("a", "b"))


def test_labels_with_and_without_classes_do_not_mix(tmp_path):
    write_labels(next_label_file(tmp_path), episode())
    with pytest.raises(LabelError, match="success or not"):
        read_all_labels(tmp_path, CAMERAS, 32, ("a", "b"))


@pytest.mark.parametrize(
    ("kinds", "classes", "frames"),
    [
        ([0, 1, 1, 0, 1, 1, 0], False, [4, 5]),
        ([0, 0], False, []),
        ([1, 1], False, [0, 1]),
        ([0, 0, 2, 2], True, [2, 3]),
        ([], True, []),
    ],
)
def test_the_last_press_is_the_last_row_of_one_kind(kinds, classes, frames):
    assert last_press(np.array(kinds, int), classes).tolist() == frames


def test_a_press_is_taken_back_press_by_press_from_the_newest_file_on(tmp_path):
    for positives in (2, 1, 0):
        write_labels(next_label_file(tmp_path), episode(4, positives))
    path, taken = undo_last_press(tmp_path)
    assert (path.name, len(taken.labels)) == ("episode_0001.npz", 1)
    assert count_labels(tmp_path) == (2, 9)
    undo_last_press(tmp_path)
    assert count_labels(tmp_path) == (0, 9)
    assert undo_last_press(tmp_path) is None


def test_what_was_kept_while_training_is_no_press(tmp_path):
    write_labels(next_label_file(tmp_path), replace(episode(), origin={"session": "s", "episode": 3}))
    assert undo_last_press(tmp_path) is None
    assert read_labels(tmp_path / "episode_0000.npz").origin == {"session": "s", "episode": 3}


def test_a_full_disk_leaves_the_old_labels_and_no_rest(tmp_path, monkeypatch):
    path = next_label_file(tmp_path)
    write_labels(path, episode(4))
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_labels(path, episode(9))
    assert len(read_labels(path).labels) == 4
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_frames_without_a_button_are_left_out_of_classes():
    assembler = LabelAssembler(CAMERAS, ("a", "b"), success_class=1)
    for step, kind in enumerate([None, 0, 1, 1]):
        assembler.add_frame(0, step, frame(step))
        assembler.add_label(0, step, kind)
    assembler.expect(0, 4)
    assert assembler.is_complete(0)
    assert assembler.count_open() == [1, 2]
    assert assembler.undo() == 2
    assert assembler.count_open() == [1, 0]
    assembler.add_label(0, 3, 1)
    closed = assembler.close(0)
    assert closed.classes.tolist() == [0, 1]
    assert closed.labels.tolist() == [False, True]
