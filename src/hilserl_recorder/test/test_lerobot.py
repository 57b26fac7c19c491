# SPDX-License-Identifier: Apache-2.0
"""Recorded demonstrations to LeRobotDataset v3.0 and back, and datasets of others."""

import json
import resource
import subprocess
import sys

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hilserl_recorder import lerobot_format as layout
from hilserl_ros.bags import read_bag, read_episode

FIELDS = ("states", "images", "actions", "sources", "rewards", "base_T_tcp")


def bags(folder):
    return [read_episode(path) for path in sorted(folder.glob("episode_*"))]


@pytest.fixture
def exported(recorded, tmp_path, run_demos):
    code, out, error = run_demos("export", recorded, "--out", tmp_path / "dataset")
    assert code == 0, error
    frames = sum(episode.steps for episode in bags(recorded))
    assert f"LeRobotDataset v3.0, 3 episodes, {frames} frames" in out
    return tmp_path / "dataset"


def test_there_and_back_every_bit_is_the_same(recorded, exported, tmp_path, run_demos):
    code, _, error = run_demos("import", exported, "--out", tmp_path / "back", "--task", "ram_insertion")
    assert code == 0, error
    back = bags(tmp_path / "back")
    assert len(back) == 3
    for before, after in zip(bags(recorded), back, strict=True):
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(after, field), getattr(before, field), err_msg=field)
        assert after.metadata["summary"] == before.metadata["summary"]
        assert after.metadata["recorded_at"] == before.metadata["recorded_at"]
        assert after.metadata["imported_from"].startswith("LeRobotDataset dataset, episode")
    assert "LeRobotDataset dataset" in run_demos("list", tmp_path / "back")[1]
    message = next(m.message for m in read_bag(tmp_path / "back" / "episode_0000").messages)
    assert message.arms[0].name == "arm"


