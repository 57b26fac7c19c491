# SPDX-License-Identifier: Apache-2.0
"""Whose word ends an episode with a reward, in every phase."""

import pytest

from hilserl_agent.actor_parameters import episode_rules
from hilserl_agent.episode_book import Rules

PERSON = ("operator.kind=person",)


@pytest.mark.parametrize(
    ("source", "waits", "classifier", "button"),
    [("both", True, True, True), ("classifier", True, True, False), ("human", False, False, True)],
)
def test_in_training_the_task_says_who_pays(kit, source, waits, classifier, button):
    task = kit.small_task(*PERSON, f"reward.source={source}")
    rules = episode_rules(task, demonstrating=False, use_reward=True)
    assert rules == Rules(task.episode.max_steps, waits, classifier, button)


@pytest.mark.parametrize("source", ["both", "classifier", "human"])
def test_in_label_collection_nobody_pays(kit, source):
    task = kit.small_task(*PERSON, f"reward.source={source}")
    rules = episode_rules(task, demonstrating=False, use_reward=False)
    assert (rules.use_reward, rules.success_button) == (False, False)


def test_a_demonstration_without_a_classifier_needs_the_button(kit):
    task = kit.small_task(*PERSON, "reward.source=human", "demonstrations.gate=classifier")
    rules = episode_rules(task, demonstrating=True, use_reward=True)
    assert (rules.use_reward, rules.reward_ends, rules.success_button) == (False, False, True)
