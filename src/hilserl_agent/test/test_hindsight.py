# SPDX-License-Identifier: Apache-2.0
"""Goals that the robot finds afterwards: by success, by the commands to its grippers, one a head."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hilserl_agent.heads import Head, heads_of
from hilserl_agent.hindsight import label_episode, label_frames
from hilserl_agent.marked_episodes import MarkedEpisode, read_label_files
from hilserl_learning.pose_targets import NearGoal
from hilserl_task import load_task

PERIOD_S = 0.1
SETTLING = 4  # frames that 0.4 s are
FIXED = [Head("arm", 0, None, NearGoal())]
GRIPPER = [Head("arm/open", 0, True, NearGoal()), Head("arm/closed", 0, False, NearGoal())]


def episode(states: str, success: int | None = -1, steps=None, arms: int = 1) -> MarkedEpisode:
    """Frames of one arm, `o` with the gripper commanded open, `c` closed; frame k is k cm along x."""
    count = len(states)
    poses = np.tile(np.eye(4), (count, arms, 1, 1))
    poses[:, :, 0, 3] = 0.01 * np.arange(count)[:, None]
    marks = np.zeros(count, bool)
    if success is not None:
        marks[success] = True
    images = np.zeros((count, 1, 4, 4, 3), np.uint8)
    is_open = np.array([[letter == "o"] * arms for letter in states])
    return MarkedEpisode(images, poses, marks, is_open, steps)


def goals(labels) -> list[list[int | None]]:
    """Of each head: number of the frame that is each frame's goal; None: no label."""
    frame = np.arange(len(labels))[:, None]
    found = np.round(frame - 100 * labels[:, :, 0])
    return [[None if np.isnan(goal) else int(goal) for goal in column] for column in found.T]


NONE = [None]


def test_grasp_carry_release():
    labels = label_episode(episode("oooccccccccoo"), GRIPPER, PERIOD_S)
    opened, closed = goals(labels)
    # The gripper was told to close at frame 2 and to open at frame 10; the fingers settle for 0.4 s.
    assert opened == [2] * 3 + NONE * 10
    assert closed == NONE * (3 + SETTLING) + [10] * 4 + NONE * 2
    assert np.isnan(labels[4]).all()


def test_success_while_closed_is_the_goal_of_the_hand():
    _, closed = goals(label_episode(episode("oocccccccc", success=8), GRIPPER, PERIOD_S))
    assert closed == NONE * (2 + SETTLING) + [8] * 4  # also after it: the object sits the same in the hand


def test_closing_in_step_0():
    opened, closed = goals(label_episode(episode("occcccc"), GRIPPER, PERIOD_S))
    assert opened == [0] + NONE * 6
    assert closed == NONE * (1 + SETTLING) + [6] * 2


def test_a_gripper_that_begins_closed_has_nothing_to_close_for():
    opened, closed = goals(label_episode(episode("cccoo"), GRIPPER, PERIOD_S))
    assert opened == NONE * 5
    assert closed == [2] * 3 + NONE * 2  # nothing settles: no command was given


def test_a_missed_grasp_is_no_goal_but_what_came_before_counts():
    still = episode("oocoocccccco")
    still.base_T_tcp[1:4, 0, 0, 3] = 0.01  # the hand stays where it closed on nothing
    labels = label_episode(still, GRIPPER, PERIOD_S)
    known = ~np.isnan(labels[:, :, 0])
    assert known[:, 0].tolist() == [True, True, False, True, True] + [False] * 7
    np.testing.assert_allclose(labels[known[:, 0], 0, 0], [-0.04, -0.03, -0.03, 0.0], atol=1e-6)
    assert known[:, 1].tolist() == [False] * 9 + [True] * 2 + [False]


def test_after_a_drop_only_what_sees_the_object_where_it_fell_is_labelled():
    opened, closed = goals(label_episode(episode("ooccccccooocccccco"), GRIPPER, PERIOD_S))
    assert opened == NONE * 8 + [10] * 3 + NONE * 7  # it was carried 6 cm before it fell
    assert closed == NONE * 15 + [16] * 2 + NONE


def test_a_grasp_after_success_says_nothing():
    opened, closed = goals(label_episode(episode("oocccccccoooccc", success=9), GRIPPER, PERIOD_S))
    assert opened == [1] * 2 + NONE * 13
    assert closed == NONE * 6 + [8] * 3 + NONE * 6


def test_what_happened_in_a_gap_is_not_known():
    steps = np.array([0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12])  # between 2 and 5 it may have dropped the object
    labels = label_episode(episode("ooccccccccc", steps=steps), GRIPPER, PERIOD_S)
    assert np.isnan(labels[:, 0]).all()
    assert goals(labels)[1] == NONE * 3 + [10] * 8


def test_no_success_and_no_grasp_give_no_label():
    assert label_episode(episode("ooccccccco", success=None), GRIPPER, PERIOD_S) is None
    assert label_episode(episode("oooo"), GRIPPER, PERIOD_S) is None
    unknown = episode("oocccccccccoo")
    unknown = MarkedEpisode(unknown.images, unknown.base_T_tcp, unknown.success)
    assert label_episode(unknown, GRIPPER, PERIOD_S) is None


