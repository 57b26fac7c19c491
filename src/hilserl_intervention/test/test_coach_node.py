# SPDX-License-Identifier: Apache-2.0
"""The coach as a node, behind a real mux: what a person's stick does becomes advice."""

import numpy as np
from mux_scene import STAMP, TASK, Scene, observation, wish

from hilserl_intervention.coach_node import CoachNode
from hilserl_msgs.msg import CoachAdvice, EpisodeSummary
from hilserl_ros import codec, qos, topics
from hilserl_ros.testing import RosGraph

OVERRIDES = ["operator.coach.long_s=0.5", "operator.coach.short_s=0.2", "operator.coach.minimum_episodes=3"]


class Lesson(Scene):
    """The scene of the mux, with a coach who listens."""

    def __init__(self, graph):
        self.coach = graph.add(CoachNode)
        super().__init__(graph)
        self.advice = self.peer.collect(CoachAdvice, topics.COACH, qos.COACH)
        self.ends = self.peer.create_publisher(EpisodeSummary, topics.EPISODE, qos.EPISODE)
        graph.connect(self.peer, {topics.COACH: "publisher"})
        wanted = {topics.OBSERVATION: 2, topics.EPISODE: 2}
        for topic, count in wanted.items():
            graph.spin_until(lambda t=topic, n=count: self.peer.count_subscribers(t) == n, what=topic)
        graph.spin_until(lambda: self.advice, what="the coach's first word")
        self.steps = 0

    def code(self):
        return self.advice[-1].code

    def play(self, episode, pushes, z=lambda step: 0.2):
        """One step for every push of the stick."""
        for step, push in enumerate(pushes):
            self.steps += 1
            message = observation(step, STAMP + self.steps * 100_000_000, episode)
            message.arms[0].pose.position.z = z(step)
            self.observation.publish(message)
            self.person(push, STAMP + self.steps * 100_000_000)
            self.policy.publish(wish(step, episode=episode))
            self.graph.spin_until(lambda: len(self.executed) == self.steps, what="executed action")

    def end(self, episode, phase="train", outcome=EpisodeSummary.OUTCOME_SUCCESS, **figures):
        self.ends.publish(EpisodeSummary(episode=episode, phase=phase, outcome=outcome, **figures))


def moving(step):
    return 0.2 + 0.01 * step


def test_a_takeover_that_lasts_and_a_habit_of_them_are_told():
    with RosGraph(task=TASK, overrides=OVERRIDES) as graph:
        lesson = Lesson(graph)
        assert (lesson.code(), lesson.advice[-1].level) == ("", CoachAdvice.LEVEL_QUIET)
        assert np.isnan(lesson.advice[-1].success_rate)
        for episode in range(3):
            lesson.play(episode, [0, 0, 0, *[1.0] * 7], moving)
            graph.spin_until(lambda: lesson.code() == "hand_back", what="hand back")
            lesson.end(episode, steps=10, intervention_steps=7, interventions=1)
            count = episode + 1
            graph.spin_until(lambda n=count: lesson.advice[-1].window_episodes == n, what="figures")
        last = lesson.advice[-1]
        assert (last.level, last.code) == (CoachAdvice.LEVEL_WARNING, "long_and_sparse")
        assert (last.success_rate, last.rescued_rate) == (1.0, 1.0)
        np.testing.assert_allclose(
            (last.intervention_rate, last.interventions_per_episode, last.mean_intervention_s),
            (0.7, 1.0, 0.7),
        )
        assert codec.ns_from_stamp(last.header.stamp) > 0


def test_a_standing_arm_is_told_once_until_it_moves_and_evaluations_do_not_count():
    with RosGraph(task=TASK, overrides=["operator.coach.stuck_s=0.5"]) as graph:
        lesson = Lesson(graph)
        lesson.play(0, [0] * 10)
        graph.spin_until(lambda: lesson.code() == "step_in", what="step in")
        assert [message.code for message in lesson.advice] == ["", "step_in"]
        lesson.end(0, phase="evaluate", steps=10)
        graph.spin_until(lambda: lesson.code() == "", what="silence")
        assert lesson.advice[-1].window_episodes == 0
        assert lesson.call("set_enabled", False).success
        lesson.play(1, [0] * 10)
        graph.spin_for(0.2)
        assert lesson.code() == "", "nobody may step in"


def test_a_coach_that_comes_late_hears_of_the_last_episodes():
    with RosGraph(task=TASK) as graph:
        peer = graph.peer()
        ends = peer.create_publisher(EpisodeSummary, topics.EPISODE, qos.EPISODE)
        for episode in range(6):
            failed = EpisodeSummary.OUTCOME_FAILURE
            ends.publish(EpisodeSummary(episode=episode, phase="train", outcome=failed, steps=50))
        ends.publish(EpisodeSummary(episode=6, phase="train", outcome=failed, steps=50, discarded=True))
        graph.add(CoachNode)
        advice = peer.collect(CoachAdvice, topics.COACH, qos.COACH)
        graph.spin_until(lambda: advice and advice[-1].window_episodes == 6, what="six episodes")
        assert advice[-1].code == "help_more"
