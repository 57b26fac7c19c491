# SPDX-License-Identifier: Apache-2.0
"""Cases D (reward classifier) and E (random crop) against the original code."""

import zlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden_fixtures import (
    batch,
    fingerprint,
    head16,
    image_head_leaves,
    load,
    outputs,
    params,
    read,
    trunk_tree,
)

from hilserl_learning.augmentation import crop
from hilserl_learning.classifier import RewardClassifier, original_classifier
from hilserl_learning.perception import Perception
from hilserl_learning.pretrained import flax_to_torch

KEYS = ["wrist_1", "wrist_2"]
GOLD = outputs("D")


def leaves(head):
    yield from image_head_leaves(head.pool, head.bottleneck, "encoder_def", KEYS)
    yield "Dense_0/kernel", head.dense.weight, None, "plain"
    yield "Dense_0/bias", head.dense.bias, None, "plain"
    yield "LayerNorm_0/scale", head.norm.weight, None, "plain"
    yield "LayerNorm_0/bias", head.norm.bias, None, "plain"
    yield "Dense_1/kernel", head.logit.weight, None, "plain"
    yield "Dense_1/bias", head.logit.bias, None, "plain"


@pytest.fixture(scope="module")
def classifier():
    torch.set_num_threads(1)
    perception = Perception(2, "maps", width=1.0)
    perception.trunk.load_state_dict(flax_to_torch(trunk_tree("D", "encoder_def")))
    classifier = RewardClassifier(original_classifier(tuple(KEYS)), perception)
    load(leaves(classifier.head), params("D"))
    return classifier


@pytest.fixture(scope="module")
def images():
    return np.stack([batch("D")[f"obs/{key}"] for key in KEYS], 1)


def test_inputs_are_regenerated_exactly():
    ours = np.stack([fingerprint(v) for v in params("D").values()])
    np.testing.assert_allclose(ours, GOLD["fp/params"], rtol=1e-6)


def test_logits_loss_and_gradients(classifier, images):
    maps = torch.from_numpy(classifier.trunk.encode(images))
    np.testing.assert_allclose(classifier.head.encode(maps).detach(), GOLD["encoder"], rtol=0, atol=5e-5)
    logits = classifier.head(maps)
    np.testing.assert_allclose(logits.detach()[:, None], GOLD["logits"], rtol=0, atol=5e-5)
    np.testing.assert_allclose(classifier.predict(images)[:, None], GOLD["prob"], rtol=0, atol=5e-5)
    labels = torch.from_numpy(batch("D")["labels"][:, 0])
    loss = F.binary_cross_entropy_with_logits(logits, labels)
    assert loss.item() == pytest.approx(float(GOLD["loss/bce"]), abs=2e-5)
    assert float(((logits > 0) == (labels > 0.5)).float().mean()) == pytest.approx(float(GOLD["accuracy"]))
    loss.backward()
    ours = read(leaves(classifier.head), lambda t: t.grad)
    for row, path in enumerate(params("D")):
        if path in ours:
            assert np.linalg.norm(ours[path]) == pytest.approx(GOLD["grad/bce/norm"][row], rel=1e-4, abs=1e-7)
            np.testing.assert_allclose(head16(ours[path]), GOLD["grad/bce/head"][row], rtol=0, atol=2e-5)
    assert len(ours) == 16


def test_crop_is_exact():
    gold = outputs("E")
    small = crop(torch.from_numpy(batch("E")["images"]), torch.from_numpy(gold["offsets"].astype(np.int64)))
    np.testing.assert_array_equal(small.numpy(), gold["images_out"])
    big = crop(torch.from_numpy(batch("E")["big"]), torch.from_numpy(gold["big_offsets"].astype(np.int64)))
    assert [zlib.crc32(x.numpy().tobytes()) for x in big] == [int(x) for x in gold["big_out_crc32"]]


def test_crop_shares_the_offset_between_cameras():
    images = torch.from_numpy(batch("E")["images"])
    offsets = torch.tensor([[0, 8]] * len(images))
    both = crop(torch.stack([images, images.flip(0)], 1), offsets)
    assert torch.equal(both[:, 0], crop(images, offsets))
    assert torch.equal(both[:, 1], crop(images.flip(0), offsets))
