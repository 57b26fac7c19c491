# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hilserl_reward.assessment import KEPT_RECALL, calibration, recommend_threshold, threshold_table


def test_a_calibrated_classifier_has_no_error_and_a_boastful_one_has():
    generator = np.random.default_rng(0)
    probabilities = generator.random(20_000)
    honest = calibration(probabilities, generator.random(20_000) < probabilities)
    assert honest["expected_error"] < 0.02
    assert sum(part["frames"] for part in honest["bins"]) == 20_000
    boastful = calibration(np.full(100, 0.95), np.arange(100) < 60)
    assert boastful["expected_error"] == pytest.approx(0.35)
    (part,) = boastful["bins"]
    assert (part["frames"], part["share"]) == (100, 0.6)


def test_precision_and_recall_by_threshold():
    table = threshold_table(np.array([0.2, 0.6, 0.7, 0.9]), np.array([False, False, True, True]))
    at = {row["threshold"]: row for row in table}
    assert (at[0.55]["precision"], at[0.55]["recall"], at[0.55]["false_positives"]) == (2 / 3, 1.0, 1)
    assert (at[0.75]["precision"], at[0.75]["recall"]) == (1.0, 0.5)
    assert (at[0.95]["precision"], at[0.95]["recall"]) == (1.0, 0.0)


def test_the_recommended_threshold_is_the_highest_that_keeps_recall():
    success = np.linspace(0.8, 0.999, 100)
    probabilities = np.concatenate([success, np.full(100, 0.6)])
    truth = np.arange(200) < 100
    chosen = recommend_threshold(threshold_table(probabilities, truth))
    assert chosen["recall"] >= KEPT_RECALL
    assert (success >= chosen["threshold"] + 0.01).mean() < KEPT_RECALL
    assert chosen["precision"] == 1.0
    assert "highest threshold" in chosen["rule"]


def test_a_useless_classifier_gets_no_threshold_below_one_half():
    chosen = recommend_threshold(threshold_table(np.full(10, 0.3), np.arange(10) < 5))
    assert chosen["threshold"] >= 0.5
