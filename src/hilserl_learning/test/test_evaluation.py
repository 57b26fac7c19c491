# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hilserl_learning.augmentation import random_crop
from hilserl_learning.errors import LearningError
from hilserl_learning.evaluation import (
    bootstrap_interval,
    compare_paired,
    holm,
    mcnemar_exact,
    wilson_interval,
)


def test_wilson_interval_known_values():
    # Newcombe 1998, table I: 81 of 263 and 15 of 148; 0 of 20
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(50, 50)[1] == 1.0
    for bad in ((3, 2), (-1, 4), (0, 0)):
        with pytest.raises(LearningError, match="successes <= trials"):
            wilson_interval(*bad)


def test_bootstrap_covers_the_mean():
    rng = np.random.default_rng(0)
    covered = [
        low <= 5.0 <= high
        for low, high in (bootstrap_interval(rng.normal(5, 1, 40), draws=1000) for _ in range(200))
    ]
    assert 0.88 <= np.mean(covered) <= 0.99
    assert bootstrap_interval([1.5, 1.5, 1.5]) == (1.5, 1.5)
    assert np.isnan(bootstrap_interval([1.5])).all()
    assert bootstrap_interval([1.0, 2.0, 4.0]) == bootstrap_interval([1.0, 2.0, 4.0])
    for bad in ([], [1.0, np.nan]):
        with pytest.raises(LearningError, match="needs finite ones, at least one"):
            bootstrap_interval(bad)


def trials(both, only_first, only_second, neither):
    """Successes of two policies with these counts."""
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return first, second


def test_paired_comparison_known_values():
    # Fagerland, Lydersen, Laake 2014 (Statistics in Medicine 33): airway hyper-responsiveness, 1 1 7 12.
    found = compare_paired(*trials(1, 1, 7, 12))
    assert (found.both, found.only_first, found.only_second, found.neither) == (1, 1, 7, 12)
    assert found.p_value == pytest.approx(0.0703, abs=5e-5)
    assert found.difference == pytest.approx(6 / 21)
    assert found.interval == pytest.approx((0.0256, 0.507), abs=1e-3)
    assert compare_paired(*trials(1, 7, 1, 12)).interval == pytest.approx((-0.507, -0.0256), abs=1e-3)


def test_correlated_trials_make_the_interval_narrow():
    # Many trials and both outcomes common: the textbook interval is good there, and knows the correlation.
    found = compare_paired(*trials(59, 6, 16, 80))
    half = 1.96 * np.sqrt(22 - 10**2 / 161) / 161
    assert found.interval == pytest.approx((10 / 161 - half, 10 / 161 + half), abs=2e-3)


def test_two_perfect_policies_differ_by_little_not_by_nothing():
    found = compare_paired([True] * 100, [True] * 100)
    assert (found.difference, found.p_value) == (0.0, 1.0)
    assert found.interval[1] == pytest.approx(-found.interval[0])
    assert 0.03 < found.interval[1] < 0.06


def test_paired_interval_covers_the_difference():
    rng = np.random.default_rng(1)
    covered = 0
    for counts in rng.multinomial(60, [0.75, 0.05, 0.15, 0.05], size=400):
        low, high = compare_paired(*trials(*counts)).interval
        covered += low <= 0.1 <= high
    assert 0.92 <= covered / 400 <= 0.99


def test_mcnemar_and_holm():
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(0, 6) == pytest.approx(2 / 64)
    assert mcnemar_exact(10, 10) == 1.0
    # Holm's step-down: 3 x 0.01, then 2 x 0.02, then 1 x 0.04 but never below the one before
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([]) == []


def test_comparison_needs_the_same_trials():
    for bad in (([True], [True, False]), ([], [])):
        with pytest.raises(LearningError, match="both need the same ones"):
            compare_paired(*bad)


def test_random_crop_offsets_reach_both_ends():
    import torch

    ramp = torch.arange(32, dtype=torch.uint8).repeat(400, 1, 32, 1).transpose(2, 3)[..., None]
    seen = random_crop(ramp, 4, torch.Generator().manual_seed(0))[:, 0, 16, 16, 0]
    assert set(seen.tolist()) == set(range(12, 21))
