# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from synthetic_scene import scene

from hilserl_learning import readout
from hilserl_learning.errors import LearningError
from hilserl_learning.perception import Perception
from hilserl_learning.pose_targets import pose_labels
from hilserl_learning.profiles import profile
from hilserl_learning.replay import Batch
from hilserl_learning.resnet10 import ResNet10
from hilserl_learning.sac import RLPDAgent


@pytest.fixture(scope="module")
def data():
    return scene(episodes=12, frames=25)


@pytest.fixture(scope="module")
def fitted(data):
    torch.set_num_threads(1)
    perception = Perception(2, width=0.25, components=16)
    return perception, perception.fit_readout(*data)


def test_readout_tells_the_pose_of_unseen_episodes(fitted):
    perception, report = fitted
    assert report.groups == 12
    assert report.samples == 300
    assert report.components == 16
    head = report.heads["goal"]
    for axis in ("x_mm", "y_mm"):
        assert head.mae[axis] < 0.35 * head.mae_mean[axis], report
    assert perception.report["heads"]["goal"]["mae"] == head.mae


def test_trunk_of_the_fast_profile():
    cfg = profile("fast", state_dim=18, action_dim=6, feature_dim=60)
    assert (cfg.trunk_width, cfg.trunk_stages, cfg.map_size) == (0.25, 1, 16)
    trunk = {"width": cfg.trunk_width, "stages": cfg.trunk_stages, "map_size": cfg.map_size}
    pictures = np.random.default_rng(0).integers(0, 256, (3, 2, 128, 128, 3), dtype=np.uint8)
    maps = Perception(2, "maps", **trunk)
    assert (maps.trunk.channels, maps.map_size) == (cfg.map_channels, cfg.map_size)
    assert maps.encode(pictures).shape == (3, maps.feature_dim) == (3, cfg.map_feature_dim) == (3, 8192)
    readout = Perception(2, components=cfg.readout_components, **trunk)
    assert readout.feature_dim == cfg.feature_dim
    # Average pooling of the same stage, pixel by pixel.
    fine = Perception(2, "maps", width=0.25, stages=1).encode(pictures).reshape(3, 2, 16, 16, 2, 16, 2)
    np.testing.assert_allclose(fine.mean((4, 6)).reshape(3, -1), maps.encode(pictures), atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stages": 0}, "trunk_stages: 0, must be 1 to 4"),
        ({"stages": 5}, "trunk_stages: 5, must be 1 to 4"),
        ({"stages": 1, "map_size": 0}, "map_size: 0, must divide the trunk's 32 pixels"),
        ({"stages": 1, "map_size": 12}, "map_size: 12, must divide the trunk's 32 pixels"),
        ({"stages": 4, "map_size": 16}, "map_size: 16, must divide the trunk's 4 pixels"),
    ],
)
def test_wrong_stages_and_map_sizes_are_named(wrong, message):
    with pytest.raises(LearningError, match=message):
        Perception(2, width=0.25, **wrong)


def test_encoding_is_the_scaled_pose_and_components(fitted, data):
    perception, _ = fitted
    images, poses, _ = data
    features = perception.encode(images[:7])
    assert features.shape == (7, perception.feature_dim) == (7, 12 + 16)
    assert features.dtype == np.float32
    position = features[:, :3] * 0.02
    np.testing.assert_allclose(features[:, 3:6], np.tanh(position / 0.003), atol=1e-5)
    rotation = features[:, 6:9] * 0.1
    np.testing.assert_allclose(features[:, 9:12], np.tanh(rotation / 0.03), atol=1e-5)
    np.testing.assert_allclose(perception.pose(images[:7])[:, 0, :3], position, atol=1e-7)
    assert np.abs(position[:, :2] - poses[:7, :2]).mean() < 0.004
    single = perception.encode(images[3])
    np.testing.assert_allclose(single[0], features[3], atol=1e-4)
    deviation = perception.encode(images)[:, 12:].std(0)
    np.testing.assert_allclose(deviation, 1.0, atol=0.05)  # components have unit variance


def test_saved_perception_is_the_same_one(fitted, data, tmp_path):
    perception, _ = fitted
    perception.save(tmp_path / "readout.safetensors")
    again = Perception.load(tmp_path / "readout.safetensors")
    assert again.perception_id == perception.perception_id
    assert again.report == perception.report
    np.testing.assert_array_equal(again.encode(data[0][:3]), perception.encode(data[0][:3]))
    assert Perception(2, width=0.25, components=16).perception_id != perception.perception_id
    with pytest.raises(LearningError, match="no file"):
        Perception.load(tmp_path / "absent.safetensors")
    (tmp_path / "half.safetensors").write_bytes((tmp_path / "readout.safetensors").read_bytes()[:5000])
    with pytest.raises(LearningError, match="perception"):
        Perception.load(tmp_path / "half.safetensors")


