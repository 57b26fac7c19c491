# SPDX-License-Identifier: Apache-2.0
import json

from hilserl_task import load_task
from hilserl_task.compare import differences


def shared(*overrides):
    return json.loads(json.dumps(load_task("ram_insertion", overrides).shared_config()))


def test_equal_configurations_do_not_differ():
    assert differences(shared(), shared("training.max_steps=7")) == []


def test_every_differing_key_is_named_with_both_values():
    theirs = shared("learner.discount=0.9", "arms.0.action.translation_scale_m=0.02", "episode.max_steps=7")
    assert set(differences(shared(), theirs)) == {
        "arms.0.action.translation_scale_m: 0.01 here, 0.02 there",
        "episode.max_steps: 100 here, 7 there",
        "learner.discount: None here, 0.9 there",
    }


def test_missing_keys_and_other_lengths_are_differences():
    assert differences({"a": 1}, {"b": [1]}) == ["a: 1 here, missing there", "b: missing here, [1] there"]
    assert differences([1], [1, 2]) == [": [1] here, [1, 2] there"]


def test_the_hash_changes_exactly_when_the_shared_configuration_does():
    for override in ("learner.discount=0.9", "observation.image_size=64", "learner.keep_checkpoints=5"):
        one, other = load_task("ram_insertion"), load_task("ram_insertion", [override])
        same = not differences(one.shared_config(), other.shared_config())
        assert (one.config_hash() == other.config_hash()) == same
