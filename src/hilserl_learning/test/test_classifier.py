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
    matrix = np.array(report.confusion_matrix)
    assert matrix.sum() == 3 * 24
    assert report.accuracy == pytest.approx(np.trace(matrix) / 72)
    assert report.counts == [336 - labelled[1].sum(), labelled[1].sum()]
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


@pytest.fixture(scope="module")
def three_classes(labelled):
    """Left of the target, over it, right of it."""
    images, poses, groups = scene(episodes=14, frames=24, seed=2)
    kinds = 1 + (poses[:, 0] > 0.007).astype(int) - (poses[:, 0] < -0.007)
    config = ClassifierConfig(
        CAMERAS, steps=120, batch_size=64, copies=1, classes=("left", "over", "right"), learning_rate=3e-4
    )
    classifier = RewardClassifier(config)
    return images, kinds, classifier, classifier.fit(images, kinds, groups)


def test_classes_are_told_apart_on_episodes_never_seen(three_classes, tmp_path):
    images, kinds, classifier, report = three_classes
    matrix = np.array(report.confusion_matrix)
    assert matrix.shape == (3, 3)
    assert matrix.sum() == 3 * 24
    assert report.counts == np.bincount(kinds).tolist()
    assert report.accuracy == pytest.approx(np.trace(matrix) / 72)
    assert report.accuracy > 0.8, matrix
    probabilities = classifier.predict(images[:60])
    assert probabilities.shape == (60, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert (probabilities.argmax(1) == kinds[:60]).mean() > 0.85
    classifier.save(tmp_path / "model.safetensors")
    again = RewardClassifier.load(tmp_path / "model.safetensors", CAMERAS)
    assert again.cfg.classes == ("left", "over", "right")
    np.testing.assert_array_equal(again.predict(images[:5]), classifier.predict(images[:5]))


def test_a_class_without_labels_is_refused(labelled):
    images, labels, groups = labelled
    classifier = RewardClassifier(ClassifierConfig(CAMERAS, trunk_width=0.125, classes=("a", "b", "c")))
    with pytest.raises(LearningError, match="class 2 has no frame"):
        classifier.fit(images[:48], labels[:48].astype(int), groups[:48])


def test_a_split_through_an_episode_is_refused(labelled):
    images, labels, groups = (part[:96] for part in labelled)
    classifier = RewardClassifier(ClassifierConfig(CAMERAS, trunk_width=0.125, steps=2, copies=1))
    with pytest.raises(LearningError, match="whole episodes"):
        classifier.fit(images, labels, groups, held_out=np.arange(96) % 4 == 0)
    report = classifier.fit(images, labels, groups, held_out=groups == groups[0])
    assert np.sum(report.confusion_matrix) == 24


def test_wrong_sizes_are_refused(labelled):
    with pytest.raises(LearningError, match="336 frames but labels"):
        RewardClassifier(ClassifierConfig(CAMERAS, trunk_width=0.125)).fit(
            labelled[0], labelled[1][:5], labelled[2]
        )
    with pytest.raises(LearningError, match="cameras is empty"):
        RewardClassifier(ClassifierConfig(()))
