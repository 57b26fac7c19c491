# SPDX-License-Identifier: Apache-2.0
"""Arms with wrench actions: who pushes, how hard, and that every way of not acting ends the force."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mux_scene import BASE_T_TCP, TASK, Scene, observation, wish

from hilserl_intervention.decision import Observed, Source, Wish
from hilserl_intervention.mux import Mux
from hilserl_msgs.msg import Action, CartesianTarget, EpisodeSummary
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph
from hilserl_task import load_task

FLIP = "arms.0.action={type: wrench, force_scale_n: {x: 13.0, z: 12.0}, torque_scale_nm: {y: 3.5}}"
STAMP = 1_000_000_000
PERIOD = 100_000_000
SLOW = [
    "pacing=realtime",
    "period_s=1.0",
    "arms.0.controller.target_timeout_s=3.0",
    "arms.0.controller.wrench.timeout_s=2.0",
]
PACINGS = ("lockstep", "realtime")
WRENCH = {pacing: load_task("ram_insertion", [FLIP, f"pacing={pacing}"]) for pacing in PACINGS}
three = st.lists(st.floats(-1, 1), min_size=3, max_size=3)


def made(pacing="lockstep"):
    """A mux that has seen observation 0, and its warnings."""
    warnings = []
    mux = Mux(WRENCH[pacing], False, warnings.append)
    look(mux, 0)
    return mux, warnings


def look(mux, step, stamp=STAMP):
    stamp += step * PERIOD
    mux.observe(Observed(1, step, stamp, (BASE_T_TCP,), (0.0,)), stamp)


def answer(mux, step=0, values=(0.5, -0.5, 1.0), now=STAMP):
    mux.wish(Wish(1, step, tuple(values), 7))
    return mux.decide(now, now)


@settings(deadline=None)
@given(values=three)
def test_the_policys_values_become_force_and_torque(values):
    mux, _ = made()
    decision = answer(mux, values=values)
    assert decision.source is Source.POLICY
    np.testing.assert_array_equal(decision.values, values)
    target = decision.targets["arm"]
    assert target.base_T_target is None
    np.testing.assert_allclose(target.wrench, [13 * values[0], 0, 12 * values[1], 0, 3.5 * values[2], 0])


def test_a_person_takes_the_force_over():
    mux, _ = made()
    mux.stick(STAMP, [-0.5, 0.9, 0.0, 0.9, 0.25, 0.9])
    decision = answer(mux)
    assert decision.source is Source.HUMAN
    np.testing.assert_allclose(decision.values, [-0.5, 0.0, 0.25], atol=1e-12)
    np.testing.assert_allclose(decision.policy_values, [0.5, -0.5, 1.0])
    np.testing.assert_allclose(decision.targets["arm"].wrench, [-6.5, 0, 0, 0, 0.875, 0], atol=1e-12)


def test_a_person_who_only_pushes_where_nothing_is_commanded_has_the_arm_and_no_force():
    mux, _ = made()
    mux.stick(STAMP, [0, 1.0, 0, 0, 0, 0])
    decision = answer(mux)
    assert decision.source is Source.HUMAN
    np.testing.assert_allclose(decision.targets["arm"].wrench, 0.0, atol=1e-12)


@pytest.mark.parametrize("values", [(0.1, 0.2, np.nan), (0.1,) * 6, ()])
def test_an_unusable_wish_holds_the_arm_where_it_is(values):
    mux, warnings = made()
    decision = answer(mux, values=values)
    assert decision.source is Source.HOLD
    assert "holding the pose" in warnings[0]
    np.testing.assert_array_equal(decision.values, np.zeros(3))
    assert decision.targets["arm"].wrench is None
    np.testing.assert_array_equal(decision.targets["arm"].base_T_target, BASE_T_TCP)


def test_a_device_that_falls_silent_holds_the_arm():
    mux, warnings = made("realtime")
    mux.stick(STAMP, [1.0, 0, 0, 0, 0, 0])
    assert answer(mux).source is Source.HUMAN
    look(mux, 1)
    later = STAMP + 3 * PERIOD
    decision = answer(mux, 1, now=later)
    assert decision.source is Source.HOLD
    assert "fell silent" in warnings[-1]
    np.testing.assert_array_equal(decision.targets["arm"].base_T_target, BASE_T_TCP)


def test_late_or_stale_ends_the_force_without_an_old_pose():
    mux, warnings = made("realtime")
    look(mux, 1)
    late = answer(mux, 0)
    stale = answer(mux, 1, now=STAMP + 10_000_000_000)
    assert ["late" in warnings[0], "stale" in warnings[1]] == [True, True]
    for decision in (late, stale):
        assert decision.source is Source.HOLD
        np.testing.assert_array_equal(decision.targets["arm"].wrench, np.zeros(6))
        np.testing.assert_array_equal(decision.values, np.zeros(3))


def test_after_the_end_of_the_episode_nothing_is_commanded():
    mux, _ = made("realtime")
    mux.end_episode(1)
    assert answer(mux).targets == {}


class TestNode:
    """The same on topics, in realtime with a mux that hears nobody."""

    @pytest.fixture
    def scene(self):
        overrides = [FLIP, "pacing=realtime"]
        with RosGraph(task=TASK, overrides=overrides, operator_enabled=False) as graph:
            yield Scene(graph, person=False)

    @staticmethod
    def act(scene, age_ns=0):
        """One action of full force, on an observation so old."""
        scene.observation.publish(observation(0, stamp=scene.now() - age_ns))
        scene.policy.publish(wish(0, values=(1.0, 1.0, -1.0)))
        scene.graph.spin_until(lambda: scene.targets, what="target")
        return scene.targets[-1]

    def test_the_target_is_a_wrench_in_base_axes_stamped_now(self, scene):
        before = time.time_ns()
        target = self.act(scene)
        assert (target.mode, target.wrench_frame) == (
            CartesianTarget.MODE_WRENCH,
            CartesianTarget.WRENCH_FRAME_BASE,
        )
        np.testing.assert_allclose(codec.vector_from_wrench(target.wrench), [13, 0, 12, 0, -3.5, 0])
        assert target.header.frame_id == "panda_link0"
        assert codec.ns_from_stamp(target.header.stamp) >= before
        scene.graph.spin_until(lambda: scene.executed, what="executed action")
        assert scene.executed[0].source == Action.SOURCE_POLICY
        np.testing.assert_allclose(scene.executed[0].values, [1, 1, -1])

    def test_the_end_of_the_episode_ends_the_force_once(self):
        """Once: another zero would disturb the reset. The period is long, so that nobody counts as silent."""
        with RosGraph(task=TASK, overrides=[FLIP, *SLOW], operator_enabled=False) as graph:
            scene = Scene(graph, person=False)
            episode = scene.peer.create_publisher(EpisodeSummary, topics.EPISODE, qos.EPISODE)
            graph.connect(scene.peer, {topics.EPISODE: "subscriber"})
            self.act(scene)
            for _ in range(2):
                episode.publish(EpisodeSummary(episode=1))
                graph.spin_until(lambda: len(scene.targets) > 1, what="the end of the force")
            graph.spin_for(0.2)
            scene.observation.publish(observation(0, stamp=scene.now(), episode=2))
            scene.policy.publish(wish(0, values=(0.0, 1.0, 0.0), episode=2))
            graph.spin_until(lambda: len(scene.executed) == 2, what="the next episode's action")
            graph.spin_for(0.1)
            assert {target.mode for target in scene.targets} == {CartesianTarget.MODE_WRENCH}
            pushes = [target.wrench.force.z for target in scene.targets]
            np.testing.assert_allclose(pushes, [12.0, 0.0, 12.0])

    def test_a_silent_policy_ends_the_force_and_the_arm_is_held_where_it_is(self, scene):
        self.act(scene)
        for step in range(1, 100):
            scene.observation.publish(observation(step, stamp=scene.now()))
            scene.graph.spin_for(0.03)
            if len(scene.targets) > 1:
                break
        assert scene.targets[1].mode == CartesianTarget.MODE_POSE
        np.testing.assert_allclose(codec.matrix_from_pose(scene.targets[1].pose), BASE_T_TCP, atol=1e-9)

    def test_without_sensors_nobody_knows_where_and_only_the_force_ends(self, scene):
        self.act(scene, age_ns=PERIOD)
        scene.graph.spin_until(lambda: len(scene.targets) > 1, what="the end of the force")
        assert scene.targets[1].mode == CartesianTarget.MODE_WRENCH
        assert not codec.vector_from_wrench(scene.targets[1].wrench).any()
