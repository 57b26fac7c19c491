# SPDX-License-Identifier: Apache-2.0
"""Real recordings are cut, merged, thrown away and brought back."""

import resource
import subprocess
import sys

import numpy as np
import pytest
import yaml

from hilserl_ros.bags import EpisodeBagWriter, read_bag, read_episode
from hilserl_task import Task
from hilserl_task.frames import inverse, position_and_rotvec

FIELDS = ("states", "images", "actions", "sources", "rewards", "base_T_tcp")


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def same(first, second):
    return all(np.array_equal(getattr(first, field), getattr(second, field)) for field in FIELDS)


def test_trimming_the_start_restarts_the_episode_there(recorded, run_demos):
    bag = recorded / "episode_0000"
    before = read_episode(bag)
    code, out, _ = run_demos("trim", bag, "--from", 3)
    assert (code, f"{before.steps - 3} steps" in out) == (0, True)
    after = read_episode(bag)
    assert after.steps == before.steps - 3
    for field in ("actions", "sources", "rewards"):
        np.testing.assert_array_equal(getattr(after, field), getattr(before, field)[3:])
    np.testing.assert_array_equal(after.images, before.images[3:])
    np.testing.assert_array_equal(after.states[:, 6:], before.states[3:, 6:])  # only the pose is relative
    for step, state in enumerate(after.states):
        expected = position_and_rotvec(inverse(before.base_T_tcp[3]) @ before.base_T_tcp[3 + step])
        np.testing.assert_allclose(state[:6], expected, atol=1e-7)
    assert (after.outcome, after.terminated) == ("success", True)
    messages = read_bag(bag).messages
    arms = [m.message.arms[0] for m in messages if m.kind == "observation"]
    start = arms[0].pose
    assert all(arm.start_pose.position == start.position for arm in arms)
    summary = after.metadata["summary"]
    assert summary["duration_s"] == pytest.approx(0.1 * after.steps)
    assert summary["intervention_steps"] == int((after.sources == 1).sum())
    assert "frames 3 to" in after.metadata["trimmed"]
    states = [m.stamp_ns for m in messages if m.kind == "controller_state"]
    assert len(states) == after.steps + 1  # the high-rate states of the cut steps are gone, too


def test_trimming_nothing_of_the_start_leaves_every_bit(recorded, run_demos):
    bag = recorded / "episode_0001"
    before = read_episode(bag)
    assert run_demos("trim", bag, "--to", before.steps - 2, "--outcome", "success")[0] == 0
    after = read_episode(bag)
    np.testing.assert_array_equal(after.states, before.states[:-2])
    np.testing.assert_array_equal(after.images, before.images[:-2])
    assert after.rewards.tolist() == [0.0] * (after.steps - 1) + [1.0]  # the person's verdict
    assert after.metadata["summary"]["termination_reason"] == "operator"


def test_a_success_that_loses_its_end_needs_a_verdict(recorded, run_demos):
    bag = recorded / "episode_0000"
    code, _, error = run_demos("trim", bag, "--to", 5)
    assert code == 1
    assert "needs a verdict on frame 5" in error
    assert run_demos("trim", bag, "--to", 5, "--outcome", "failure")[0] == 0
    after = read_episode(bag)
    assert (after.outcome, after.terminated, after.rewards.sum()) == ("failure", False, 0.0)


@pytest.mark.parametrize(("first", "last"), [(-1, 5), (5, 5), (6, 5), (0, 999), (0, None)])
def test_steps_that_cannot_be_are_named(recorded, run_demos, first, last):
    last = read_episode(recorded / "episode_0000").steps if last is None else last
    code, _, error = run_demos("trim", recorded / "episode_0000", "--from", first, "--to", last)
    assert code == 1
    assert f"frames {first} to {last} must be" in error
    assert names(recorded) == ["episode_0000", "episode_0001", "episode_0002"]


def test_undo_swaps_a_trimmed_bag_and_its_original(recorded, run_demos):
    bag = recorded / "episode_0002"
    before = read_episode(bag)
    run_demos("trim", bag, "--from", 4)
    trimmed = read_episode(bag)
    assert run_demos("undo", recorded)[0] == 0
    assert same(read_episode(bag), before)
    assert run_demos("undo", recorded)[0] == 0
    assert same(read_episode(bag), trimmed)


def test_trim_beside_the_original(recorded, run_demos, tmp_path):
    run_demos("trim", recorded / "episode_0000", "--from", 1, "--out", tmp_path / "short")
    assert read_episode(tmp_path / "short").steps == read_episode(recorded / "episode_0000").steps - 1


