# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hilserl_learning.augmentation import random_crop
from hilserl_learning.errors import LearningError
from hilserl_learning.evaluation import bootstrap_interval, running_mean, wilson_interval


def test_wilson_interval_known_values():
    # Newcombe 1998, table I: 81 of 263 and 15 of 148; 0 of 20
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(50, 50)[1] == 1.0
    for bad in ((3, 2), (-1, 4), (0, 0)):
        with pytest.raises(LearningError, match="successes <= trials"):
            wilson_interval(*bad)


def test_running_mean_of_twenty():
    values = np.random.default_rng(0).uniform(size=60)
    expected = [values[max(0, i - 19) : i + 1].mean() for i in range(60)]
    np.testing.assert_allclose(running_mean(values), expected)
    assert len(running_mean([])) == 0
    with pytest.raises(LearningError, match="window"):
        running_mean([1.0], 0)


def test_bootstrap_covers_the_mean():
    rng = np.random.default_rng(0)
    covered = [
        low <= 5.0 <= high for low, high in (bootstrap_interval(rng.normal(5, 1, 40)) for _ in range(200))
    ]
    assert 0.88 <= np.mean(covered) <= 0.99
    with pytest.raises(LearningError, match="no values"):
        bootstrap_interval([])


def test_random_crop_offsets_reach_both_ends():
    import torch

    ramp = torch.arange(32, dtype=torch.uint8).repeat(400, 1, 32, 1).transpose(2, 3)[..., None]
    seen = random_crop(ramp, 4, torch.Generator().manual_seed(0))[:, 0, 16, 16, 0]
    assert set(seen.tolist()) == set(range(12, 21))
