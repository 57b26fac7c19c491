# SPDX-License-Identifier: Apache-2.0
"""Who may say that a demonstration succeeded."""

import pytest

from hilserl_task import TaskError, load_task


@pytest.mark.parametrize(
    ("gate", "classifier_ends", "button_ends", "needs_classifier"),
    [
        ("either", True, True, True),
        ("person", False, True, False),
        ("classifier", True, False, True),
        ("both", False, True, True),
    ],
)
def test_gates(gate, classifier_ends, button_ends, needs_classifier):
    found = load_task("ram_insertion", [f"demonstrations.gate={gate}"]).demonstrations
    assert (found.classifier_ends, found.button_ends) == (classifier_ends, button_ends)
    assert found.needs_classifier == needs_classifier


def test_a_task_file_without_a_gate_takes_either():
    assert load_task("ram_insertion").demonstrations.gate == "either"


def test_an_unknown_gate_is_named():
    with pytest.raises(TaskError, match=r"demonstrations\.gate: .*'either'.*got 'anyone'"):
        load_task("ram_insertion", ["demonstrations.gate=anyone"])
