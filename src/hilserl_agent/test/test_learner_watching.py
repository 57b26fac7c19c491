# SPDX-License-Identifier: Apache-2.0
"""What a person sees of a learner and tells it: status, curves, diagnostics, save, pause and resume."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import Trigger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hilserl_agent import learner_status
from hilserl_agent.checkpoint import newest_checkpoint
from hilserl_agent.learner_core import LearnerCore
from hilserl_agent.learner_node import LEARNER_PAUSE, LEARNER_RESUME, Learner
from hilserl_agent.learner_status import LearnerStatus
from hilserl_msgs.msg import EpisodeSummary, TrainingStatus
from hilserl_msgs.srv import InsertTransitions
from hilserl_ros import qos, topics
from hilserl_ros.testing import RosGraph

GIB = 1 << 30


@pytest.fixture
def graph(kit, run_dir):
    with RosGraph(task=str(kit.task_file), run_dir=str(run_dir), overrides=[*kit.small]) as graph:
        yield graph


class Person:
    """Looks at a learner and calls its services, as a dashboard does."""

    def __init__(self, graph):
        self.graph, self.peer = graph, graph.peer()
        self.statuses = self.peer.collect(TrainingStatus, topics.LEARNER_STATUS, qos.STATUS)
        self.diagnostics = self.peer.collect(DiagnosticArray, topics.DIAGNOSTICS, qos.DIAGNOSTICS)
        self.episodes = self.peer.create_publisher(EpisodeSummary, topics.EPISODE, qos.EPISODE)

    def trigger(self, service):
        reply = self.graph.call(self.peer.create_client(Trigger, service), Trigger.Request())
        assert reply.success
        return reply.message

    def sees(self, what, **fields):
        def matches():
            return self.statuses and all(
                getattr(self.statuses[-1], key) == value for key, value in fields.items()
            )

        self.graph.spin_until(matches, timeout_s=60.0, what=what)
        return self.statuses[-1]

    def told(self):
        return [status.message for array in self.diagnostics for status in array.status]

    def plays(self, learner, *outcomes):
        """Training episodes of 10 steps, half of them by a person; one at a time, as actors do."""
        for number, outcome in enumerate(outcomes):
            message = EpisodeSummary(actor_id="robot", phase="train", episode=number, outcome=outcome)
            message.steps, message.intervention_steps, message.duration_s = 10, 5, 1.5
            message.header.stamp = Time(sec=number + 1)
            self.episodes.publish(message)
            statistics = learner.core.episodes.statistics
            self.graph.spin_until(lambda: statistics.episodes > number, what=f"episode {number}")  # noqa: B023


def sends(graph, kit, run_dir, learner, person):
    """An actor that delivers one episode of ten steps."""
    client = person.peer.create_client(InsertTransitions, topics.INSERT_TRANSITIONS)
    messages = kit.episode_messages(learner.task, run_dir, 0, 1)
    for batch in ([], messages):
        request = InsertTransitions.Request(actor_id="robot", transitions=batch, session="s", outbox="o")
        request.config_hash = learner.core.config_hash
        request.perception_id = learner.core.perception_id
        assert graph.call(client, request).accepted


def curve(run_dir, axis, name):
    events = EventAccumulator(str(run_dir / "tensorboard" / axis))
    events.Reload()
    return [(event.step, round(event.value, 4)) for event in events.Scalars(name)]


def test_status_says_all_that_a_dashboard_shows(graph, kit, run_dir):
    learner, person = graph.add(Learner), Person(graph)
    status = person.sees("a fresh learner", state="waiting")
    assert status.reason == "for 4 more transitions (learner.training_starts)"
    assert (status.policy_version, status.checkpoint, status.demo_size) == (1, "", 12)
    assert math.isnan(status.checkpoint_age_s)
    assert math.isnan(status.success_rate)
    sends(graph, kit, run_dir, learner, person)
    status = person.sees("training", state="training", cycles=7)
    assert status.reason == ""
    person.plays(learner, 2, *[1] * 20)  # one failure, then a window of successes
    person.sees("all episodes", episodes=21)
    message = person.trigger(topics.LEARNER_SAVE)
    status = person.sees("the checkpoint", checkpoint=str(run_dir / "checkpoints" / "learner_000000007"))
    assert message.startswith(f"{status.checkpoint} (")
    assert message.endswith("after 7 update cycles)")
    assert status.best_checkpoint == status.checkpoint
    assert 0 <= status.checkpoint_age_s < 60
    assert 0 <= status.policy_age_s < 60
    assert (status.success_rate, status.intervention_rate, status.cycle_time_s) == (1.0, 0.5, 1.5)
    assert (status.gradient_steps, status.workers) == (14, 1)
    assert (status.online_size, status.online_capacity, status.demo_capacity) == (10, 500, 500)
    assert (status.actor_ids, list(status.actor_last_sequences)) == (["robot"], [10])
    assert 0 <= status.actor_silent_s[0] < 60
    assert status.disk_free_bytes > 0
    assert {"critic_loss", "q", "target_q", "entropy", "temperature"} <= set(status.metric_names)


def test_pause_and_resume_may_be_said_twice(graph, kit, run_dir):
    learner, person = graph.add(Learner), Person(graph)
    assert person.trigger(LEARNER_PAUSE).startswith("paused after 0 update cycles")
    assert person.trigger(LEARNER_PAUSE).startswith("was paused already")
    sends(graph, kit, run_dir, learner, person)
    status = person.sees("status paused", state="paused", online_size=10)
    assert "learner/resume" in status.reason
    assert learner.core.cycles == 0
    assert person.trigger(LEARNER_RESUME) == "goes on; 7 update cycles are due"
    person.sees("all updates", state="training", cycles=7)
    assert person.trigger(LEARNER_RESUME) == "was not paused; 0 update cycles are due"


def test_a_failure_is_seen_before_the_learner_ends(graph, kit, run_dir):
    learner, person = graph.add(Learner), Person(graph)
    person.sees("a fresh learner", state="waiting")
    for parameter in learner.core.agent.critic.parameters():
        parameter.data.fill_(float("nan"))
    sends(graph, kit, run_dir, learner, person)
    status = person.sees("the failure", state="failed")
    assert "not finite" in status.reason
    assert learner.ended.result() == 1


def test_curves_go_on_after_a_restart(kit, run_dir):
    for start in range(2):
        with RosGraph(task=str(kit.task_file), run_dir=str(run_dir), overrides=[*kit.small]) as graph:
            learner, person = graph.add(Learner), Person(graph)
            if start == 0:
                sends(graph, kit, run_dir, learner, person)
            else:
                learner.core.inserted += 5  # more to do, on what is there
                learner._schedule()
            person.sees("updates", cycles=7 + 5 * start)
            person.plays(
                learner, *([1, 2] if start == 0 else [1, 2, 1])
            )  # the topic is latched: two come again
            person.sees("episodes", episodes=2 + start)
            graph.spin_until(lambda learner=learner: learner._drawn == learner.core.agent.gradient_steps)
    for name in ("critic_loss", "actor_loss", "q", "target_q", "entropy", "temperature", "updates_per_s"):
        steps = [step for step, _ in curve(run_dir, "gradient_steps", f"learner/{name}")]
        assert steps == sorted(set(steps))
        assert {14, 24} <= set(steps)
    assert curve(run_dir, "gradient_steps", "replay/online")[-1] == (24, 10)
    versions = [value for _, value in curve(run_dir, "gradient_steps", "policy/version")]
    assert versions == sorted(versions)
    assert curve(run_dir, "environment_steps", "episode/success") == [(10, 1), (10, 0), (15, 1)]
    rates = [value for _, value in curve(run_dir, "environment_steps", "running/success_rate")]
    assert rates == [1.0, 0.5, 0.6667]
    assert curve(run_dir, "environment_steps", "running/intervention_rate")[-1] == (15, 0.5)
    assert curve(run_dir, "environment_steps", "episode/cycle_time_s") == [(10, 1.5), (15, 1.5)]


def test_a_full_disk_is_told_once_and_when_it_is_over(graph, monkeypatch):
    graph.add(Learner)
    person = Person(graph)
    usage = SimpleNamespace(free=GIB // 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    graph.spin_until(lambda: any("nearly full" in text for text in person.told()), what="the warning")
    graph.spin_for(1.5)
    usage.free = 100 * GIB
    graph.spin_until(lambda: any("no longer: disk" in text for text in person.told()), what="the end of it")
    assert sum("nearly full" in text for text in person.told()) == 2


class Watched:
    """A learner core with a clock that stands still unless it is told."""

    def __init__(self, task, run_dir):
        self.now = 1000.0
        self.core = LearnerCore(task, run_dir, 0)
        self.status = LearnerStatus(self.core, clock=lambda: self.now)

    def after(self, seconds, cycles=0):
        """The status later."""
        self.now += seconds
        self.core.cycles += cycles
        return self.status.message()

    def problems(self, message):
        return "; ".join(self.status.problems(message))


@pytest.fixture
def watched(task, run_dir):
    return Watched(task, run_dir)


def test_a_silent_actor_is_named_until_it_speaks(watched):
    watched.status.heard("left")
    assert watched.problems(watched.after(learner_status.SILENT_S - 1)) == ""
    assert "actor 'left' is silent" in watched.problems(watched.after(2))
    watched.status.heard("left")
    assert watched.problems(watched.after(1)) == ""


def test_an_actor_that_died_before_a_restart_of_the_learner_is_named(watched):
    watched.core.intake.restore({"left": {"sequence": 7, "episode": 0, "step": 6, "outbox_id": "o"}})
    assert watched.problems(watched.after(learner_status.SILENT_S - 1)) == ""
    assert "actor 'left' is silent" in watched.problems(watched.after(2))


def test_updates_slower_than_the_robot_are_told_after_a_while(watched):
    watched.core.inserted = 10_000  # 10 steps/s wanted
    assert watched.problems(watched.after(1, cycles=9)) == ""
    for _ in range(19):
        assert watched.problems(watched.after(1, cycles=9)) == ""
    assert "slower than the robot" in watched.problems(watched.after(2, cycles=9))
    for _ in range(6):
        message = watched.after(1, cycles=11)
    assert message.updates_per_s == pytest.approx(11)
    assert watched.problems(message) == ""
    watched.status.paused = True
    assert watched.problems(watched.after(100)) == ""


def test_an_idle_learner_waits_and_says_for_what(watched):
    watched.core.inserted = 10  # 7 cycles are due
    assert watched.after(1, cycles=7).state == "training"
    status = watched.after(learner_status.IDLE_S + 1)
    assert (status.state, status.updates_per_s) == ("waiting", 0.0)
    assert "new transitions" in status.reason


def test_a_dead_worker_ends_the_learner_and_a_restart_goes_on(kit, run_dir):
    parameters = {"task": str(kit.task_file), "run_dir": str(run_dir), "overrides": [*kit.small]}
    with RosGraph(**parameters, workers=2) as graph:
        learner, person = graph.add(Learner), Person(graph)
        sends(graph, kit, run_dir, learner, person)
        person.sees("updates of two processes", cycles=7, workers=2)
        person.trigger(topics.LEARNER_SAVE)
        os.kill(learner.core._team._processes[0].pid, signal.SIGKILL)
        status = person.sees("the failure", state="failed")
        assert "learner worker 1 of 1 ended, exit code -9" in status.reason
        assert "goes on from the last checkpoint" in status.reason
        assert learner.ended.result() == 1
    core = LearnerCore(kit.small_task(), run_dir, 0)
    assert (core.resumed, core.cycles) == (True, 7)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_learner_with_workers_saves_when_all_of_its_group_is_asked_to_end(kit, run_dir, number):
    parameters = {"task": kit.task_file, "run_dir": run_dir, "workers": 2, "overrides": list(kit.small)}
    chosen = [part for key, value in parameters.items() for part in ("-p", f"{key}:={as_yaml(value)}")]
    learner = subprocess.Popen(
        [sys.executable, "-m", "hilserl_agent.learner_node", "--ros-args", *chosen],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with RosGraph() as graph:
        Person(graph).sees("the learner", state="waiting", workers=2)
    os.killpg(learner.pid, number)
    output = learner.communicate(timeout=30)[1]
    assert learner.returncode == 0, output
    assert "Traceback" not in output
    assert newest_checkpoint(run_dir / "checkpoints") is not None


def as_yaml(value):
    return json.dumps(value) if isinstance(value, list) else str(value)