def test_every_arm_has_its_own_goals_in_its_own_base_frame():
    handover = episode("oooccccccccoo", arms=2)
    left_T_moved = np.eye(4)
    left_T_moved[:3, :3], left_T_moved[:3, 3] = Rotation.from_rotvec([0.3, 0.2, 2.0]).as_matrix(), [1, 2, 3]
    handover.base_T_tcp[:, 1] = left_T_moved @ handover.base_T_tcp[:, 1]
    handover.gripper_open[:, 1] = [letter == "o" for letter in "oooooooocccccc"[:13]]
    heads = [*GRIPPER, Head("right/open", 1, True, NearGoal()), Head("right/closed", 1, False, NearGoal())]
    left_open, left_closed, right_open, right_closed = goals(label_episode(handover, heads, PERIOD_S))
    assert left_open == [2] * 3 + NONE * 10
    assert left_closed == NONE * 7 + [10] * 4 + NONE * 2
    assert right_open == [7] * 8 + NONE * 5
    assert right_closed == NONE * 12 + [12]


def test_labels_are_relative_to_the_pose_at_success():
    base_T_goal = np.eye(4)
    base_T_goal[:3, :3] = Rotation.from_rotvec([0.0, 0.0, 0.5]).as_matrix()
    base_T_goal[:3, 3] = [0.5, 0.1, 0.05]
    goal_T_above = np.eye(4)
    goal_T_above[:3, 3] = [0.01, 0.0, 0.03]
    poses = np.stack([base_T_goal @ goal_T_above, base_T_goal, base_T_goal])
    images = np.zeros((3, 1, 4, 4, 3), np.uint8)
    labels = label_episode(MarkedEpisode(images, poses[:, None], np.array([0, 1, 1], bool)), FIXED, PERIOD_S)
    np.testing.assert_allclose(labels[0, 0], [0.01, 0, 0.03, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(labels[1:], 0, atol=1e-6)


def test_frames_of_an_episode_share_a_group():
    failed, done = episode("oo", success=None), episode("oo")
    frames = label_frames([failed, done, done], FIXED, PERIOD_S)
    assert frames.images.shape == (4, 1, 4, 4, 3)
    assert frames.targets.shape == (4, 1, 6)
    assert frames.groups.tolist() == [1, 1, 2, 2]
    with pytest.raises(ValueError, match="none of the 1 episodes"):
        label_frames([failed], FIXED, PERIOD_S)


def test_a_head_without_a_frame_is_named_with_what_to_do():
    cases = [episode("oooo"), episode("ooccccccco", success=None)]
    with pytest.raises(ValueError, match=r"'arm/open': no frame.*2 episodes 1 succeed.*'arm' closes; record"):
        label_frames(cases, GRIPPER, PERIOD_S)
    too_short = episode("ooccco")  # released before the fingers rested
    with pytest.raises(ValueError, match=r"'arm/closed': no frame.*gripper\.mode: fixed"):
        label_frames([too_short], GRIPPER, PERIOD_S)


def test_a_gripper_that_begins_closed_may_do_without_its_open_head():
    heads = [Head("arm/open", 0, True, NearGoal(), needed=False), GRIPPER[1]]
    frames = label_frames([episode("cccoo")] * 2, heads, PERIOD_S)
    assert [head.name for head in frames.heads] == ["arm/closed"]
    assert frames.targets.shape == (10, 1, 6)


def test_heads_of_tasks(kit):
    assert [(head.name, head.gripper_open) for head in heads_of(kit.small_task())] == [("arm", None)]
    learned = kit.small_task("arms.0.gripper.mode=learned", "arms.0.gripper.position=1.0")
    assert [(head.name, head.gripper_open, head.needed) for head in heads_of(learned)] == [
        ("arm/open", True, True),
        ("arm/closed", False, True),
    ]
    shut = kit.small_task("arms.0.gripper.mode=learned", "arms.0.gripper.position=0.0")
    assert [head.needed for head in heads_of(shut)] == [False, True]


def test_an_arm_that_throws_has_no_head_and_all_frames_are_looked_at():
    assert heads_of(load_task("object_flipping")) == ()
    found = label_frames([episode("oooo"), episode("ooo", success=None)], (), 0.05)
    assert found.targets.shape == (7, 0, 6)
    assert len(found.images) == 7
    assert found.groups.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_unreadable_label_file_is_named(tmp_path):
    (tmp_path / "episode_0000.npz").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"episode_0000\.npz"):
        read_label_files(tmp_path)
    (tmp_path / "episode_0000.npz").unlink()
    np.savez(tmp_path / "episode_0001.npz", images=np.zeros(1))
    with pytest.raises(ValueError, match=r"episode_0001\.npz"):
        read_label_files(tmp_path)


def old_label_file(path):
    """One arm, without gripper commands and steps."""
    np.savez(path, images=np.zeros((2, 1, 8, 8, 3)), labels=np.ones(2), base_T_tcp=np.stack([np.eye(4)] * 2))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_a_truncated_label_file_is_named(tmp_path, share):
    path = tmp_path / "episode_0000.npz"
    old_label_file(path)
    assert len(read_label_files(tmp_path)) == 1
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"episode_0000\.npz.*collect labels again"):
        read_label_files(tmp_path)


def test_older_label_files_hold_one_arm_and_no_gripper(tmp_path):
    old_label_file(tmp_path / "episode_0000.npz")
    (read,) = read_label_files(tmp_path)
    assert read.base_T_tcp.shape == (2, 1, 4, 4)
    assert read.gripper_open is None
    assert label_episode(read, FIXED, PERIOD_S).shape == (2, 1, 6)
    with pytest.raises(ValueError, match=r"episode_0000\.npz: base_T_tcp has shape .* for 2 arm"):
        read_label_files(tmp_path, arms=2)