def test_bad_pictures_and_labels_are_refused(data):
    perception = Perception(2, width=0.25)
    images, poses, groups = data
    with pytest.raises(LearningError, match="not fitted"):
        perception.encode(images[:1])
    with pytest.raises(LearningError, match="must be uint8"):
        perception.encode(images[:1].astype(np.float32))
    with pytest.raises(LearningError, match=r"must be \(2, 128, 128, 3\)"):
        perception.encode(images[:1, :1])
    with pytest.raises(LearningError, match="too few"):
        perception.fit_readout(images[:30], poses[:30], groups[:30])
    with pytest.raises(LearningError, match=r"targets must be \(300, 1, 6\)"):
        perception.fit_readout(images, poses[:10], groups)
    with pytest.raises(LearningError, match=r"trunk_width: 0\.3"):
        Perception(2, width=0.3)


def test_dual_ridge_equals_the_primal_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 20)).astype(np.float32)
    targets = rng.normal(size=(60, 6))
    affine, report = readout.fit(x, targets[:, None], np.arange(60) // 6, 5, ["goal"])
    scaled = (x - x.mean(0)) / x.std(0)
    strength = report.heads["goal"].ridge * np.trace(scaled @ scaled.T) / 60
    primal = np.linalg.solve(
        scaled.T @ scaled + strength * np.eye(20), scaled.T @ (targets - targets.mean(0))
    )
    expected = scaled @ primal + targets.mean(0)
    np.testing.assert_allclose((x @ affine.weight + affine.bias)[:, :6], expected, atol=1e-4)


def test_pose_labels_are_relative_to_the_goal():
    rng = np.random.default_rng(0)
    goal, relative = np.eye(4), np.tile(np.eye(4), (5, 1, 1))
    goal[:3, :3], goal[:3, 3] = Rotation.random(random_state=1).as_matrix(), [0.5, 0.1, 0.2]
    rotvec, position = rng.normal(0, 0.3, (5, 3)), rng.normal(0, 0.05, (5, 3))
    relative[:, :3, :3], relative[:, :3, 3] = Rotation.from_rotvec(rotvec).as_matrix(), position
    labels = pose_labels(goal @ relative, goal)
    np.testing.assert_allclose(labels, np.concatenate([position, rotvec], 1), atol=1e-9)
    np.testing.assert_allclose(pose_labels(goal[None], goal), 0.0, atol=1e-9)


def test_trunk_is_a_function_of_its_seed():
    ours, same, other = ResNet10(0.25, 3), ResNet10(0.25, 3), ResNet10(0.25, 4)
    assert torch.equal(ours.conv_init.weight, same.conv_init.weight)
    assert not torch.equal(ours.conv_init.weight, other.conv_init.weight)


def test_original_profile_encodes_cropped_pictures_in_the_update(data):
    cfg = profile("original", state_dim=18, action_dim=6, trunk_width=0.125, batch_size=4)
    perception = Perception(2, "maps", width=0.125)
    assert perception.feature_dim == cfg.feature_dim
    agent = RLPDAgent(cfg, perception=perception)
    images = torch.from_numpy(data[0][:4])
    empty = torch.zeros(4, cfg.feature_dim)
    zeros = torch.zeros(4)

    batch = Batch(
        torch.zeros(4, 18),
        empty,
        torch.zeros(4, 6),
        zeros,
        zeros,
        zeros,
        torch.zeros(4, 18),
        empty,
        images,
        images,
    )
    assert torch.isfinite(agent.update([batch] * 2)["critic_loss"])
    with pytest.raises(LearningError, match="needs pictures"):
        agent.update([batch._replace(images=None)])


def test_stored_copies_are_crops_of_the_same_frame(fitted, data):
    perception, _ = fitted
    copies = perception.encode_copies(data[0][:3], 3, generator=torch.Generator().manual_seed(0))
    assert copies.shape == (3, 3, perception.feature_dim)
    np.testing.assert_array_equal(copies[:, 0], perception.encode(data[0][:3]))
    assert np.abs(copies[:, 1] - copies[:, 0]).max() > 1e-3
