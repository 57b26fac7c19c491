# SPDX-License-Identifier: Apache-2.0
"""The person with the pan, played in the simulator: throws, waits, throws again, and shows every class."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from person_in_simulation import Person

from hilserl_sim.world import SimWorld
from hilserl_task import load_task
from hilserl_teleop.object_flipping_craft import SwingNumbers


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task("object_flipping"))
    yield world
    world.close()


def stages(person, seen):
    return lambda view, output: seen.append((person.operator.craft.stage, view, output))


def test_most_demonstrations_end_well(world):
    played = [Person(world, "demos", seed).play() for seed in range(8)]
    done = [len(episode.views) for episode in played if episode.success]
    assert len(done) >= 7
    assert min(done) > 10, "it takes a throw and a flight"
    assert min(done) * world.task.period_s < 1.5


def test_it_throws_only_what_lies_still_and_gives_up_what_is_lost(world):
    for seed in range(4):
        person, seen = Person(world, "demos", seed), []
        person.play(on_view=stages(person, seen))
        for (before, _, _), (after, view, _) in pairwise(seen):
            if (before, after) == ("wait", "thrust"):
                assert view.kind in ("side_a", "side_b")
    person = Person(world, "demos", 1)
    view = person.look(0)
    off = view.world_T["pan"].copy()
    off[2, 3] -= 0.3
    gone = replace(view, kind="lost", world_T={**view.world_T, "object": off})
    assert person.operator.craft.astray(gone)
    assert not person.operator.craft.astray(view)


def test_after_a_failed_throw_it_tries_again(world):
    person, seen = Person(world, "demos", 0), []
    craft = person.operator.craft
    feeble = {name: tuple(0.4 * np.array(getattr(craft.numbers, name))) for name in ("thrust", "brake")}
    craft.numbers = replace(craft.numbers, **feeble, catch=(0.0, 0.0, 0.0), thrust_at_most_s=0.25)
    person.play(on_view=lambda view, output: seen.append(craft.stage))
    throws = sum(now == "thrust" and then != "thrust" for then, now in pairwise(seen))
    assert throws >= 2


def test_what_is_shown_for_labels_leaves_demonstrations_alone(world):
    numbers = [Person(world, "demos", seed).operator.craft.numbers for seed in range(3)]
    assert numbers == [SwingNumbers()] * 3


def test_labels_show_every_class_and_most_frames_have_one(world):
    kinds, places, pressed = Counter(), [], []
    for seed in range(6):
        episode = Person(world, "labels", seed).play()
        assert len(episode.views) < world.task.episode.max_steps, "ends by itself"
        for view, output in zip(episode.views, episode.outputs, strict=True):
            kinds[view.kind] += 1
            pressed.append(output.success_button == bool(view.kind))
            if view.kind.startswith("side"):
                pan_T_object = np.linalg.inv(view.world_T["pan"]) @ view.world_T["object"]
                places.append(pan_T_object[:2, 3])
    total = sum(kinds.values())
    assert all(kinds[name] > 0.15 * total for name in world.task.reward.classes), kinds
    assert np.mean(pressed) > 0.9, "the button says whether there is a class"
    assert (np.std(places, axis=0) > 0.01).all(), "lying in various places"