def test_deleted_bags_come_back_in_reverse_order(recorded, run_demos):
    originals = {path: read_episode(path) for path in sorted(recorded.iterdir())}
    code, out, _ = run_demos("delete", recorded / "episode_0000", recorded / "episode_0002")
    assert code == 0
    assert "demos undo" in out
    assert names(recorded) == ["episode_0001"]
    assert "1 episodes" in run_demos("list", recorded)[1]
    run_demos("undo", recorded)
    assert names(recorded) == ["episode_0001", "episode_0002"]
    run_demos("undo", recorded)
    assert all(same(read_episode(path), episode) for path, episode in originals.items())
    code, _, error = run_demos("undo", recorded)
    assert (code, "nothing to undo" in error) == (1, True)


def test_a_number_that_is_taken_again_is_not_overwritten(recorded, run_demos):
    steps = read_episode(recorded / "episode_0002").steps
    run_demos("delete", recorded / "episode_0002")
    (recorded / "episode_0001").rename(recorded / "episode_0002")  # a new recording with the freed number
    assert "episode_0003 is back" in run_demos("undo", recorded)[1]
    assert names(recorded) == ["episode_0000", "episode_0002", "episode_0003"]
    assert read_episode(recorded / "episode_0003").steps == steps
    assert (recorded / "episode_0003" / "episode_0003.mcap").is_file()


def test_a_folder_of_bags_is_not_deleted_by_mistake(recorded, run_demos):
    code, _, error = run_demos("delete", recorded)
    assert (code, "is a folder of bags" in error) == (1, True)


def test_merge_copies_and_numbers_on(recorded, run_demos, tmp_path):
    out = tmp_path / "all"
    for count in (3, 6):
        code, text, _ = run_demos("merge", recorded, "--out", out)
        assert (code, len(names(out))) == (0, count)
    assert "3 episodes added, episode_0003 to episode_0005" in text
    for number in range(3):
        assert same(
            read_episode(out / f"episode_{3 + number:04d}"), read_episode(recorded / f"episode_{number:04d}")
        )
    info = yaml.safe_load((out / "episode_0004" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert info["relative_file_paths"] == ["episode_0004.mcap"]
    assert info["files"][0]["path"] == "episode_0004.mcap"


def rewritten(bag, path, **changes):
    """A bag whose task file differs."""
    found = read_bag(bag)
    task = yaml.safe_load(found.metadata["task_yaml"])
    for key, value in changes.items():
        task["arms"][0]["action"][key] = value
    text = yaml.safe_dump(Task.model_validate(task).model_dump(mode="json"))
    with EpisodeBagWriter(path, None, {**found.metadata, "task_yaml": text}) as writer:
        for entry in found.messages:
            writer.write(entry.topic, entry.message, entry.stamp_ns)


def test_merge_refuses_another_configuration_and_names_the_difference(recorded, run_demos, tmp_path):
    rewritten(recorded / "episode_0000", tmp_path / "other" / "episode_0000", translation_scale_m=0.02)
    code, _, error = run_demos("merge", recorded, tmp_path / "other", "--out", tmp_path / "all")
    assert code == 1
    assert "arms.0.action.translation_scale_m: 0.02 here, 0.01 there" in error
    assert not (tmp_path / "all").exists()


def test_merge_refuses_a_damaged_bag(recorded, run_demos, tmp_path):
    next((recorded / "episode_0001").glob("*.mcap")).write_bytes(b"")
    code, _, error = run_demos("merge", recorded, "--out", tmp_path / "all")
    assert (code, "episode_0001: unreadable" in error) == (1, True)
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize(
    "arguments", [("merge", "{demos}", "--out", "{out}"), ("trim", "{demos}/episode_0000", "--from", "1")]
)
def test_a_full_disk_leaves_what_was(recorded, tmp_path, arguments):
    """A file size limit: writing fails as on a full disk."""
    before = read_episode(recorded / "episode_0000")
    filled = [text.format(demos=recorded, out=tmp_path / "all") for text in arguments]
    result = subprocess.run(
        [sys.executable, "-m", "hilserl_recorder.demos", *filled],
        capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )  # fmt: skip
    assert result.returncode == 1
    assert "not writable" in result.stderr
    assert "Traceback" not in result.stderr
    assert names(recorded) == ["episode_0000", "episode_0001", "episode_0002"]
    assert same(read_episode(recorded / "episode_0000"), before)
    assert not list(recorded.glob(".partial-*"))
    assert not list(tmp_path.glob("all/*"))
