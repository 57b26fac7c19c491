# SPDX-License-Identifier: Apache-2.0
"""The scripted person at the handover: does it, goes on from anywhere, corrects a policy, shows success."""

import numpy as np
import pytest
from person_in_simulation import Person
from scipy.spatial.transform import Rotation

from hilserl_sim.poses import place_free_body, pose
from hilserl_sim.world import SimWorld
from hilserl_task import load_task
from hilserl_task.frames import inverse
from hilserl_teleop.scripted_operator import ScriptedOperator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world():
    world = SimWorld(load_task("object_handover"))
    yield world
    world.close()


def bar(view):
    return view.world_T["object"][:3, 3]


def fumbling(view):
    """A policy that drifts away and now and then opens its hands."""
    rng = np.random.default_rng(view.step)
    return {
        arm: np.append(rng.uniform(-0.6, 0.6, 6), rng.choice([0.0, 1.0], p=[0.98, 0.02]))
        for arm in view.opening
    }


def test_goes_on_from_where_somebody_else_stopped(world):
    """A person is chosen anew every second: all it needs to know is what it sees."""
    person = Person(world, "demos", 4)
    for relay in range(12):
        person.operator = ScriptedOperator(world.task, "demos", np.random.default_rng(relay))
        if person.play(steps=10).success:
            break
    assert world.truth().success


@pytest.mark.parametrize("carried_m", [0.06, 0.2])  # in the giver's hand, in the taker's
def test_picks_a_dropped_bar_up_again(world, carried_m):
    person = Person(world, "demos", 5)
    dropped = []

    def knock_it_out(view, output):
        if not dropped and view.depth > carried_m:
            dropped.append(bar(view)[2])
            for arm in world.arms:
                world.set_gripper(1.0, arm=arm)
                person.grippers[arm].is_open = True

    played = person.play(on_view=knock_it_out)
    assert dropped[0] > 0.05, "was not in the air"
    assert min(bar(view)[2] for view in played.views[len(played.views) // 4 :]) < 0.05
    assert played.success


def test_lays_down_level_what_leans_on_a_wall(world):
    """Grasped as it leans, the bar would hang aslant and not fit between the walls."""
    person = Person(world, "demos", 0)
    leaning = pose((0.56, 0.01, 0.06), Rotation.from_euler("y", 0.25).as_matrix())
    place_free_body(world.model, world.data, "object", leaning)
    world.advance(300)
    played = person.play()
    assert abs(played.views[0].world_T["object"][2, 0]) > 0.15, "does not lean"
    assert played.success


def test_gives_up_what_is_out_of_reach(world):
    person = Person(world, "demos", 6)
    place_free_body(world.model, world.data, "object", pose((0.5, 0.3, 0.03)))
    world.advance(100)
    played = person.play(steps=20)
    assert not played.success
    assert not any(stick.any() for output in played.outputs[5:] for stick in output.sticks.values())


def test_corrects_a_fumbling_policy(world):
    successes, helped = 0, []
    for seed in range(3):
        played = Person(world, "train", seed).play(fumbling)
        successes += played.success
        helped.append(np.mean([output.intervening for output in played.outputs]))
    assert successes >= 2
    assert 0.2 < np.mean(helped) < 1.0


def test_leaves_a_policy_alone_that_does_as_a_person_would(world):
    """The policy is the person itself, without the noise of a hand."""
    teacher = ScriptedOperator(world.task, "demos", np.random.default_rng(0)).craft

    def policy(view):
        actions = {}
        for arm, push in teacher.moves(view).items():
            scale = np.repeat([0.025, 0.04], 3)
            world_R_tcp = view.world_T_tcp[arm][:3, :3]
            wanted = np.concatenate([world_R_tcp.T @ push.wanted[:3], world_R_tcp.T @ push.wanted[3:]])
            grip = 0.0 if push.open_hand in (None, view.hand_open[arm]) else 2.0 * push.open_hand - 1.0
            actions[arm] = np.append(0.7 * wanted / scale, grip)
        return actions

    played = Person(world, "train", 7).play(policy)
    assert played.success
    assert not any(output.intervening for output in played.outputs)


def test_shows_success_and_everything_else(world):
    person = Person(world, "labels", 8)
    played = person.play()
    done = np.array(played.done)
    assert played.outputs[-1].discard_button
    assert 10 <= done.sum() < 0.5 * len(done)
    assert [output.success_button for output in played.outputs] == list(done)
    assert not done[-1], "taken out again"
    shown = [view for view, is_done in zip(played.views, done, strict=True) if is_done]
    hands = np.array(
        [[*view.world_T_tcp["left"][:3, 3], *view.world_T_tcp["right"][:3, 3]] for view in shown]
    )
    assert (np.ptp(hands, axis=0)[[0, 2, 3, 5]] > 0.02).all(), "hands do not wander while success is shown"


def test_shows_bars_that_lean_on_the_wall_with_both_hands_open(world):
    leaning = 0
    for seed in range(20, 25):
        for view in Person(world, "labels", seed).play().views:
            basket_T_bar = inverse(view.world_T["right_basket"]) @ view.world_T["object"]
            open_hands = all(opening > 0.5 for opening in view.opening.values())
            leaning += open_hands and abs(basket_T_bar[2, 0]) > 0.1 and -0.11 < basket_T_bar[0, 3] < 0.03
    assert leaning > 15


def test_hands_wander_over_the_untouched_bar_first(world):
    views = Person(world, "labels", 8).play(steps=9).views
    bars = np.array([view.world_T["object"][:3, 3] for view in views])
    assert np.abs(bars[1:] - bars[1]).max() < 0.002
    for arm in ("left", "right"):
        places = np.array([view.world_T_tcp[arm][:3, 3] for view in views])
        assert np.linalg.norm(np.ptp(places, axis=0)) > 0.03
