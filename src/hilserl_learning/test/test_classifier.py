# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from synthetic_scene import scene

from hilserl_learning.classifier import ClassifierConfig, RewardClassifier, split_episodes
from hilserl_learning.errors import LearningError

CAMERAS = ("wrist_1", "wrist_2")


@pytest.fixture(scope="module")
def labelled():
    images, poses, groups = scene(episodes=14, frames=24, seed=2)
    return images, np.abs(poses[:, :2]).max(1) < 0.008, groups


@pytest.fixture(scope="module")
def trained(labelled):
    classifier = RewardClassifier(ClassifierConfig(CAMERAS, trunk_width=0.25, steps=120, batch_size=64))
    return classifier, classifier.fit(*labelled)


def test_held_out_episodes_are_judged(trained, labelled):
    _, report = trained
    assert report.validation_episodes == 3
    assert sum(report.confusion.values()) == 3 * 24
    right = report.confusion["true_positive"] + report.confusion["true_negative"]
    assert report.accuracy == pytest.approx(right / 72)
    assert report.accuracy_at_half >= 0.85, report
    majority = max(labelled[1].mean(), 1 - labelled[1].mean())
    assert report.accuracy_at_half > majority
    assert report.losses[-1] < 0.5 * report.losses[0]


def test_probability_per_frame(trained, labelled):
    classifier, _ = trained
    images, labels, _ = labelled
    probability = classifier.predict(images[:50])
    assert probability.shape == (50,)
    assert probability.dtype == np.float32
    assert ((probability > 0.5) == labels[:50]).mean() > 0.9
    assert classifier.predict(images[0])[0] == pytest.approx(probability[0], abs=1e-4)


def test_saved_classifier_is_the_same_one(trained, labelled, tmp_path):
    classifier, report = trained
    classifier.save(tmp_path / "model.safetensors")
    again = RewardClassifier.load(tmp_path / "model.safetensors", CAMERAS)
    np.testing.assert_array_equal(again.predict(labelled[0][:5]), classifier.predict(labelled[0][:5]))
    assert again.report["accuracy"] == report.accuracy
    assert again.cfg == classifier.cfg
    with pytest.raises(LearningError, match="was trained for cameras"):
        RewardClassifier.load(tmp_path / "model.safetensors", ("side",))
    with pytest.raises(LearningError, match="no file"):
        RewardClassifier.load(tmp_path / "absent.safetensors")


def test_training_is_reproducible(labelled):
    images, labels, groups = (x[:96] for x in labelled)
    cfg = ClassifierConfig(CAMERAS, trunk_width=0.125, steps=5, batch_size=32, copies=2)
    one, two = RewardClassifier(cfg), RewardClassifier(cfg)
    assert one.fit(images, labels, groups).losses == two.fit(images, labels, groups).losses
    np.testing.assert_array_equal(one.predict(images[:3]), two.predict(images[:3]))


def test_split_keeps_episodes_whole_and_both_classes():
    groups = np.arange(100) // 10
    labels = np.zeros(100, bool)
    labels[[5, 45, 85]] = True
    held_out = split_episodes(labels, groups, 0.2, 0)
    assert all(len(np.unique(held_out[groups == g])) == 1 for g in range(10))
    assert labels[held_out].any()
    assert labels[~held_out].any()
    with pytest.raises(LearningError, match="cannot be split"):
        split_episodes(np.zeros(100, bool), groups, 0.2, 0)


def test_wrong_sizes_are_refused(labelled):
    with pytest.raises(LearningError, match="336 frames but labels"):
        RewardClassifier(ClassifierConfig(CAMERAS, trunk_width=0.125)).fit(
            labelled[0], labelled[1][:5], labelled[2]
        )
    with pytest.raises(LearningError, match="cameras is empty"):
        RewardClassifier(ClassifierConfig(()))
