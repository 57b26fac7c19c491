# SPDX-License-Identifier: Apache-2.0
"""Read-outs that tell several poses, each fitted on frames of its own; one pose is told as it always was."""

import numpy as np
import pytest
import torch
from synthetic_scene import scene

from hilserl_learning import readout, tensors
from hilserl_learning.errors import LearningError
from hilserl_learning.perception import Perception, keep_near
from hilserl_learning.pose_targets import FEW_FRAMES, NearGoal

HEADS = ("arm/open", "arm/closed")
TRUNK = {"width": 0.125, "components": 8, "stages": 1, "map_size": 8}


@pytest.fixture(scope="module")
def data():
    torch.set_num_threads(1)
    return scene(episodes=8, frames=20)


@pytest.fixture(scope="module")
def two(data):
    """`open` is the pose of the first 12 frames of each episode, `closed` half of it, of the last 6."""
    images, poses, groups = data
    targets = np.full((len(poses), 2, 6), np.nan)
    in_episode = np.arange(len(poses)) % 20
    targets[in_episode < 12, 0] = poses[in_episode < 12]
    targets[in_episode >= 14, 1] = 0.5 * poses[in_episode >= 14]
    perception = Perception(2, heads=HEADS, **TRUNK)
    return perception, perception.fit_readout(images, targets, groups), targets


def one_pose(features, targets, groups, components):
    """The fit as it was before there were heads; the strength is chosen by `choose_ridge`."""
    mean, deviation = features.mean(0), features.std(0)
    scale = 1.0 / np.maximum(deviation, 0.05 * float(deviation.mean()) + 1e-12)
    x = (features - mean) * scale
    gram = (x @ x.T).astype(np.float64)
    strength = readout.choose_ridge(gram, targets, groups)[0] * np.trace(gram) / len(gram)
    target_mean = targets.mean(0)
    dual = np.linalg.solve(gram + strength * np.eye(len(gram)), targets - target_mean)
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1][:components], vectors[:, ::-1][:, :components]
    projection = vectors / np.sqrt(values * values / len(x))
    weight = x.T @ np.concatenate([dual, projection], 1).astype(np.float32) * scale[:, None]
    bias = np.concatenate([target_mean, np.zeros(components)]) - mean.astype(np.float64) @ weight
    return weight.astype(np.float32), bias.astype(np.float32)


def test_without_heads_there_are_components_of_all_frames(data, tmp_path):
    images, poses, groups = data
    perception = Perception(2, heads=(), **TRUNK)
    report = perception.fit_readout(images, np.empty((len(poses), 0, 6)), groups, regions=())
    assert (report.samples, report.heads, perception.feature_dim) == (len(poses), {}, TRUNK["components"])
    features = perception.encode(images)
    assert features.shape == (len(poses), TRUNK["components"])
    np.testing.assert_allclose(features.mean(0), 0.0, atol=0.05)
    np.testing.assert_allclose(features.std(0), 1.0, atol=0.1)
    perception.save(tmp_path / "perception.safetensors")
    loaded = Perception.load(tmp_path / "perception.safetensors")
    assert (loaded.heads, loaded.perception_id) == ((), perception.perception_id)
    np.testing.assert_array_equal(loaded.encode(images[:2]), perception.encode(images[:2]))


def test_one_head_is_bit_by_bit_what_it_was(data):
    images, poses, groups = data
    poses = poses.copy()
    poses[::9, 0] = 0.05  # too far away to be fitted on
    perception = Perception(2, **TRUNK)
    perception.fit_readout(images, poses, groups)
    near = NearGoal().holds(poses)
    assert 0 < (~near).sum() < len(poses) - FEW_FRAMES
    maps = np.concatenate([perception.maps(part) for part in torch.from_numpy(images[near]).split(4)])
    weight, bias = one_pose(maps, poses[near], groups[near], 8)
    np.testing.assert_array_equal(perception.weight.numpy(), weight)
    np.testing.assert_array_equal(perception.bias.numpy(), bias)
    named = Perception(2, heads=["left"], **TRUNK)
    named.fit_readout(images, poses[:, None], groups)
    assert named.perception_id == perception.perception_id


def test_every_head_learns_from_its_own_frames(two, data):
    perception, report, _ = two
    images = data[0]
    features = perception.encode(images)
    assert features.shape[1] == perception.feature_dim == 2 * 12 + 8
    told = perception.pose(images)
    assert told.shape == (len(images), 2, 6)
    np.testing.assert_allclose(features[:, 12:15] * 0.02, told[:, 1, :3], atol=1e-6)
    np.testing.assert_allclose(features[:, 15:18], np.tanh(told[:, 1, :3] / 0.003), atol=1e-4)
    # Told on frames of the other head as well: half the pose is half the pose.
    error = np.abs(told[:, 1, :2] - 0.5 * data[1][:, :2]).mean()
    assert error < 0.25 * np.abs(0.5 * data[1][:, :2]).mean()
    assert [(head.samples, head.groups) for head in report.heads.values()] == [(96, 8), (48, 8)]
    assert report.samples == 160  # frames between the two say nothing of a pose, but what else is seen
    assert list(perception.report["heads"]) == list(HEADS)
    for head in report.heads.values():
        assert head.mae["x_mm"] < 0.5 * head.mae_mean["x_mm"]
        assert head.mae_close["x_mm"] < 0.5 * head.mae_mean["x_mm"]


