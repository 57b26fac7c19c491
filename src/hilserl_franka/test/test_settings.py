# SPDX-License-Identifier: Apache-2.0
"""Thresholds, budget and missing messages."""

import importlib.util
import math
from types import SimpleNamespace

import pytest

from hilserl_franka.messages import Messages
from hilserl_franka.settings import CollisionThresholds, RecoveryBudget
from hilserl_task import TaskError

GOOD = {
    "lower_torque": [20.0] * 7,
    "upper_torque": [40.0] * 7,
    "lower_force": [30.0] * 6,
    "upper_force": [60.0] * 6,
}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("lower_torque", [20.0] * 6),
        ("upper_torque", [40.0] * 6 + [0.0]),
        ("upper_force", [60.0] * 5 + [math.nan]),
        ("upper_force", [60.0] * 5 + [math.inf]),
        ("lower_force", [30.0] * 5 + [61.0]),
        ("lower_force", []),
    ],
)
def test_wrong_thresholds_are_named(name, values):
    with pytest.raises(TaskError, match=f"collision.{name}"):
        CollisionThresholds(**{**GOOD, name: values})


def test_every_field_of_the_request_is_filled():
    request = CollisionThresholds(**GOOD).fill(SimpleNamespace())
    for phase in ("nominal", "acceleration"):
        for side, torque, force in (("lower", 20.0, 30.0), ("upper", 40.0, 60.0)):
            assert getattr(request, f"{side}_torque_thresholds_{phase}") == [torque] * 7
            assert getattr(request, f"{side}_force_thresholds_{phase}") == [force] * 6


def test_budget_holds_within_its_window():
    budget = RecoveryBudget(2, window_s=60.0)
    assert [budget.take(at) for at in (0.0, 10.0, 20.0, 59.9)] == [True, True, False, False]
    assert [budget.take(at) for at in (60.0, 65.0, 70.0, 71.0)] == [True, False, True, False]
    assert not RecoveryBudget(0, 60.0).take(0.0)


@pytest.mark.parametrize(("count", "window"), [(-1, 60.0), (3, 0.0), (3, math.nan)])
def test_wrong_budget_is_refused(count, window):
    with pytest.raises(TaskError, match="automatic_recoveries, window"):
        RecoveryBudget(count, window)


@pytest.mark.skipif(importlib.util.find_spec("franka_msgs") is not None, reason="franka_msgs is installed")
def test_missing_messages_say_what_to_install():
    with pytest.raises(TaskError, match="franka_ros2"):
        Messages()