def test_the_layout_is_lerobots(exported, recorded):
    """What lerobot 0.4.4 reads: its loaders, run on such a dataset, take it with and without video."""
    lengths = [episode.steps for episode in bags(recorded)]
    ends = np.cumsum(lengths).tolist()
    info = json.loads((exported / "meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["total_frames"]) == ("v3.0", 10, ends[-1])
    assert info["splits"] == {"train": "0:3"}
    table = pq.read_table(exported / "data/chunk-000/file-000.parquet")
    assert table.column_names == list(info["features"])
    assert table.schema.field("observation.state").type == pa.list_(pa.float32(), 18)
    assert table.schema.field("observation.images.wrist_1").type == pa.struct(
        [("bytes", pa.binary()), ("path", pa.string())]
    )
    assert table.schema.field("next.done").type == pa.bool_()
    np.testing.assert_array_equal(table["index"].to_numpy(), np.arange(ends[-1]))
    expected = np.concatenate([np.arange(length) / 10 for length in lengths]).astype(np.float32)
    np.testing.assert_array_equal(table["timestamp"].to_numpy(), expected)
    rows = pq.read_table(exported / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    places = [(row["dataset_from_index"], row["dataset_to_index"]) for row in rows]
    assert places == list(zip([0, *ends[:-1]], ends, strict=True))
    assert rows[0]["tasks"] == ["Insert a RAM stick, held by the gripper, into its slot on a motherboard."]
    tasks = pq.read_table(exported / "meta/tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]
    stats = json.loads((exported / "meta/stats.json").read_text())
    actions = np.concatenate([episode.actions for episode in bags(recorded)])
    np.testing.assert_allclose(stats["action"]["mean"], actions.mean(axis=0), rtol=1e-5)
    assert stats["action"]["count"] == [ends[-1]]
    assert np.shape(stats["observation.images.wrist_1"]["std"]) == (3, 1, 1)
    assert 0 < np.ravel(stats["observation.images.wrist_1"]["mean"])[0] < 1


def test_as_video_all_but_the_pictures_is_exact(recorded, tmp_path, run_demos):
    assert run_demos("export", recorded, "--out", tmp_path / "dataset", "--video")[0] == 0
    info = json.loads((tmp_path / "dataset/meta/info.json").read_text())
    assert info["features"]["observation.images.wrist_2"]["info"]["video.codec"] == "h264"
    assert (
        run_demos("import", tmp_path / "dataset", "--out", tmp_path / "back", "--task", "ram_insertion")[0]
        == 0
    )
    for before, after in zip(bags(recorded), bags(tmp_path / "back"), strict=True):
        for field in ("states", "actions", "sources", "rewards", "base_T_tcp"):
            np.testing.assert_array_equal(getattr(after, field), getattr(before, field))
        errors = np.abs(after.images[:-1].astype(float) - before.images[:-1])
        assert errors.mean() < 5  # compressed, but the right frame of the right camera:
        swapped = np.abs(after.images[:-1, ::-1].astype(float) - before.images[:-1])
        assert errors.mean() < swapped.mean() / 4


def foreign(root, steps=5, fps=10, size=64, state=18, version="v3.0", **columns):
    """A dataset as lerobot writes it, without anything of ours: one episode, one camera `front`."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (steps, size, size, 3), dtype=np.uint8)
    cells = [{"bytes": cv2.imencode(".png", p)[1].tobytes(), "path": None} for p in pictures]
    reward = np.zeros(steps, np.float32)
    reward[-1] = 1.0
    content = {
        "observation.state": rng.uniform(-0.1, 0.1, (steps, state)).astype(np.float32).tolist(),
        "observation.images.front": pa.array(cells),
        "action": rng.uniform(-1, 1, (steps, 6)).astype(np.float32).tolist(),
        "next.reward": reward,
        "frame_index": np.arange(steps), "episode_index": np.zeros(steps, int), "index": np.arange(steps),
        **columns,
    }  # fmt: skip
    content = {name: values for name, values in content.items() if values is not None}
    shapes = {"observation.state": [state], "observation.images.front": [size, size, 3], "action": [6]}
    features = {
        name: {
            "dtype": "image" if "images" in name else "float32",
            "shape": shapes.get(name, [1]),
            "names": None,
        }
        for name in content
    }
    info = {"codebase_version": version, "fps": fps, "features": features, "video_path": None}
    for file, table in (
        (layout.DATA, pa.table(content)),
        (layout.EPISODES, pa.table({"episode_index": [0], "length": [steps]})),
    ):
        path = root / file.format(chunk_index=0, file_index=0)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    (root / layout.INFO).write_text(json.dumps(info))
    return content, pictures[..., ::-1]


@pytest.fixture
def one_camera(tmp_path):
    """RAM insertion with one camera."""
    import yaml

    from hilserl_task import load_task

    task = load_task("ram_insertion").model_dump(mode="json")
    task["cameras"] = task["cameras"][:1]
    path = tmp_path / "one_camera.yaml"
    path.write_text(yaml.safe_dump(task))
    return path


def test_a_dataset_of_somebody_else(tmp_path, run_demos, one_camera):
    intervened = np.array([False, True, True, False, True])
    content, pictures = foreign(tmp_path / "theirs", **{"complementary_info.is_intervention": intervened})
    arguments = ("--out", tmp_path / "bags", "--task", one_camera, "--camera", "wrist_1=front")
    code, _, error = run_demos("import", tmp_path / "theirs", *arguments)
    assert code == 0, error
    (episode,) = bags(tmp_path / "bags")
    np.testing.assert_array_equal(episode.states[:-1], np.array(content["observation.state"], np.float32))
    np.testing.assert_array_equal(episode.states[-1], episode.states[-2])  # nobody knows what came after
    np.testing.assert_array_equal(episode.actions, np.array(content["action"], np.float32))
    assert episode.images.shape == (6, 1, 128, 128, 3)
    resized = cv2.resize(pictures[2], (128, 128), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(episode.images[2, 0], resized)
    assert episode.sources.tolist() == [0, 1, 1, 0, 1]
    assert episode.rewards.tolist() == [0, 0, 0, 0, 1]
    assert (episode.outcome, episode.terminated) == ("success", True)
    assert "last frame once more" in episode.metadata["import_notes"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"version": "v2.1"}, "version v2.1, must be v3; convert it with lerobot"),
        ({"state": 7}, r"observation.state [7], must be [18]"),
        ({"fps": 30}, "30 frames a second, must be 10"),
        ({"next.reward": None}, "neither next.reward nor next.success"),
        ({"action": [[2.0] * 6] * 5}, "an action value of 2, must be within -1 to 1"),
        ({"action": [[float("nan")] * 6] * 5}, "actions not finite"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, run_demos, one_camera, changes, text):
    foreign(tmp_path / "theirs", **changes)
    arguments = ("--out", tmp_path / "bags", "--task", one_camera, "--camera", "wrist_1=front")
    code, _, error = run_demos("import", tmp_path / "theirs", *arguments)
    assert code == 1
    assert text in error
    assert not list(tmp_path.glob("bags/*"))


def test_cameras_that_are_not_there(tmp_path, run_demos, one_camera):
    foreign(tmp_path / "theirs")
    arguments = ("import", tmp_path / "theirs", "--out", tmp_path / "bags", "--task", one_camera)
    assert "has no observation.images.wrist_1, only ['observation.images.front']" in run_demos(*arguments)[2]
    assert "side is no camera of task" in run_demos(*arguments, "--camera", "side=front")[2]


@pytest.mark.parametrize(
    "damage", ["data/chunk-000/file-000.parquet", "meta/info.json", "meta/hilserl/episodes.parquet"]
)
def test_a_damaged_dataset_is_named(exported, tmp_path, run_demos, damage):
    (exported / damage).write_bytes(b"nothing")
    code, _, error = run_demos("import", exported, "--out", tmp_path / "back", "--task", "ram_insertion")
    assert code == 1
    assert str(exported) in error


def test_nothing_is_overwritten_and_no_half_dataset_stays(recorded, exported, tmp_path, run_demos):
    assert "exists already" in run_demos("export", recorded, "--out", exported)[2]
    result = subprocess.run(
        [sys.executable, "-m", "hilserl_recorder.demos", "export", recorded, "--out", tmp_path / "full"],
        capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )  # fmt: skip
    assert result.returncode == 1, result.stderr
    assert "full not writable" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob("*full*"))