def test_a_head_is_the_ridge_regression_of_its_frames():
    rng = np.random.default_rng(0)
    features = rng.normal(1.0, 1.0, (90, 20)).astype(np.float32)
    features[30:] += 3.0  # frames of one head are not centred where all are
    targets = np.full((90, 2, 6), np.nan)
    targets[:40, 0], targets[25:, 1] = rng.normal(size=(40, 6)), rng.normal(size=(65, 6))
    affine, report = readout.fit(features, targets, np.arange(90) // 5, 4, HEADS)
    scale = 1.0 / features.std(0)
    for number, name in enumerate(HEADS):
        rows = np.isfinite(targets[:, number, 0])
        mean = features[rows].mean(0)
        own = (features[rows] - mean) * scale
        strength = report.heads[name].ridge * (own**2).sum() / rows.sum()
        wanted = targets[rows, number] - targets[rows, number].mean(0)
        primal = np.linalg.solve(own.T @ own + strength * np.eye(20), own.T @ wanted)
        expected = (features - mean) * scale @ primal + targets[rows, number].mean(0)
        found = (features @ affine.weight + affine.bias)[:, 6 * number : 6 * number + 6]
        np.testing.assert_allclose(found, expected, atol=2e-4)


def test_errors_of_a_heads_own_frames_are_those_of_fits_around_their_mean():
    rng = np.random.default_rng(0)
    x, groups = rng.normal(5.0, 1.0, (60, 10)), np.arange(60) // 6
    targets = x @ rng.normal(size=(10, 6)) + rng.normal(0, 0.1, (60, 6))
    around = x - x.mean(0)
    ridge, errors, _, _ = readout.choose_ridge(around @ around.T, targets, groups, centre_folds=True)
    names, missed = np.random.default_rng(0).permutation(10), np.zeros(6)
    for fold in range(5):
        held_out = np.isin(groups, names[fold::5])
        mean, goal = x[~held_out].mean(0), targets[~held_out].mean(0)
        own = x[~held_out] - mean
        strength = ridge * (own**2).sum() / len(own)
        primal = np.linalg.solve(own.T @ own + strength * np.eye(10), own.T @ (targets[~held_out] - goal))
        missed += np.abs((x[held_out] - mean) @ primal + goal - targets[held_out]).sum(0)
    np.testing.assert_allclose(errors, missed / 60, atol=1e-8)


def test_components_are_those_of_all_frames(two, data):
    components = two[0].encode(data[0])[:, 24:]
    np.testing.assert_allclose(components.mean(0), 0.0, atol=1e-3)
    np.testing.assert_allclose(components.std(0), 1.0, atol=0.02)


def test_what_holds_for_one_episode_only_is_not_praised():
    rng = np.random.default_rng(0)
    groups = np.arange(100) // 10
    features = np.eye(10, dtype=np.float32)[groups] + rng.normal(0, 1e-3, (100, 10)).astype(np.float32)
    targets = rng.normal(size=(10, 1, 6))[groups]  # a frame of the same episode would give it away
    _, report = readout.fit(features, targets, groups, 4, ["goal"])
    head = report.heads["goal"]
    assert head.mae["x_mm"] > 0.9 * head.mae_mean["x_mm"]
    assert head.mae_close is None  # all are a metre away


def test_heads_are_saved_with_the_perception(two, data, tmp_path):
    perception, _, _ = two
    perception.save(tmp_path / "readout.safetensors")
    again = Perception.load(tmp_path / "readout.safetensors")
    assert again.heads == HEADS
    assert again.perception_id == perception.perception_id
    assert again.report == perception.report
    np.testing.assert_array_equal(again.encode(data[0][:3]), perception.encode(data[0][:3]))
    other = Perception(2, heads=("arm/open", "other"), **TRUNK)
    other.weight, other.bias = perception.weight, perception.bias
    assert other.perception_id != perception.perception_id


def test_a_file_from_before_there_were_heads_is_the_same_perception(data):
    perception = Perception(2, **TRUNK)
    perception.fit_readout(*data)
    named, metadata = tensors.unpack(perception.to_bytes(), "perception")
    del metadata["options"]["heads"]
    old = Perception.from_bytes(tensors.pack(named, "perception", metadata))
    assert len(old.heads) == 1
    assert old.perception_id == perception.perception_id
    np.testing.assert_array_equal(old.encode(data[0][:3]), perception.encode(data[0][:3]))


def test_frames_far_from_every_goal_are_left_out_and_unlabelled_ones_kept():
    targets = np.zeros((2 * FEW_FRAMES + 4, 2, 6))
    targets[: FEW_FRAMES + 2, 1] = targets[FEW_FRAMES + 2 :, 0] = np.nan
    targets[0, 0, 0] = targets[-1, 1, 0] = 0.05
    targets[1] = np.nan
    used = keep_near(targets, [NearGoal(), NearGoal(lateral_m=0.1)])
    assert np.flatnonzero(~used).tolist() == [0]
    assert np.isnan(targets[0]).all()
    assert targets[-1, 1, 0] == 0.05


def test_heads_without_different_names_are_refused():
    with pytest.raises(LearningError, match="must be different names"):
        Perception(2, heads=("a", "a"), **TRUNK)


def test_labels_that_cannot_be_fitted_are_refused(two, data):
    images, _, groups = data
    perception, _, targets = two
    with pytest.raises(LearningError, match=r"targets must be \(160, 2, 6\)"):
        perception.fit_readout(images, targets[:, 0], groups)
    with pytest.raises(LearningError, match="1 regions for the heads"):
        perception.fit_readout(images, targets, groups, [NearGoal()])
    broken = targets.copy()
    broken[0, 0, 3] = np.nan
    with pytest.raises(LearningError, match="NaN or infinity"):
        perception.fit_readout(images, broken, groups)
    rare = targets.copy()
    rare[20:, 1] = np.nan
    with pytest.raises(LearningError, match="'arm/closed': 6 frames of 1 episodes"):
        perception.fit_readout(images, rare, groups)
